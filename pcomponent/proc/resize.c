/* The resizer thread (resize.h). */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/resize.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/vm.h"

#define RESIZE_STACK_BYTES (128UL << 10)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool begun, asked, done, thread;
	uint64_t budget;
	int err, fd;
	bool core_asked, core_done, read_asked;
	int core_fd;
	struct core_result core;
	struct thread self; /* for the layout lock and its port; it runs no program code and takes no signal */
} resizer = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* One change of the budget at a time, and none while the process forks. */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

void resize_block(void)
{
	pthread_mutex_lock(&changing);
}

void resize_unblock(void)
{
	pthread_mutex_unlock(&changing);
}

/* A batch at a time under the lock, so that a change of the layout waits for no more than that. */
static int fit(struct thread *t)
{
	int r = 1;

	while (r > 0) {
		vm_lock_shared(t);
		r = vm_port(t);
		if (!r)
			r = excache_fit(t->port);
		vm_unlock_shared(t);
	}
	return r;
}

/*
 * More is usable once all is told of it; less is asked of the ExCache first, so that nothing new comes in meanwhile. When
 * it cannot be had (the rack's memory is full), all is as before.
 */
int resize_to(struct thread *t, uint64_t bytes)
{
	uint64_t old = excache_budget();
	int err;

	excache_budget_set(bytes);
	err = vm_budget_set(bytes);
	if (!err)
		err = fit(t);
	if (!err)
		return 0;
	excache_budget_set(old);
	(void)vm_budget_set(old);
	return err;
}

/* Both under the lock, which they give up while they are at work. */
static void resize_once(struct thread *t)
{
	uint64_t budget = resizer.budget;
	int err;

	pthread_mutex_unlock(&resizer.lock);
	resize_block();
	err = resize_to(t, budget);
	resize_unblock();
	pthread_mutex_lock(&resizer.lock);
	resizer.asked = false;
	resizer.done = true;
	resizer.err = err;
}

static void core_once(struct thread *t)
{
	struct core_result r;

	pthread_mutex_unlock(&resizer.lock);
	core_write(t, resizer.core_fd, &r);
	pthread_mutex_lock(&resizer.lock);
	resizer.core_asked = false;
	resizer.core_done = true;
	resizer.core = r;
}

static void read_once(struct thread *t)
{
	pthread_mutex_unlock(&resizer.lock);
	vm_read_files(t);
	pthread_mutex_lock(&resizer.lock);
	resizer.read_asked = false;
}

static void *resize_main(void *arg)
{
	struct thread *t = &resizer.self;
	uint64_t one = 1;

	(void)arg;
	/* thread_self() is the first thread's until now. */
	__asm__ volatile("wrgsbase %0" ::"r"(t));
	fs_never_wait();
	pthread_mutex_lock(&resizer.lock);
	for (;;) {
		while (!resizer.begun || (!resizer.asked && !resizer.core_asked && !resizer.read_asked))
			pthread_cond_wait(&resizer.wake, &resizer.lock);
		if (!resizer.asked && !resizer.core_asked) {
			read_once(t);
			continue;
		}
		if (resizer.asked)
			resize_once(t);
		else
			core_once(t);
		if (write(resizer.fd, &one, sizeof(one)) < 0)
			return NULL; /* cannot be: the counter is far from full */
	}
}

int resize_open(void)
{
	resizer.fd = proc_fd_raise(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	return resizer.fd < 0 ? resizer.fd : 0;
}

/* At the first change: most processes never have one. Under the lock. */
static int thread_begin(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t id;
	int err;

	resizer.self.self = &resizer.self; /* thread_self() */
	vm_lock_helper(&resizer.self);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RESIZE_STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* Else one of the dispatcher's own that is sent to the process might be given to it, which has no trap stack. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&id, &attr, resize_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

void resize_forked(void)
{
	pthread_mutex_init(&changing, NULL);
	memset(&resizer, 0, sizeof(resizer));
	pthread_mutex_init(&resizer.lock, NULL);
	pthread_cond_init(&resizer.wake, NULL);
}

int resize_fd(void)
{
	return resizer.fd;
}

/* Something is to be done: by the thread, which begins with the first such thing. 0, or why there is none. Under the lock. */
static int asked(void)
{
	int err = resizer.thread ? 0 : thread_begin();

	resizer.thread |= !err;
	pthread_cond_signal(&resizer.wake);
	return err;
}

/* Nobody is there to do it: so it is through. */
static void failed(void)
{
	uint64_t one = 1;

	(void)!write(resizer.fd, &one, sizeof(one));
}

void resize_ask(uint64_t budget_bytes)
{
	pthread_mutex_lock(&resizer.lock);
	resizer.budget = budget_bytes;
	resizer.err = asked();
	resizer.asked = !resizer.err;
	resizer.done = resizer.err != 0;
	if (resizer.err)
		failed();
	pthread_mutex_unlock(&resizer.lock);
}

void resize_begin(void)
{
	pthread_mutex_lock(&resizer.lock);
	resizer.begun = true;
	pthread_cond_signal(&resizer.wake);
	pthread_mutex_unlock(&resizer.lock);
}

void resize_core_ask(int fd)
{
	pthread_mutex_lock(&resizer.lock);
	resizer.core_fd = fd;
	resizer.core = (struct core_result){ .err = asked() };
	resizer.core_asked = !resizer.core.err;
	resizer.core_done = resizer.core.err != 0;
	if (resizer.core.err)
		failed();
	pthread_mutex_unlock(&resizer.lock);
}

void resize_read_ask(void)
{
	pthread_mutex_lock(&resizer.lock);
	resizer.read_asked = !asked();
	pthread_mutex_unlock(&resizer.lock);
}

static void fd_quiet(void)
{
	uint64_t count;

	while (read(resizer.fd, &count, sizeof(count)) > 0)
		;
}

bool resize_done(int *err)
{
	bool done;

	pthread_mutex_lock(&resizer.lock);
	fd_quiet();
	done = resizer.done;
	resizer.done = false;
	*err = resizer.err;
	pthread_mutex_unlock(&resizer.lock);
	return done;
}

bool resize_core_done(struct core_result *r)
{
	bool done;

	pthread_mutex_lock(&resizer.lock);
	fd_quiet();
	done = resizer.core_done;
	resizer.core_done = false;
	*r = resizer.core;
	pthread_mutex_unlock(&resizer.lock);
	return done;
}
