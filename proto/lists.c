/* The message lists at run time: rows by id and by index, their hash, names of kinds. */
#include <stddef.h>
#include "ashlar/proto/lists.h"

static const struct msg_info rows[MSG_COUNT] = {
#define MSG(name, id, pfx, req, rep, req_tail, rep_tail, cls) \
	[IDX_##name] = { id, IDX_##name, #name, req, rep, req_tail, rep_tail, NET_##cls },
#include "ashlar/proto/msgs.def"
#undef MSG
};

const struct msg_info *msg_info(uint16_t id)
{
	switch (id) {
#define MSG(name, id, pfx, req, rep, req_tail, rep_tail, cls) \
	case id:                                              \
		return &rows[IDX_##name];
#include "ashlar/proto/msgs.def"
#undef MSG
	}
	return NULL;
}

const struct msg_info *msg_info_at(unsigned index)
{
	return index < MSG_COUNT ? &rows[index] : NULL;
}

static uint64_t fnv_byte(uint64_t h, uint8_t b)
{
	return (h ^ b) * 0x100000001b3ULL;
}

static uint64_t fnv_u32(uint64_t h, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		h = fnv_byte(h, (uint8_t)(v >> (8 * i)));
	return h;
}

uint64_t msg_lists_hash(void)
{
	uint64_t h = fnv_u32(0xcbf29ce484222325ULL, WIRE_VERSION);

	for (unsigned i = 0; i < MSG_COUNT; i++) {
		const struct msg_info *m = &rows[i];

		for (const char *c = m->name; *c; c++)
			h = fnv_byte(h, (uint8_t)*c);
		h = fnv_u32(h, m->id);
		h = fnv_u32(h, m->req_bytes);
		h = fnv_u32(h, m->rep_bytes);
		h = fnv_u32(h, m->req_tail_max);
		h = fnv_u32(h, m->rep_tail_max);
		h = fnv_u32(h, (uint32_t)m->class);
	}
	return h;
}

const char *kind_name(uint32_t kind)
{
	static const char *const names[KIND_MAX] = {
		[KIND_NONE] = "none",	    [KIND_GMM] = "gmm",		[KIND_PROCESSOR] = "processor",
		[KIND_MEMORY] = "memory",   [KIND_STORAGE] = "storage", [KIND_DISPATCHER] = "dispatcher",
		[KIND_COMMAND] = "command",
	};

	return kind < KIND_MAX ? names[kind] : "unknown";
}
