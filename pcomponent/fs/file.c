/* File: see file.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/file.h"

struct file *file_new(enum file_kind kind, uint64_t handle, uint32_t flags, uint32_t mode, const char *path)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return NULL;
	}
	f->kind = kind;
	f->refs = 1;
	f->flags = flags;
	f->mode = mode;
	f->handle = handle;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->pos_free, NULL);
	return f;
}

struct file *file_ref(struct file *f)
{
	__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

void file_put(struct file *f)
{
	if (!f || __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (f->kind == FILE_REMOTE)
		client_close_handle(f->handle);
	pthread_cond_destroy(&f->pos_free);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
}

uint64_t file_pos_begin(struct file *f)
{
	uint64_t pos;

	pthread_mutex_lock(&f->lock);
	while (f->pos_busy)
		pthread_cond_wait(&f->pos_free, &f->lock);
	f->pos_busy = true;
	pos = f->pos;
	pthread_mutex_unlock(&f->lock);
	return pos;
}

void file_pos_end(struct file *f, uint64_t pos)
{
	pthread_mutex_lock(&f->lock);
	f->pos = pos;
	f->pos_busy = false;
	pthread_cond_signal(&f->pos_free);
	pthread_mutex_unlock(&f->lock);
}

uint64_t file_pos_get(struct file *f)
{
	uint64_t pos = file_pos_begin(f);

	file_pos_end(f, pos);
	return pos;
}

void file_pos_set(struct file *f, uint64_t pos)
{
	file_pos_begin(f);
	file_pos_end(f, pos);
}

bool file_readable(const struct file *f)
{
	uint32_t flags = file_flags(f), mode = flags & O_ACCMODE;

	return !(flags & O_PATH) && (mode == O_RDONLY || mode == O_RDWR);
}

bool file_writable(const struct file *f)
{
	uint32_t flags = file_flags(f), mode = flags & O_ACCMODE;

	return !(flags & O_PATH) && (mode == O_WRONLY || mode == O_RDWR);
}
