/* Working directory and umask: see cwd.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/sys/sys.h"

static struct {
	pthread_mutex_t lock; /* of now, the pointer */
	struct cwd *now;
	uint32_t umask;
} cwd = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct cwd *cwd_get(void)
{
	struct cwd *c;

	pthread_mutex_lock(&cwd.lock);
	c = cwd.now;
	__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&cwd.lock);
	return c;
}

void cwd_put(struct cwd *c)
{
	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
		return;
	file_drop(c->dir);
	free(c->path);
	free(c);
}

int cwd_set(struct file *dir, const char *path)
{
	struct cwd *c = calloc(1, sizeof(*c)), *old;
	char *copy = strdup(path);

	if (!c || !copy) {
		free(c);
		free(copy);
		file_put(dir);
		return -ENOMEM;
	}
	*c = (struct cwd){ .refs = 1, .dir = dir ? file_hold(dir) : NULL, .path = copy };
	file_put(dir);
	pthread_mutex_lock(&cwd.lock);
	old = cwd.now;
	cwd.now = c;
	pthread_mutex_unlock(&cwd.lock);
	cwd_put(old);
	return 0;
}

long cwd_enter_here(void)
{
	struct cwd *c = cwd_get();
	long err = host1(SYS_chdir, c->path);

	cwd_put(c);
	return err;
}

uint32_t umask_get(void)
{
	return __atomic_load_n(&cwd.umask, __ATOMIC_RELAXED);
}

void umask_set(uint32_t mask)
{
	__atomic_store_n(&cwd.umask, mask, __ATOMIC_RELAXED);
}

void cwd_lock(void)
{
	pthread_mutex_lock(&cwd.lock);
}

void cwd_unlock(void)
{
	pthread_mutex_unlock(&cwd.lock);
}

/* An older one that another thread was just using stays as it is, for nobody. */
void cwd_child(void)
{
	pthread_mutex_init(&cwd.lock, NULL);
	cwd.now->refs = 1;
}
