/*
 * All message lists together. From MSG() come ids, names, sizes (asserted), length checks, counters, dispatch tables and
 * the table in docs/protocol.md. To add a message: a struct pair in its edge's header, a line in its .def, a handler.
 */
#ifndef ASHLAR_PROTO_LISTS_H
#define ASHLAR_PROTO_LISTS_H
#include <stddef.h>
#include "ashlar/net.h"
#include "ashlar/proto/d2p.h"
#include "ashlar/proto/g2x.h"
#include "ashlar/proto/p2m.h"
#include "ashlar/proto/p2s.h"
#include "ashlar/proto/x2g.h"

enum msg_id {
	MSG_HELLO = 0x0001, /* struct hello_req; no reply: each side sends one */
#define MSG(name, id, pfx, req, rep, req_tail, rep_tail, cls) name = id,
#include "ashlar/proto/msgs.def"
#undef MSG
};

#define MSG(name, id, pfx, req, rep, req_tail, rep_tail, cls)                                  \
	_Static_assert(sizeof(struct pfx##_req) == (req) && sizeof(struct pfx##_rep) == (rep), \
		       #name ": size in the list");                                            \
	_Static_assert((req) % 8 == 0 && (rep) % 8 == 0, #name ": tails stay aligned");        \
	_Static_assert((req_tail) <= MSG_TAIL_MAX && (rep_tail) <= MSG_TAIL_MAX, #name ": tail");
#include "ashlar/proto/msgs.def"
#undef MSG

/* A row of the lists, at run time. */
struct msg_info {
	uint16_t id;
	uint16_t index; /* dense, for counters and tables: 0 .. MSG_COUNT-1 */
	const char *name;
	uint32_t req_bytes, rep_bytes, req_tail_max, rep_tail_max;
	enum net_class class; /* of the request and its reply */
};
enum msg_index {
#define MSG(name, id, pfx, req, rep, req_tail, rep_tail, cls) IDX_##name,
#include "ashlar/proto/msgs.def"
#undef MSG
	MSG_COUNT
};

/* Row of an id that came over the wire; NULL: unknown. */
const struct msg_info *msg_info(uint16_t id);
const struct msg_info *msg_info_at(unsigned index);

/*
 * FNV-1a over every row (names, ids, sizes, classes) and WIRE_VERSION: equal on both sides, or the peers do not speak. It
 * does not see the fields of a struct: who moves or reuses one without changing a size must change a name in the row, or
 * WIRE_VERSION.
 */
uint64_t msg_lists_hash(void);

const char *kind_name(uint32_t kind);

/* One line that says what a message of len bytes (of any origin) is, cut to size bytes; returns buf. */
#define MSG_FORMAT_BYTES 128
char *msg_format(const void *msg, size_t len, char *buf, size_t size);

#endif
