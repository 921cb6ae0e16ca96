/* In whose name files are touched: see identity.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "scomponent/identity.h"

bool identity_can(uint32_t uid)
{
	return geteuid() == 0 || uid == geteuid();
}

/* This thread only: hence the raw call. */
static int groups_take(const struct identity *id, bool own)
{
	return (int)syscall(SYS_setgroups, own ? (size_t)id->n_groups : 0, own ? id->groups : NULL);
}

static int identity_take(const struct identity *id)
{
	setfsuid(0);
	if (groups_take(id, id->uid == 0))
		return -errno;
	setfsgid(id->gid);
	setfsuid(id->uid);
	if ((uint32_t)setfsuid((uid_t)-1) != id->uid || (uint32_t)setfsgid((gid_t)-1) != id->gid)
		return -EPERM;
	return 0;
}

static void semaphore_wait(sem_t *sem)
{
	while (sem_wait(sem)) /* EINTR */
		;
}

static void *worker_main(void *arg)
{
	struct identity *id = arg;
	uint32_t uid = 0, gid = 0; /* whose identity it has, when `known` */
	bool known = false;

	for (;;) {
		semaphore_wait(&id->asked);
		if (!id->fn)
			return NULL;
		id->ret = known && id->uid == uid && id->gid == gid ? 0 : identity_take(id);
		known = !id->ret;
		uid = id->uid;
		gid = id->gid;
		if (known)
			id->ret = id->fn(id->arg);
		else
			log_error("cannot act for user %u, group %u: %s", uid, gid, strerror(-id->ret));
		sem_post(&id->done);
	}
}

static int groups_look(struct identity *id)
{
	int n = getgroups(0, NULL);

	id->groups = n < 0 ? NULL : calloc((size_t)n + 1, sizeof(*id->groups));
	if (!id->groups)
		return -ENOMEM;
	id->n_groups = getgroups(n, id->groups);
	return 0;
}

/* Signals are the other thread's. */
static int worker_start(struct identity *id)
{
	sigset_t all, old;
	int err = groups_look(id);

	if (err)
		return err;
	sem_init(&id->asked, 0, 0);
	sem_init(&id->done, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&id->worker, NULL, worker_main, id);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	id->started = !err;
	if (err) {
		log_error("no thread for the files of other users: %s", strerror(err));
		free(id->groups);
	}
	return -err;
}

int identity_run(struct identity *id, uint32_t uid, uint32_t gid, identity_fn *fn, void *arg)
{
	int err;

	if (geteuid() != 0 || (uid == 0 && gid == getegid()))
		return fn(arg);
	err = id->started ? 0 : worker_start(id);
	if (err)
		return err;
	id->uid = uid;
	id->gid = gid;
	id->fn = fn;
	id->arg = arg;
	sem_post(&id->asked);
	semaphore_wait(&id->done);
	return id->ret;
}

void identity_close(struct identity *id)
{
	if (!id->started)
		return;
	id->fn = NULL;
	sem_post(&id->asked);
	pthread_join(id->worker, NULL);
	sem_destroy(&id->asked);
	sem_destroy(&id->done);
	free(id->groups);
	id->started = false;
}
