/*
 * In whose name files are touched. A storage component that runs as root serves every user: what it does for a process is
 * done with the file-system identity of that process's user, so that the host's kernel decides what may be done, and new
 * files belong to that user. Root has the supplementary groups of the component, and not its own. As anyone but root it can be nobody else, and serves its own user only.
 *
 * Identities belong to threads. The one that drives the fabric keeps its own for ever: Linux takes writes to an RDMA
 * device only with the very credentials that opened it, and to take others and then the old ones again makes new ones. So
 * work for others is done by a thread of its own, which is started when the first of them comes. The caller waits for it:
 * the two never run at the same time, and what a call may touch needs no lock.
 */
#ifndef SCOMPONENT_IDENTITY_H
#define SCOMPONENT_IDENTITY_H
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef int identity_fn(void *arg);

/* Whose; the groups are looked at during the call only. */
struct identity_of {
	uint32_t uid, gid, n_groups;
	const uint32_t *groups;
};

/* All zeros: nobody else has been served yet. */
struct identity {
	bool started; /* there is a worker */
	pthread_t worker;
	sem_t asked, done;
	gid_t *groups; /* of the component */
	int n_groups;
	/* What the worker is to do; fn NULL: to end. */
	struct identity_of who;
	identity_fn *fn;
	void *arg;
	int ret;
};

bool identity_can(uint32_t uid); /* may this component act for that user at all? */
/*
 * What fn(arg) returns, done as this user with these groups; else -errno, fn was not called (logged). fn must not use the fabric,
 * nor anything that is bound to its caller's thread.
 */
int identity_run(struct identity *, const struct identity_of *, identity_fn *fn, void *arg);
/* The end of the worker, if there is one. */
void identity_close(struct identity *);

#endif
