/*
 * scomponent: the storage monitor. A file server over one directory tree of the machine's file system (the export),
 * for processes that the gmm admitted. As root it acts for every user in that user's name (identity.h), as anyone else for
 * its own user only.
 *
 * Everything runs on the loop's thread, or while that waits, and file system calls are made right there: a slow disk
 * delays all who use this component.
 *
 *  - scomponent_open -> scomponent_accepted for each connection, scomponent_admit/_revoke as the gmm says -> _close
 */
#ifndef SCOMPONENT_SCOMPONENT_H
#define SCOMPONENT_SCOMPONENT_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/net.h"
#include "ashlar/rpc.h"

struct loop;
struct scomponent;

struct scomponent_config {
	const char *root; /* directory to export */
	bool readonly;
};

struct scomponent_usage {
	uint64_t processes; /* admitted */
	uint64_t clients;   /* connections that proved who they are */
	uint64_t handles;   /* open files */
	uint64_t refused;   /* requests without or with another's rights */
};

/* counters: of the component's connections, owned by the caller. 0 or -errno (logged). Sets the process's umask to 0. */
int scomponent_open(struct loop *, struct net *, struct rpc_counters *counters, const struct scomponent_config *,
		    struct scomponent **out);
/* Closes all connections and files. */
void scomponent_close(struct scomponent *);

/* A connection to our listener; taken over. */
void scomponent_accepted(struct scomponent *, struct net_conn *);

/* 0; -EEXIST; -EPERM: of another user; -ENOMEM. */
int scomponent_admit(struct scomponent *, const struct g2x_admit_req *);
/* Close the connections and files of pid, refuse it from now on. Unknown pids are harmless. */
void scomponent_revoke(struct scomponent *, uint32_t pid);
/* The gmm is gone: who it admitted may be revoked by nobody, and is forgotten once it has no connection for a while. */
void scomponent_gmm_lost(struct scomponent *);

void scomponent_usage(const struct scomponent *, struct scomponent_usage *);
/* Bytes of the file system below the export, and of these used. */
void scomponent_space(const struct scomponent *, uint64_t *bytes, uint64_t *used_bytes);

#endif
