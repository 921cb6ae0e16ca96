/* Message printer for traces and for the words in which a malformed message is refused. */
#include <stdio.h>
#include <string.h>
#include "ashlar/proto/lists.h"

char *msg_format(const void *msg, size_t len, char *buf, size_t size)
{
	const struct msg_info *m;
	struct wire_hdr h;
	const char *name;
	char unknown[16];

	if (len < sizeof(h)) {
		snprintf(buf, size, "%zu bytes, no header", len);
		return buf;
	}
	memcpy(&h, msg, sizeof(h));
	m = msg_info(h.msg);
	snprintf(unknown, sizeof(unknown), "0x%04x", h.msg);
	name = h.msg == MSG_HELLO ? "HELLO" : m ? m->name : unknown;
	snprintf(buf, size, "%s %s id=%llu err=%d pid=%u tid=%u body=%u tail=%u", name,
		 h.flags & WIRE_REPLY ? "reply" : "request", (unsigned long long)h.req_id, h.err, h.pid, h.tid,
		 h.body_bytes, h.tail_bytes);
	return buf;
}
