/* In whose name files are touched: see identity.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "ashlar/base/log.h"
#include "scomponent/identity.h"

bool identity_can(uint32_t uid)
{
	return geteuid() == 0 || uid == geteuid();
}

/* Who the worker is, when `known`. */
struct taken {
	bool known;
	uint32_t uid, gid, n_groups;
	uint32_t groups[CREDS_GROUPS_MAX];
};

/* This thread only: hence the raw calls. */
static int groups_take(const struct identity *id)
{
	bool own = id->who.uid == 0;

	return (int)syscall(SYS_setgroups, own ? (size_t)id->n_groups : id->who.n_groups,
			    own ? id->groups : id->who.groups);
}

static bool taken_already(const struct taken *t, const struct identity_of *who)
{
	return t->known && t->uid == who->uid && t->gid == who->gid && t->n_groups == who->n_groups &&
	       (!t->n_groups || !memcmp(t->groups, who->groups, t->n_groups * sizeof(*t->groups)));
}

static int identity_take(const struct identity *id, struct taken *t)
{
	const struct identity_of *who = &id->who;

	t->known = false;
	setfsuid(0);
	if (groups_take(id))
		return -errno;
	setfsgid(who->gid);
	setfsuid(who->uid);
	if ((uint32_t)setfsuid((uid_t)-1) != who->uid || (uint32_t)setfsgid((gid_t)-1) != who->gid)
		return -EPERM;
	t->known = true;
	t->uid = who->uid;
	t->gid = who->gid;
	t->n_groups = who->n_groups;
	if (who->n_groups)
		memcpy(t->groups, who->groups, who->n_groups * sizeof(*t->groups));
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
	struct taken taken = { 0 };

	for (;;) {
		semaphore_wait(&id->asked);
		if (!id->fn)
			return NULL;
		id->ret = taken_already(&taken, &id->who) ? 0 : identity_take(id, &taken);
		if (!id->ret)
			id->ret = id->fn(id->arg);
		else
			log_error("cannot act for user %u, group %u: %s", id->who.uid, id->who.gid, strerror(-id->ret));
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

int identity_run(struct identity *id, const struct identity_of *who, identity_fn *fn, void *arg)
{
	int err;

	if (geteuid() != 0 || (who->uid == 0 && who->gid == getegid()))
		return fn(arg);
	if (who->n_groups > CREDS_GROUPS_MAX)
		return -EINVAL;
	err = id->started ? 0 : worker_start(id);
	if (err)
		return err;
	id->who = *who;
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
