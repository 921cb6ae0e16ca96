/* The resizer thread (resize.h). */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "pcomponent/excache/excache.h"
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
		r = t->port ? 0 : excache_port_open(&t->port);
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

static void *resize_main(void *arg)
{
	struct thread *t = &resizer.self;
	uint64_t one = 1, budget;
	int err;

	(void)arg;
	/* thread_self() is the first thread's until now. */
	__asm__ volatile("wrgsbase %0" ::"r"(t));
	pthread_mutex_lock(&resizer.lock);
	for (;;) {
		while (!resizer.begun || !resizer.asked)
			pthread_cond_wait(&resizer.wake, &resizer.lock);
		budget = resizer.budget;
		pthread_mutex_unlock(&resizer.lock);
		resize_block();
		err = resize_to(t, budget);
		resize_unblock();
		pthread_mutex_lock(&resizer.lock);
		resizer.asked = false;
		resizer.done = true;
		resizer.err = err;
		if (write(resizer.fd, &one, sizeof(one)) < 0)
			return NULL; /* cannot be: the counter is far from full */
	}
}

int resize_open(int fd_floor)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;

	resizer.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, fd_floor);
	err = resizer.fd < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return err;
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

static void wake(bool begun, bool asked, uint64_t budget)
{
	uint64_t one = 1;

	pthread_mutex_lock(&resizer.lock);
	resizer.begun |= begun;
	if (asked) {
		resizer.asked = true;
		resizer.budget = budget;
	}
	if (asked && !resizer.thread) {
		resizer.err = thread_begin();
		resizer.thread = !resizer.err;
		resizer.done = !resizer.thread;
	}
	if (resizer.done && !resizer.thread)
		(void)!write(resizer.fd, &one, sizeof(one));
	pthread_cond_signal(&resizer.wake);
	pthread_mutex_unlock(&resizer.lock);
}

void resize_ask(uint64_t budget_bytes)
{
	wake(false, true, budget_bytes);
}

void resize_begin(void)
{
	wake(true, false, 0);
}

bool resize_done(int *err)
{
	uint64_t count;
	bool done;

	pthread_mutex_lock(&resizer.lock);
	done = resizer.done && read(resizer.fd, &count, sizeof(count)) == sizeof(count);
	resizer.done = false;
	*err = resizer.err;
	pthread_mutex_unlock(&resizer.lock);
	return done;
}
