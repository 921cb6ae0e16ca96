/*
 * Insides of the memory monitor. Who owns what:
 *   struct mcomponent  -> its processes and its peers (connections)
 *   struct mprocess    -> its protection domain, slabs, page map
 *   struct slab        -> its memory region, the list of pages that lie in its frames
 * A peer points to the process that it is bound to, a process to its two peers; whichever goes first clears both.
 */
#ifndef MCOMPONENT_INTERNAL_H
#define MCOMPONENT_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/list.h"
#include "ashlar/base/loop.h"
#include "component/peers.h"
#include "mcomponent/frames.h"
#include "mcomponent/mcomponent.h"
#include "mcomponent/table.h"

#define PROCESS_SLABS_MAX 8192u	       /* a slab costs a descriptor: no process may take them all */
#define RELEASE_FRAMES_PER_TURN 16384u /* giving memory back takes time: so much at once, then others have a turn */
#define ORPHAN_MS 10000u	       /* admitted, never seen, and the gmm lost: forgotten after this */
#define VPN_LIMIT (1ULL << 36)	       /* virtual page numbers are below */
#define SLAB_FRAME_BITS 16	       /* of a map entry: index of the frame in its slab */
#define SLAB_ID_LIMIT (1ULL << (64 - SLAB_FRAME_BITS))

_Static_assert(SLAB_FRAMES_MAX <= 1u << SLAB_FRAME_BITS, "a map entry can name every frame of a slab");

struct mcomponent {
	struct loop *loop;
	struct net *net;
	void (*changed)(void *arg);
	void *changed_arg;
	struct frames frames;
	struct list processes, dying;
	struct peers peers;
	struct loop_timer release, orphans;
	uint64_t orphan_ns; /* processes admitted before this, and never seen, are forgotten */
	uint64_t slab_next, refused, seed;
	uint32_t n_processes;
};

enum peer_role { PEER_UNKNOWN, PEER_DISPATCHER, PEER_GUARD };

/* A connection. */
struct peer {
	struct peer_base base;
	struct mcomponent *m;
	struct mprocess *process; /* bound by P2M_HELLO or P2M_GUARD */
	enum peer_role role;
};

struct mprocess {
	struct list link;
	struct mcomponent *m;
	uint32_t pid, weight;
	struct cap cap;
	struct account account; /* frames: promised, granted */
	uint64_t admitted_ns;
	struct peer *dispatcher, *guard;
	struct net_pd *pd;
	struct list slabs;
	struct table slab_by_id; /* id -> struct slab * */
	struct table page_map;	 /* vpn -> slab id << 16 | frame */
	uint32_t n_slabs, n_sealed;
	uint64_t requests, refused;
	bool told_full; /* the log has its line about exhaustion */
};

struct slab {
	struct list link;
	uint64_t id;
	uint32_t frames;
	bool sealed;
	struct net_mr *mr;
	uint64_t page_of[]; /* frame -> vpn + 1 of the page whose copy lies there, 0: none */
};

/* process.c */
struct mprocess *mprocess_find(struct mcomponent *, uint32_t pid);
/* Forget the process: it is refused from now on; its frames come back at once or over the next turns. */
uint64_t mprocess_release(struct mprocess *);
void mprocess_release_all(struct mcomponent *);

/* slab.c */
int mslab_get(struct mprocess *, struct peer *to, uint32_t frames, struct net_key *key, struct slab **out);
struct slab *mslab_find(const struct mprocess *, uint64_t id);
int mslab_seal(struct mprocess *, struct slab *);
void mslab_put(struct mprocess *, struct slab *);

/* map.c */
int mpagemap_check(const struct mprocess *, const struct map_entry *, uint32_t n);
/* After mpagemap_check: cannot fail but for -ENOMEM before anything is applied. */
int mpagemap_apply(struct mprocess *, const struct map_entry *, uint32_t n);
void mpagemap_drop_slab(struct mprocess *, const struct slab *);

/* serve.c */
extern const struct rpc_service mcomponent_service;
void mpeer_forget(struct peer *); /* the process is over: close the connection of its dispatcher, keep the guard's */

#endif
