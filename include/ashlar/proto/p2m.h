/* Processor monitor (dispatcher or node daemon) to a memory component. */
#ifndef ASHLAR_PROTO_P2M_H
#define ASHLAR_PROTO_P2M_H
#include "ashlar/net.h"
#include "ashlar/proto/wire.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/*
 * The dispatcher proves who it is; before it every other request gets -EACCES. This connection's end is the process's.
 * pid: of the tree (the program that the gmm placed, and what that forked), member: which of its processes; the first is
 * 0. cap: the tree's for member 0, else what cap_of_member makes of it (base/cap.h).
 */
struct p2m_hello_req {
	struct cap cap;
	uint32_t pid;
	uint32_t member;
};
struct p2m_hello_rep {
	uint64_t quota_bytes;
	uint32_t slab_frames_max;
	uint32_t reserved0;
};

/* The node daemon stands by a tree: when this connection closes all of its processes are over as well. */
struct p2m_guard_req {
	struct cap cap;
	uint32_t pid;
	uint32_t reserved0;
};
struct p2m_guard_rep {
	uint64_t reserved0;
};

/* A slab of exactly `frames` frames, zeroed, open, with a key to read and write it. -ENOMEM: quota or component full. */
struct p2m_slab_get_req {
	uint32_t frames;
	uint32_t reserved0;
};
struct p2m_slab_get_rep {
	struct net_key key;
	uint64_t slab; /* id, never used twice by one memory component */
	uint32_t frames;
	uint32_t reserved0;
};

/* Close the writing key of a slab; the reading key remains. -ENOENT: not a slab of this process. Twice is 0. */
struct p2m_slab_seal_req {
	uint64_t slab;
};
struct p2m_slab_seal_rep {
	uint64_t reserved0;
};

/* Give a whole slab back. Its page map entries go with it. */
struct p2m_slab_put_req {
	uint64_t slab;
};
struct p2m_slab_put_rep {
	uint64_t reserved0;
};

/*
 * Page map, off the critical path: tail = n struct map_entry, applied in order. An entry with slab 0 clears the page.
 * Checked whole before any is applied (-ENOENT: foreign slab, -ERANGE: frame outside its slab).
 */
struct p2m_map_req {
	uint32_t n;
	uint32_t reserved0;
};
struct p2m_map_rep {
	uint64_t mapped_pages; /* entries of this process's copy now */
};
struct map_entry {
	uint64_t vpn;	     /* virtual page number, < 2^36 */
	uint64_t slab_frame; /* slab id << 16 | frame index in the slab; 0: no copy */
};

/*
 * The process is about to fork. All its slabs are sealed, and from now on the member that is named holds them as well, with
 * a copy of the page map: each gives a slab back by P2M_SLAB_PUT for itself, and the frames are free when the last has.
 * Frames count once, against the tree's quota. -EEXIST: there is such a member, or was: no number is used twice. -EAGAIN:
 * the tree has MEMBERS_MAX. -ENOMEM: what the component remembers for the tree has reached its bound (a quarter of the
 * quota). The slabs are sealed in any case but the first. The member says hello when it needs to; one that never does ends
 * by P2M_LEFT. A member that was not named by a fork here may say hello, too: it holds nothing yet.
 */
struct p2m_fork_req {
	uint32_t member;
	uint32_t reserved0;
};
struct p2m_fork_rep {
	uint64_t slabs; /* shared by it */
};

/*
 * A reading key of a sealed slab for this connection: of one that was shared by a fork. -ENOENT: not one of the process;
 * -EINVAL: it is open; -EMFILE: it was asked for too often.
 */
struct p2m_slab_key_req {
	uint64_t slab;
};
struct p2m_slab_key_rep {
	struct net_key key;
	uint32_t frames;
	uint32_t reserved0;
};

/* From the node daemon, on the guard's connection: the member is over, whether it ever came or not. Not known: 0. */
struct p2m_left_req {
	uint32_t member;
	uint32_t reserved0;
};
struct p2m_left_rep {
	uint64_t reserved0;
};

/* What this component holds for the process; the counters are also what tests read. */
struct p2m_stat_req {
	uint64_t reserved0;
};
struct p2m_stat_rep {
	uint64_t slabs, sealed_slabs, frames, mapped_pages, requests, refused;
};

#pragma GCC diagnostic pop
#endif
