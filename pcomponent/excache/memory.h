/*
 * Memory: the memory components of this process. Each has one message connection, shared under its lock; messages are
 * never sent on the path of a miss. A lazy one is connected to by the first who needs it. A component that is dead stays
 * dead; one that does not answer then is.
 */
#ifndef PCOMPONENT_EXCACHE_MEMORY_H
#define PCOMPONENT_EXCACHE_MEMORY_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/net.h"
#include "ashlar/proto/lists.h"
#include "pcomponent/excache/excache.h"

/* Connect to all (lazy: to none yet), prove who we are. 0, or -errno after a message; what was connected is closed. */
int memory_open(const struct excache_memory *, uint32_t n, bool lazy);
void memory_close(void);
/* Around a fork: hold all connections still. child: forget them and begin anew, all lazy; the dead stay so. 0 or -EINVAL. */
void memory_fork_lock(void);
void memory_fork_unlock(void);
int memory_fork_child(const struct excache_memory *, uint32_t n);

uint32_t memory_count(void);
const char *memory_name(uint32_t component);
uint64_t memory_quota_bytes(uint32_t component);
uint32_t memory_slab_frames_max(uint32_t component);
bool memory_dead(uint32_t component); /* thread-safe */
/* It is gone, with all frames in it: say so once, fail its transfers. Returns when it has been said. Thread-safe. why: -errno */
void memory_lost(uint32_t component, int why);
unsigned memory_fds(int *fds, unsigned max);
void memory_fd_dead(int fd);
void memory_look(void); /* take what lies unread on the connections; who has ended is lost */

/* As rpc_call_sync and rpc_post_sync, under the component's lock. */
int memory_call(uint32_t component, enum msg_id, const void *req, const void *tail, uint32_t tail_bytes,
		uint32_t deadline_ms, void *rep);
int memory_post(uint32_t component, enum msg_id, const void *req, const void *tail, uint32_t tail_bytes);

int memory_data_open(uint32_t component, enum net_class, struct net_data **out);
int memory_remote_open(uint32_t component, const struct net_key *, uint64_t bytes, struct net_remote **out);

#endif
