/*
 * The service thread: a thread of the dispatcher's own. It sleeps in poll(2) on the fabric's connections and acts when
 * one hangs up: a memory component's transfers fail from then on, the node daemon's end is the end of the process. Where the
 * fabric's descriptors do not show a hang-up (verbs) it finds that by a look, once a second. It
 * owns the connection to the node daemon: it tells it how much memory the process uses, and takes its changes of the
 * budget, which the resizer (proc/resize.h) carries out. Once a second it sees whether the storage component is still the
 * one that knows of the process's locks on files. It never touches program memory and takes no signal.
 */
#ifndef PCOMPONENT_PROC_SERVICE_H
#define PCOMPONENT_PROC_SERVICE_H
#include <stdint.h>
#include "ashlar/proto/lists.h"

struct net;
struct rpc;
struct rpc_answer;

/*
 * daemon: the connection to the node daemon, the thread's from now on; name: of the processor component. hello: the answer to
 * our D2P_HELLO, which may not have come yet: join_refused is called when it is an error; NULL: it was waited for. 0 or
 * -errno.
 */
int service_open(struct net *net, struct rpc *daemon, uint32_t pid, const char *daemon_name,
		 const struct rpc_answer *hello);
/* For the ExCache: tell the user of a lost memory component, unless the node daemon's end is what lies behind it. */
void service_memory_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* In the child of a fork, first of all: the parent's connections are not ours to watch. */
void service_forked(void);
/* For the ExCache: there are more connections to watch than there were. Any thread. */
void service_watch_again(void);
/* A request of a program thread's own to the node daemon, which takes our hello first: 0, or -errno as rpc_call_sync. */
long service_call(enum msg_id, const void *req, void *rep, void *rep_tail, uint32_t *rep_tail_bytes);

#endif
