/*
 * Insides of the memory monitor. Who owns what:
 *   struct mcomponent  -> its trees and its peers (connections)
 *   struct mtree       -> what the gmm admitted: the account of frames, its members, the domain that keeps shared slabs
 *   struct mmember     -> a process of a tree: its protection domain, its holdings, its page map
 *   struct holding     -> a member's share of a slab: its region and keys, which pages lie in the frames
 *   struct slab        -> the frames, as long as somebody holds it
 * A peer points to the tree and the member that it is bound to, those to their peers; whichever goes first clears both.
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

#define TREE_SLABS_MAX 8192u	       /* a slab costs a descriptor: no tree may take them all */
#define SLAB_KEYS_MAX 8u	       /* keys of one slab for one member: a reply may get lost */
#define ENDED_KEPT 64u		       /* members that are over and remembered as such */
#define RELEASE_FRAMES_PER_TURN 16384u /* giving memory back takes time: so much at once, then others have a turn */
#define ORPHAN_MS 10000u	       /* admitted, never seen, and the gmm lost: forgotten after this */
#define VPN_LIMIT (1ULL << 36)	       /* virtual page numbers are below */
#define CHUNK_PAGES 64u		       /* a page map is shared after a fork, and copied, by so many pages */
#define SLAB_FRAME_BITS 16	       /* of a map entry: index of the frame in its slab */
#define SLAB_ID_LIMIT (1ULL << (64 - SLAB_FRAME_BITS))

_Static_assert(SLAB_FRAMES_MAX <= 1u << SLAB_FRAME_BITS, "a map entry can name every frame of a slab");

struct mcomponent {
	struct loop *loop;
	struct net *net;
	void (*changed)(void *arg);
	void *changed_arg;
	struct frames frames;
	struct list trees, dying; /* dying: members whose slabs go back */
	struct peers peers;
	struct loop_timer release, orphans;
	uint64_t orphan_ns; /* trees admitted before this, and never seen, are forgotten */
	uint64_t slab_next, refused, seed;
	uint32_t n_trees;
};

enum peer_role { PEER_UNKNOWN, PEER_DISPATCHER, PEER_GUARD };

/* A connection. */
struct peer {
	struct peer_base base;
	struct mcomponent *m;
	struct mtree *tree;	/* bound by P2M_HELLO or P2M_GUARD */
	struct mmember *member; /* a dispatcher's */
	enum peer_role role;
};

struct mtree {
	struct list link;
	struct mcomponent *m;
	uint32_t pid, weight;
	struct cap cap;
	struct account account; /* frames: promised, granted */
	uint64_t books;		/* bytes of our own memory that its members make us use */
	uint64_t admitted_ns;
	struct peer *guard;
	struct list members;
	uint32_t n_members, n_connected, n_dying;
	uint32_t ended[ENDED_KEPT], n_ended; /* numbers of members that are over: a ring */
	struct net_pd *home;		     /* shared slabs are kept in it; no key of it is ever granted */
	uint32_t n_slabs;
	uint64_t requests, refused;
	bool told_full; /* the log has its line about exhaustion */
	bool over;	/* in no list: freed with its last member */
};

struct mmember {
	struct list link; /* of the tree, or of those that are dying */
	struct mtree *tree;
	uint32_t number;
	struct peer *dispatcher;
	struct net_pd *pd; /* NULL until it has said hello */
	struct list holdings;
	struct table holding_by_id; /* slab id -> struct holding * */
	struct table page_map;	    /* vpn / CHUNK_PAGES -> struct chunk * */
	uint64_t mapped, frames;
	uint32_t n_slabs, n_sealed;
};

struct slab {
	uint64_t id;
	uint32_t frames, sharers;
	bool sealed;
	struct net_mr *home; /* from the first fork on: in the tree's domain */
};

/* Which pages lie in the frames of a slab: frame -> vpn + 1, 0: none. Copied by whoever changes it and is not alone. */
struct pages {
	uint32_t refs;
	uint64_t of[];
};

struct holding {
	struct list link;
	struct slab *slab;
	struct pages *pages;
	struct net_mr *mr; /* in the member's domain; NULL: shared by a fork, and no key was asked for */
	uint32_t keys;	   /* granted */
};

/* tree.c */
struct mtree *mtree_find(struct mcomponent *, uint32_t pid);
/* Forget the tree: it is refused from now on; its frames come back over the next turns. */
uint64_t mtree_release(struct mtree *);
void mtree_release_all(struct mcomponent *);
void mtree_put(struct mtree *); /* free it if it is over and has no members left */
/* Our own memory, on a tree's account: zeroed, or NULL; back; room in a table (-ENOMEM), and its end. */
void *mtree_calloc(struct mtree *, uint64_t bytes);
void mtree_free(struct mtree *, void *, uint64_t bytes);
int mtree_table(struct mtree *, struct table *, uint64_t more);
void mtree_table_free(struct mtree *, struct table *);

/* member.c */
struct mmember *mmember_find(const struct mtree *, uint32_t number);
/* Numbers of members that are over, the latest ones. */
bool mmember_ended(const struct mtree *, uint32_t number);
void mmember_remember(struct mtree *, uint32_t number);
/* -EAGAIN: the tree has MEMBERS_MAX; -ENOMEM. */
int mmember_new(struct mtree *, uint32_t number, struct mmember **out);
/* The first hello, and the end of a connection. 0 or -errno of the protection domain. */
int mmember_bind(struct mmember *, struct peer *);
/* A new member that holds all of the parent's slabs as well; they are sealed, also when it fails. -errno: there is none. */
int mmember_fork(struct mmember *parent, uint32_t number, struct mmember **out);
/* It is refused from now on, its connection closed; its frames come back over the next turns. */
void mmember_end(struct mmember *);
/* Give back up to so many frames of a dying member; it is freed with the last, and its tree with it when that is over. */
void mmember_shrink(struct mmember *, uint64_t frames);

/* slab.c */
int mslab_get(struct mmember *, uint32_t frames, struct net_key *key, struct holding **out);
struct holding *mslab_find(const struct mmember *, uint64_t id);
int mslab_seal(struct mmember *, struct holding *);
int mslab_share(struct mmember *to, struct holding *); /* sealed, and kept in the tree's domain */
int mslab_home(struct mmember *, struct holding *);    /* keep it there */
int mslab_key(struct mmember *, struct holding *, struct net_key *key);
void mslab_put(struct mmember *, struct holding *);

/* map.c */
int mpagemap_check(const struct mmember *, const struct map_entry *, uint32_t n);
/* After mpagemap_check: cannot fail but for -ENOMEM before anything is applied. */
int mpagemap_apply(struct mmember *, const struct map_entry *, uint32_t n);
int mpagemap_clone(struct mmember *to, const struct mmember *from);
void mpagemap_drop_slab(struct mmember *, const struct holding *);
void mpagemap_free(struct mmember *);
int mpages_new(struct mtree *, uint32_t frames, struct pages **out);
void mpages_put(struct mtree *, struct pages *, uint32_t frames);

/* serve.c */
extern const struct rpc_service mcomponent_service;
void mpeer_forget(
	struct peer *); /* what it was bound to is over: close the connection of a dispatcher, keep a guard's */

#endif
