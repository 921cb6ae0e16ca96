/* File: see file.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/program.h"

#define USE (1ULL << 32) /* in struct file.counts */

/* What lies in the memfd of a shared file. */
struct shared {
	uint64_t pos;
	uint32_t flags;
	uint32_t reserved0;
};

static struct {
	pthread_mutex_t lock;
	struct list list;
} all = { PTHREAD_MUTEX_INITIALIZER, { &all.list, &all.list } };

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
	f->counts = USE;
	f->flags = flags;
	f->mode = mode;
	f->handle = handle;
	f->own = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->pos_free, NULL);
	pthread_mutex_lock(&all.lock);
	list_add_tail(&all.list, &f->link);
	pthread_mutex_unlock(&all.lock);
	return f;
}

static void file_free(struct file *f)
{
	if (f->own >= 0)
		close(f->own);
	if (f->kind == FILE_REMOTE)
		client_close_handle(f->handle);
	if (f->kind == FILE_MAPPED)
		program_unmap(f);
	pthread_cond_destroy(&f->pos_free);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
}

static struct file *count(struct file *f, uint64_t more)
{
	__atomic_fetch_add(&f->counts, more, __ATOMIC_RELAXED);
	return f;
}

static void uncount(struct file *f, uint64_t less)
{
	if (!f || __atomic_sub_fetch(&f->counts, less, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_lock(&all.lock);
	list_del(&f->link);
	pthread_mutex_unlock(&all.lock);
	file_free(f);
}

struct file *file_ref(struct file *f)
{
	return count(f, USE);
}

void file_put(struct file *f)
{
	uncount(f, USE);
}

struct file *file_hold(struct file *f)
{
	return count(f, 1);
}

void file_drop(struct file *f)
{
	uncount(f, 1);
}

/* ---- offset and status flags ---- */

/* This process's own opening of the memfd, or -errno. */
static int own(struct file *f)
{
	int fd = __atomic_load_n(&f->own, __ATOMIC_ACQUIRE), none = -1;

	if (fd >= 0)
		return fd;
	fd = fd_open_own(f);
	if (fd < 0 || __atomic_compare_exchange_n(&f->own, &none, fd, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fd;
	close(fd); /* another thread was first */
	return none;
}

/* This thread owns the offset among the process's; now against other processes. */
static int shared_begin(struct file *f, uint64_t *pos)
{
	int fd = own(f);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			return -errno;
	if (pread(fd, pos, sizeof(*pos), offsetof(struct shared, pos)) == sizeof(*pos))
		return 0;
	flock(fd, LOCK_UN);
	return -EIO;
}

/* Let the next thread have it; f->lock is held. */
static void pos_release(struct file *f)
{
	f->pos_busy = false;
	pthread_cond_signal(&f->pos_free);
}

int file_pos_begin(struct file *f, uint64_t *pos)
{
	bool shared;
	int err = 0;

	pthread_mutex_lock(&f->lock);
	while (f->pos_busy)
		pthread_cond_wait(&f->pos_free, &f->lock);
	f->pos_busy = true;
	*pos = f->pos;
	shared = f->shared;
	pthread_mutex_unlock(&f->lock);
	if (shared)
		err = shared_begin(f, pos);
	if (err) {
		pthread_mutex_lock(&f->lock);
		pos_release(f);
		pthread_mutex_unlock(&f->lock);
	}
	return err;
}

/* The file may have become shared since file_pos_begin: then file_share has locked the memfd on our behalf. */
void file_pos_end(struct file *f, uint64_t pos)
{
	pthread_mutex_lock(&f->lock);
	if (f->shared) { /* its page is there: writing cannot fail */
		(void)!pwrite(f->own, &pos, sizeof(pos), offsetof(struct shared, pos));
		flock(f->own, LOCK_UN);
	} else {
		f->pos = pos;
	}
	pos_release(f);
	pthread_mutex_unlock(&f->lock);
}

int file_pos_get(struct file *f, uint64_t *pos)
{
	int err = file_pos_begin(f, pos);

	if (!err)
		file_pos_end(f, *pos);
	return err;
}

int file_pos_set(struct file *f, uint64_t pos)
{
	uint64_t old;
	int err = file_pos_begin(f, &old);

	if (!err)
		file_pos_end(f, pos);
	return err;
}

int file_status(struct file *f, uint32_t *flags)
{
	uint32_t status;
	int fd;

	*flags = file_flags(f);
	if (!file_is_shared(f))
		return 0;
	fd = own(f);
	if (fd < 0)
		return fd;
	if (pread(fd, &status, sizeof(status), offsetof(struct shared, flags)) != sizeof(status))
		return -EIO;
	*flags = (*flags & ~(uint32_t)FILE_STATUS_FLAGS) | (status & FILE_STATUS_FLAGS);
	return 0;
}

int file_status_set(struct file *f, uint32_t flags, uint32_t mask)
{
	uint64_t pos;
	uint32_t new;
	int err = file_pos_begin(f, &pos);

	if (!err)
		err = file_status(f, &new);
	if (err)
		return err;
	new = (new & ~mask) | (flags & mask);
	pthread_mutex_lock(&f->lock);
	if (f->shared)
		(void)!pwrite(f->own, &new, sizeof(new), offsetof(struct shared, flags));
	else
		__atomic_store_n(&f->flags, new, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&f->lock);
	file_pos_end(f, pos);
	return 0;
}

/* ---- fork ---- */

#define MEMFD_NAME "ashlar-file:"
#define MEMFD_LINK "/memfd:" MEMFD_NAME "%16" SCNx64 "%16" SCNx64 " (deleted)%n"

int file_memfd(struct cap *token)
{
	char name[sizeof(MEMFD_NAME) + 32];
	int fd;

	if (getrandom(token, sizeof(*token), 0) != sizeof(*token))
		return -errno;
	snprintf(name, sizeof(name), MEMFD_NAME "%016" PRIx64 "%016" PRIx64, token->w[0], token->w[1]);
	fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool file_memfd_token(int fd, struct cap *token)
{
	char link[32], name[128];
	ssize_t n;
	int end = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	if (n < 0)
		return false;
	name[n] = '\0';
	return sscanf(name, MEMFD_LINK, &token->w[0], &token->w[1], &end) == 2 && end == n;
}

void file_shared_elsewhere(struct file *f, const struct cap *token)
{
	f->token = *token;
	f->shared = true;
}

int file_share(struct file *f, int memfd, const struct cap *token)
{
	struct shared s = { 0 };
	int err = 0;

	pthread_mutex_lock(&f->lock);
	s.pos = f->pos;
	s.flags = f->flags;
	if (pwrite(memfd, &s, sizeof(s), 0) != sizeof(s))
		err = -ENOMEM;
	if (!err && f->pos_busy) { /* by a thread that took it for its process only */
		f->own = fd_open_again(memfd);
		err = f->own < 0 ? f->own : flock(f->own, LOCK_EX | LOCK_NB) ? -errno : 0;
	}
	if (!err) {
		f->token = *token;
		__atomic_store_n(&f->shared, true, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}

void files_lock(void)
{
	pthread_mutex_lock(&all.lock);
}

void files_unlock(void)
{
	pthread_mutex_unlock(&all.lock);
}

/* Descriptors of the parent's are closed already: their numbers may be somebody else's. */
void files_child(void)
{
	struct list *l, *next;
	struct file *f;

	pthread_mutex_init(&all.lock, NULL);
	list_for_each_safe(l, next, &all.list) {
		f = container_of(l, struct file, link);
		pthread_mutex_init(&f->lock, NULL);
		pthread_cond_init(&f->pos_free, NULL);
		f->pos_busy = false;
		f->own = -1;
		f->counts %= USE;
		if (!f->counts) {
			list_del(&f->link);
			file_free(f);
		}
	}
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
