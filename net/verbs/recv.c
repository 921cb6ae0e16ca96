/*
 * Receiving. A peer may send anything: what is not a well-formed frame, or goes beyond the credits given, ends the
 * connection. Frames of control are dealt with as they come; a message stays in its buffer until it is delivered, and
 * only then counts as consumed.
 */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

static void breach(struct vb_conn *c, const char *what)
{
	net_count(&c->base.net->stats.failures, 1);
	log_warn("a peer broke the frame protocol (%s): connection ended", what);
	c->over = true;
	vb_conn_kill(&c->base);
}

/* The buffer is free again, for whoever comes next. */
static void buf_again(struct vb_conn *c, struct vb_buf *b)
{
	if (vb_pool_post(c->pool, b))
		c->over = true;
}

static bool control(struct vb_conn *c, const struct vb_frame *f, size_t len)
{
	const void *body = f + 1;

	switch ((enum vb_kind)f->kind) {
	case VB_KEY:
		return len == sizeof(struct net_key_body) && net_keys_add(&c->keys, body);
	case VB_CLOSED:
		return len == sizeof(struct net_closed_body) && net_keys_closed(&c->keys, body);
	case VB_LANE:
		return len == sizeof(struct vb_lane_body) && vb_end_connect(c, body);
	case VB_CREDIT:
		return !len && f->credits;
	case VB_PROOF:
		return len == SECRET_MAC_BYTES && vb_proof_take(c, body);
	case VB_BYE:
		c->gone = true;
		return !len;
	case VB_MESSAGE:
		break;
	}
	return false;
}

/* True: the buffer is kept, it holds a message. */
static bool frame_take(struct vb_conn *c, struct vb_buf *b, size_t len)
{
	const struct vb_frame *f = (const void *)b->data;
	bool counts = f->kind != VB_CREDIT && f->kind != VB_BYE;

	if (len < sizeof(*f) || f->zero || f->credits > VB_WINDOW - c->credits) {
		breach(c, "a bad frame");
		return false;
	}
	c->credits += f->credits;
	len -= sizeof(*f);
	if (counts && !c->window) {
		breach(c, "more than its credits");
		return false;
	}
	c->window -= counts;
	if (f->kind == VB_MESSAGE && len && len <= MSG_BYTES_MAX) {
		unsigned at = (c->ready_first + c->ready_count++) % VB_RX;

		c->ready[at].buf = b;
		c->ready[at].len = (uint32_t)len;
		return true;
	}
	if (!control(c, f, len))
		breach(c, "a bad frame of control");
	c->owed += counts;
	return false;
}

static void failed(struct vb_conn *c, const struct ibv_wc *wc)
{
	/* Flushed is what follows a failure, or an end that we have heard of. */
	if (wc->status != IBV_WC_WR_FLUSH_ERR && !c->gone && !net_life_dead(c->life))
		log_warn("a connection is lost: %s", ibv_wc_status_str(wc->status));
	c->over = true;
}

static void completion(struct vb_conn *c, const struct ibv_wc *wc)
{
	struct vb_buf *b = (void *)(uintptr_t)wc->wr_id;

	if (wc->wr_id & 1) {
		vb_sent(c, (uint32_t)(wc->wr_id >> 1));
		if (wc->status != IBV_WC_SUCCESS)
			failed(c, wc);
		return;
	}
	if (wc->status != IBV_WC_SUCCESS)
		failed(c, wc);
	else if (!c->over && !c->closing && frame_take(c, b, wc->byte_len))
		return;
	buf_again(c, b);
}

void vb_conn_progress(struct vb_conn *c)
{
	bool gone = c->gone; /* before the queue is looked at */
	struct ibv_wc wc;
	bool more = true;

	while (!c->over && c->ready_count < VB_WINDOW && (more = vb_cq_take(&c->cq, &wc)))
		completion(c, &wc);
	if (!more && (gone || c->gone))
		c->over = true;
	if (c->over)
		net_life_kill(c->life);
	vb_flush(c);
}

void vb_conn_reclaim(struct vb_conn *c)
{
	struct ibv_wc wc;

	c->over = true;
	while (vb_cq_take(&c->cq, &wc))
		completion(c, &wc);
	while (c->ready_count) {
		buf_again(c, c->ready[c->ready_first].buf);
		c->ready_first = (c->ready_first + 1) % VB_RX;
		c->ready_count--;
	}
	vb_sent(c, c->posted - 1);
}

static struct vb_buf *ready_pop(struct vb_conn *c)
{
	struct vb_buf *b = c->ready[c->ready_first].buf;

	c->ready_first = (c->ready_first + 1) % VB_RX;
	c->ready_count--;
	c->owed++;
	return b;
}

/* Nothing is there. Who looks at the descriptor and then here must find it quiet, and hear of what comes next. */
static bool look_harder(struct vb_conn *c)
{
	vb_conn_woken(c);
	do
		vb_conn_progress(c);
	while (!c->ready_count && !c->over && !vb_cq_may_wait(&c->cq));
	return c->ready_count;
}

long vb_recv(struct net_conn *conn, void *buf, size_t len)
{
	struct vb_conn *c = vb_conn(conn);
	struct vb_buf *b;
	long n;

	if (!c->ready_count)
		vb_conn_progress(c);
	if (!c->ready_count && !look_harder(c))
		return c->over || net_life_dead(c->life) ? -EPIPE : -EAGAIN;
	n = c->ready[c->ready_first].len;
	b = ready_pop(c);
	if ((size_t)n <= len)
		memcpy(buf, b->data + sizeof(struct vb_frame), (size_t)n);
	else
		n = -EMSGSIZE;
	buf_again(c, b);
	vb_flush(c);
	return n;
}

void vb_ready_deliver(struct vb_conn *c)
{
	size_t n = c->ready[c->ready_first].len;
	struct vb_buf *b = ready_pop(c);

	net_conn_deliver(&c->base, b->data + sizeof(struct vb_frame), n);
	/* A connection closed in there is freed behind this. */
	buf_again(c, b);
	if (!c->closing)
		vb_flush(c);
}
