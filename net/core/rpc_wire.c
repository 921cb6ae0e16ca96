/* RPC messages as bytes: building them, and checking those that come. Nothing of a message is used before its check. */
#include <errno.h>
#include <string.h>
#include "net/core/rpc_impl.h"

#define ERRNO_MAX \
	EHWPOISON /* the largest; those that Linux keeps to itself (512..) mean something else to a dispatcher */

uint32_t rpc_encode(void *buf, const struct wire_hdr *h, const void *body, const void *tail)
{
	struct wire_hdr out = *h;
	uint8_t *p = buf;

	out.magic = WIRE_MAGIC;
	out.version = WIRE_VERSION;
	memcpy(p, &out, sizeof(out));
	p += sizeof(out);
	if (h->body_bytes)
		memcpy(p, body, h->body_bytes);
	if (h->tail_bytes)
		memcpy(p + h->body_bytes, tail, h->tail_bytes);
	return (uint32_t)sizeof(out) + h->body_bytes + h->tail_bytes;
}

int rpc_hello_send(struct net_conn *conn, enum wire_kind kind)
{
	struct hello_req body = { .lists_hash = msg_lists_hash(), .kind = kind, .credits = RPC_CREDITS };
	struct wire_hdr h = { .msg = MSG_HELLO, .body_bytes = sizeof(body) };
	uint8_t buf[sizeof(h) + sizeof(body)];

	return net_send(conn, buf, rpc_encode(buf, &h, &body, NULL));
}

static const char *header_check(const void *buf, size_t len, struct wire_hdr *h)
{
	if (len < sizeof(*h))
		return "shorter than a header";
	memcpy(h, buf, sizeof(*h));
	if (h->magic != WIRE_MAGIC)
		return "no magic";
	if (h->version != WIRE_VERSION)
		return "another protocol version";
	return NULL;
}

static const char *reply_check(const struct wire_hdr *h, const struct msg_info *info)
{
	if (h->err > 0 || h->err < -ERRNO_MAX)
		return "not an error number";
	if (h->err)
		return h->body_bytes || h->tail_bytes ? "error with a body" : NULL;
	if (h->body_bytes != info->rep_bytes)
		return "size of the reply";
	return h->tail_bytes > info->rep_tail_max ? "tail too long" : NULL;
}

static const char *request_check(const struct wire_hdr *h, const struct msg_info *info)
{
	if (h->err)
		return "request with an error";
	if (h->body_bytes != info->req_bytes)
		return "size of the request";
	return h->tail_bytes > info->req_tail_max ? "tail too long" : NULL;
}

const char *rpc_msg_check(const void *buf, size_t len, struct rpc_msg *m)
{
	const char *wrong = header_check(buf, len, &m->h);

	if (wrong)
		return wrong;
	if (m->h.flags & ~(uint32_t)WIRE_REPLY)
		return "reserved flags";
	m->info = msg_info(m->h.msg);
	if (!m->info)
		return "unknown message";
	if (!m->h.req_id)
		return "request id 0";
	wrong = m->h.flags & WIRE_REPLY ? reply_check(&m->h, m->info) : request_check(&m->h, m->info);
	if (wrong)
		return wrong;
	if (len != sizeof(m->h) + m->h.body_bytes + m->h.tail_bytes)
		return "length";
	m->body = (const uint8_t *)buf + sizeof(m->h);
	m->tail = (const uint8_t *)m->body + m->h.body_bytes;
	return NULL;
}

bool rpc_is_hello(const void *buf, size_t len)
{
	struct wire_hdr h;

	return !header_check(buf, len, &h) && h.msg == MSG_HELLO;
}

const char *rpc_hello_check(const void *buf, size_t len, struct hello_req *out)
{
	struct wire_hdr h;
	const char *wrong = header_check(buf, len, &h);

	if (wrong)
		return wrong;
	if (h.msg != MSG_HELLO)
		return "not a hello";
	if (h.flags || h.err || h.req_id || h.pid || h.tid || h.tail_bytes || h.body_bytes != sizeof(*out) ||
	    len != sizeof(h) + sizeof(*out))
		return "malformed hello";
	memcpy(out, (const uint8_t *)buf + sizeof(h), sizeof(*out));
	if (out->lists_hash != msg_lists_hash())
		return "another list of messages: both sides must be of the same release";
	if (out->kind == KIND_NONE || !out->credits)
		return "malformed hello";
	return NULL;
}
