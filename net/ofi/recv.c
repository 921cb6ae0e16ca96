/*
 * Receiving. A peer may send anything: what is not a well-formed frame, or goes beyond the credits given, ends the
 * connection. Frames of control are dealt with as they come; a message stays in its buffer until it is delivered, and
 * only then counts as consumed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

#define RX_BYTES (sizeof(struct ofi_frame) + MSG_BYTES_MAX)

static uint8_t *slot_buf(const struct ofi_conn *c, unsigned slot)
{
	return c->rx + slot * RX_BYTES;
}

static int rx_post(struct ofi_conn *c, unsigned slot)
{
	return (int)fi_recv(c->ep, slot_buf(c, slot), RX_BYTES, NULL, 0, &c->rx_slot[slot]);
}

int ofi_rx_post_all(struct ofi_conn *c)
{
	int err = 0;

	c->rx = malloc(OFI_RX * RX_BYTES);
	if (!c->rx)
		return -ENOMEM;
	for (unsigned i = 0; i < OFI_RX && !err; i++)
		err = rx_post(c, i);
	return err;
}

static void breach(struct ofi_conn *c, const char *what)
{
	net_count(&c->base.net->stats.failures, 1);
	log_warn("a peer broke the frame protocol (%s): connection ended", what);
	c->over = true;
	ofi_conn_kill(&c->base);
}

/* The buffer is free again. */
static void slot_again(struct ofi_conn *c, unsigned slot)
{
	if (!c->over && rx_post(c, slot))
		c->over = true;
}

static bool control(struct ofi_conn *c, const struct ofi_frame *f, size_t len)
{
	const void *body = f + 1;

	switch ((enum ofi_kind)f->kind) {
	case OFI_KEY:
		return len == sizeof(struct net_key_body) && net_keys_add(&c->keys, body);
	case OFI_CLOSED:
		return len == sizeof(struct net_closed_body) && net_keys_closed(&c->keys, body);
	case OFI_LANE:
		return len == sizeof(struct ofi_lane_body) && ofi_end_connect(c, body);
	case OFI_CREDIT:
		return !len && f->credits;
	case OFI_MESSAGE:
		break;
	}
	return false;
}

static void frame_take(struct ofi_conn *c, unsigned slot, size_t len)
{
	const struct ofi_frame *f = (const void *)slot_buf(c, slot);

	if (len < sizeof(*f) || f->zero || f->credits > OFI_WINDOW - c->credits) {
		breach(c, "a bad frame");
		return;
	}
	c->credits += f->credits;
	len -= sizeof(*f);
	if (f->kind != OFI_CREDIT) {
		if (!c->window) {
			breach(c, "more than its credits");
			return;
		}
		c->window--;
	}
	if (f->kind == OFI_MESSAGE && len && len <= MSG_BYTES_MAX) {
		unsigned at = (c->ready_first + c->ready_count++) % OFI_RX;

		c->ready[at].slot = (uint8_t)slot;
		c->ready[at].len = (uint32_t)len;
		return;
	}
	if (!control(c, f, len)) {
		breach(c, "a bad frame of control");
		return;
	}
	c->owed += f->kind != OFI_CREDIT;
	slot_again(c, slot);
}

static void sent(struct ofi_tx *t)
{
	list_del(&t->link);
	free(t);
}

static void completion(struct ofi_conn *c, const struct fi_cq_msg_entry *e)
{
	if (e->flags & FI_RECV)
		frame_take(c, (unsigned)((uint8_t *)e->op_context - c->rx_slot), e->len);
	else
		sent(e->op_context);
}

void ofi_conn_progress(struct ofi_conn *c)
{
	struct fi_cq_msg_entry e[8];

	while (!c->over) {
		ssize_t n = fi_cq_read(c->cq.cq, e, 8);

		if (n == -FI_EAGAIN)
			break;
		if (n <= 0) {
			/* A buffer came back unused, or a message did not go out: the connection has ended. */
			c->over = true;
			break;
		}
		for (ssize_t i = 0; i < n && !c->over; i++)
			completion(c, &e[i]);
		if (c->ready_count >= OFI_WINDOW)
			break;
	}
	if (c->over)
		net_life_kill(c->life);
	ofi_flush(c);
}

static unsigned ready_pop(struct ofi_conn *c)
{
	unsigned slot = c->ready[c->ready_first].slot;

	c->ready_first = (c->ready_first + 1) % OFI_RX;
	c->ready_count--;
	c->owed++;
	return slot;
}

long ofi_recv(struct net_conn *conn, void *buf, size_t len)
{
	struct ofi_conn *c = ofi_conn(conn);
	unsigned slot;
	long n;

	if (!c->ready_count)
		ofi_conn_progress(c);
	if (!c->ready_count)
		return c->over || net_life_dead(c->life) ? -EPIPE : -EAGAIN;
	n = c->ready[c->ready_first].len;
	slot = ready_pop(c);
	if ((size_t)n <= len)
		memcpy(buf, slot_buf(c, slot) + sizeof(struct ofi_frame), (size_t)n);
	else
		n = -EMSGSIZE;
	slot_again(c, slot);
	ofi_flush(c);
	return n;
}

void ofi_ready_deliver(struct ofi_conn *c)
{
	size_t n = c->ready[c->ready_first].len;
	unsigned slot = ready_pop(c);

	net_conn_deliver(&c->base, slot_buf(c, slot) + sizeof(struct ofi_frame), n);
	if (c->closing)
		return;
	slot_again(c, slot);
	ofi_flush(c);
}
