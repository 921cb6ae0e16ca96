/* What the storage monitor knows; for the files of scomponent/ only. */
#ifndef SCOMPONENT_STATE_H
#define SCOMPONENT_STATE_H
#include <limits.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/list.h"
#include "ashlar/base/loop.h"
#include "component/peers.h"
#include "scomponent/creds.h"
#include "scomponent/handles.h"
#include "scomponent/identity.h"
#include "scomponent/locks.h"
#include "scomponent/members.h"
#include "scomponent/passed.h"
#include "scomponent/scomponent.h"

struct scomponent {
	struct loop *loop;
	struct net *net;
	struct net_pd *pd;
	struct net_mr *io; /* file data on its way; one request at a time uses it */
	int root;	   /* O_PATH descriptor of the export's root */
	char root_path[PATH_MAX];
	size_t root_len; /* 0 where the export is the machine's / */
	bool readonly;
	struct identity identity;
	uint64_t handles, refused;
	struct list processes;
	struct peers clients;
	struct locks locks;
	struct texts texts;
	struct loop_timer orphans;
	uint64_t lost_ns; /* who was admitted before this is an orphan: the gmm has gone since */
};

/* A tree of processes that may come. It stays until the gmm revokes it. */
struct process {
	struct list link;
	struct cap cap;
	uint32_t pid, uid, gid, weight;
	uint32_t handles; /* of all its connections, and set aside */
	uint32_t clients; /* connections that proved to be its, the guard's among them */
	uint32_t locks;	  /* ranges that they have locked */
	uint32_t waiting; /* members for which files are set aside */
	struct list members;
	struct list passed;   /* struct passed: open files that have a token */
	uint32_t passing;     /* of these, on their way */
	struct client *guard; /* NULL: none now */
	struct scomponent *s;
	uint64_t admitted_ns, idle_ns; /* idle: since when it has no connection */
};

/* A connection: of a dispatcher, whose files end with it, or of the node daemon that stands by a tree. */
struct client {
	struct peer_base base;
	struct scomponent *s;
	struct process *process; /* NULL before P2S_HELLO, and of a guard */
	struct process *guarded; /* set by P2S_GUARD */
	struct member *member;	 /* set with process */
	struct creds creds;	 /* in whose name its files are touched; set with process */
	struct handles files;
	struct net_data *data;
	struct net_remote *buffer; /* the dispatcher's; NULL before P2S_BUFFER */
	uint64_t buffer_bytes;
};

extern const struct rpc_service client_service;

/* NULL: not admitted. */
struct process *process_find(struct scomponent *, uint32_t pid);
/* End a connection and all that it had open. */
void client_close(struct client *);
/* May it have one file more open? 0 or -ENFILE. */
int client_room(const struct client *);
/* Count files that it, or its tree, has more; a negative number: less. */
void handles_count(struct process *, int64_t more);

#define ORPHAN_MS 10000u	    /* an orphan without a connection is forgotten after this */
#define TRANSFER_MS 5000u	    /* a one-sided transfer of ours is given up after this */
#define IO_BUFFER_MAX (64ull << 20) /* bytes of the io buffer that a process may grant */

/*
 * The client of a request that may be served: it proved who it is, and the header names its own process. NULL: answer
 * -EACCES (counted).
 */
struct client *client_of(struct rpc_request *);
/*
 * Do what touches files in the name of its user (identity_run): the one for files, or for CREDS_REAL the real one. Not for
 * what only uses a file that is open: Linux asked for the user's rights when it was opened.
 */
int client_run(struct client *, enum creds_which, identity_fn *fn, void *arg);

int serve_guard(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_fork(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_lock(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_creds(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_pass(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_take(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_left(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_hello(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_buffer(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_usage(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_open(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_exec(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_close(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_path(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_resolve(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_read(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_write(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_getdents(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_seek(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_flock(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_sync(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_fallocate(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_stat(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_statfs(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_access(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_readlink(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_unlink(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_mkdir(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_rename(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_link(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_symlink(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_truncate(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_chmod(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_chown(struct rpc_request *, const void *, const void *, uint32_t, void *);
int serve_utimens(struct rpc_request *, const void *, const void *, uint32_t, void *);

#endif
