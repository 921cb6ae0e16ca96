/* Processor monitor (dispatcher or node daemon) to a memory component. */
#ifndef ASHLAR_PROTO_P2M_H
#define ASHLAR_PROTO_P2M_H
#include "ashlar/net.h"
#include "ashlar/proto/wire.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* The dispatcher proves who it is; before it every other request gets -EACCES. This connection's end is the process's. */
struct p2m_hello_req {
	struct cap cap;
	uint32_t pid;
	uint32_t reserved0;
};
struct p2m_hello_rep {
	uint64_t quota_bytes;
	uint32_t slab_frames_max;
	uint32_t reserved0;
};

/* The node daemon stands by a process: when this connection closes the process is over as well. */
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

/* What this component holds for the process; the counters are also what tests read. */
struct p2m_stat_req {
	uint64_t reserved0;
};
struct p2m_stat_rep {
	uint64_t slabs, sealed_slabs, frames, mapped_pages, requests, refused;
};

#pragma GCC diagnostic pop
#endif
