/*
 * What every message starts with. All integers little-endian; reserved fields are zero and checked.
 * Changed a list, or the size of a struct? Nothing to bump by hand: the hash of the lists (proto/lists.h) changes with
 * them, and peers with another hash refuse each other in words. WIRE_VERSION is raised when this header changes, or a
 * struct whose fields move or mean something else at the same size: that the hash cannot see.
 */
#ifndef ASHLAR_PROTO_WIRE_H
#define ASHLAR_PROTO_WIRE_H
#include <stdint.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/limits.h"

#define WIRE_MAGIC 0x52485341u /* "ASHR" */
#define WIRE_VERSION 4u

enum wire_flags {
	WIRE_REPLY = 1, /* else a request; every request is answered, that is how its credit comes back */
};

struct wire_hdr {
	uint32_t magic;
	uint16_t version;
	uint16_t msg; /* id from the lists */
	uint32_t flags;
	int32_t err;	     /* replies: 0 or -errno; requests: 0 */
	uint64_t req_id;     /* per connection and direction, from 1, rising by 1 for each new request */
	uint32_t pid, tid;   /* process and thread (of the rack) that this is done for; 0: none */
	uint32_t body_bytes; /* fixed part: exactly the list's size (replies with err != 0: 0) */
	uint32_t tail_bytes; /* variable part behind it, at most the list's maximum */
};
_Static_assert(sizeof(struct wire_hdr) == 40, "wire header has 40 bytes");

/* Kind of a component, also of the other ends of connections. */
enum wire_kind {
	KIND_NONE,
	KIND_GMM,
	KIND_PROCESSOR,
	KIND_MEMORY,
	KIND_STORAGE,
	KIND_DISPATCHER,
	KIND_COMMAND,
	KIND_MAX
};

/* First message in either direction on every connection; sent and checked by the RPC layer itself. */
struct hello_req {
	uint64_t lists_hash;
	uint32_t kind; /* enum wire_kind of the sender */
	uint32_t credits;
};

#endif
