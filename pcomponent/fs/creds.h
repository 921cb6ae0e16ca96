/*
 * Who this process is, for the storage component. Identities belong to threads; files are touched in the name of the process,
 * which is that of the thread that changed last (glibc changes all of them alike). Not thread-safe: the client's lock is held.
 */
#ifndef PCOMPONENT_FS_CREDS_H
#define PCOMPONENT_FS_CREDS_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/proto/p2s.h"

/* The process is as the calling thread is now. Is that something new? */
bool creds_look(void);
/* Is it this user and group, and nothing else? */
bool creds_plain(uint32_t uid, uint32_t gid);
/* As a message; the bytes of its tail, at *groups, which stay. */
uint32_t creds_message(struct p2s_creds_req *req, const uint32_t **groups);

/*
 * The kernel tells who connects by the effective user alone. A process that is root for a while somebody else has to show
 * that it is root: raise lets the calling thread be that while it connects, lower undoes it.
 */
struct creds_raised {
	bool raised;
	uint32_t euid, fsuid;
	int dumpable, death_signal;
	uint32_t caps[6]; /* effective, permitted, inheritable, twice */
};
void creds_raise(struct creds_raised *);
void creds_lower(const struct creds_raised *);

#endif
