/*
 * Sending. A frame goes out when the peer has given a credit for it, else it waits in a queue, in order. Messages and
 * keys have a bound each, so that a service that has accepted a request can always grant what it asks for; the frames
 * that take keys back are bounded by the keys given.
 *
 * Small frames go inline, and most of them without a completion of their own: they are known to be done with the next one
 * that has it. Others are copied to a registered buffer, which comes back with their completion.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

static void give_up(struct vb_conn *c, int err)
{
	log_error("connection given up: %s", strerror(-err));
	vb_conn_kill(&c->base);
}

static struct vb_tx *tx_new(enum vb_kind kind, const void *body, size_t len)
{
	const struct vb_frame f = { .kind = (uint16_t)kind };
	struct vb_tx *t = malloc(sizeof(*t) + sizeof(f) + len);

	if (!t)
		return NULL;
	t->len = (uint32_t)(sizeof(f) + len);
	memcpy(t->data, &f, sizeof(f));
	if (len)
		memcpy(t->data + sizeof(f), body, len);
	return t;
}

static struct vb_frame *tx_frame(struct vb_tx *t)
{
	return (struct vb_frame *)(void *)t->data;
}

static int wr_post(struct vb_conn *c, struct ibv_send_wr *wr, struct vb_buf *b)
{
	struct ibv_send_wr *bad;
	int err;

	wr->wr_id = (uint64_t)c->posted << 1 | 1;
	err = ibv_post_send(c->link.qp, wr, &bad);
	if (err) {
		vb_device_denied(c->link.net, err);
		return err == ENOMEM ? -EAGAIN : -EPIPE;
	}
	c->flight[c->posted++ % VB_SQ] = b;
	c->unsignalled = wr->send_flags & IBV_SEND_SIGNALED ? 0 : c->unsignalled + 1;
	c->breathed = true;
	return 0;
}

/* Another connection has the last send buffers of the pool: look again soon. */
static void buffers_wait(struct vb_conn *c)
{
	struct loop *loop = c->base.net->opt.loop;

	if (loop && c->started)
		loop_timer_set(loop, &c->again, loop_now(loop) + NS_PER_MS);
}

/* Hand a frame to the device: 0, -EAGAIN, -EPIPE. */
static int frame_post(struct vb_conn *c, const uint8_t *data, uint32_t len, bool signalled)
{
	struct ibv_sge sge = { .addr = (uintptr_t)data, .length = len };
	struct ibv_send_wr wr = { .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND };
	struct vb_buf *b = NULL;
	int err;

	if (!c->link.up)
		return -EPIPE;
	if (c->posted - c->done >= c->link.spec.sq)
		return -EAGAIN;
	if (len <= c->link.spec.inline_bytes) {
		wr.send_flags = IBV_SEND_INLINE;
	} else {
		b = vb_pool_get(c->pool);
		if (!b) {
			buffers_wait(c);
			return -EAGAIN;
		}
		memcpy(b->data, data, len);
		sge.addr = (uintptr_t)b->data;
		sge.lkey = b->lkey;
	}
	if (signalled || b || c->unsignalled + 1 >= VB_SIGNAL_EVERY ||
	    c->posted - c->done + 1 >= c->link.spec.sq - VB_SIGNAL_EVERY)
		wr.send_flags |= IBV_SEND_SIGNALED;
	err = wr_post(c, &wr, b);
	if (err && b)
		vb_pool_put(c->pool, b);
	return err;
}

/* As frame_post, with the credits that we owe. */
static int tx_post(struct vb_conn *c, struct vb_frame *f, uint32_t len, bool signalled)
{
	int err;

	f->credits = (uint16_t)c->owed;
	err = frame_post(c, (const uint8_t *)f, len, signalled);
	if (err)
		return err;
	c->window += c->owed;
	c->owed = 0;
	return 0;
}

int vb_send_bare(struct vb_conn *c, enum vb_kind kind)
{
	struct vb_frame f = { .kind = (uint16_t)kind };

	return tx_post(c, &f, sizeof(f), kind == VB_BYE);
}

void vb_send_breath(struct vb_conn *c)
{
	struct ibv_send_wr wr = { .opcode = IBV_WR_RDMA_WRITE, .send_flags = IBV_SEND_SIGNALED };

	if (c->link.up && c->posted - c->done < c->link.spec.sq)
		wr_post(c, &wr, NULL);
}

/* Completions come in order: all up to this one are done. */
void vb_sent(struct vb_conn *c, uint32_t number)
{
	while ((int32_t)(number - c->done) >= 0 && c->done != c->posted) {
		struct vb_buf *b = c->flight[c->done % VB_SQ];

		c->flight[c->done++ % VB_SQ] = NULL;
		if (b)
			vb_pool_put(c->pool, b);
	}
}

/* Once half of the window is consumed and nothing else carries the news, a frame of its own does. */
static void credit_send(struct vb_conn *c)
{
	if (c->owed >= VB_WINDOW / 2)
		vb_send_bare(c, VB_CREDIT);
}

void vb_flush(struct vb_conn *c)
{
	if (net_life_dead(c->life) || c->over)
		return;
	while (!list_empty(&c->tx) && c->credits) {
		struct vb_tx *t = container_of(c->tx.next, struct vb_tx, link);
		int err = tx_post(c, tx_frame(t), t->len, false);

		if (err == -EAGAIN)
			return;
		list_del(&t->link);
		c->tx_bytes -= t->len;
		c->tx_keys -= tx_frame(t)->kind == VB_KEY;
		free(t);
		if (err) {
			give_up(c, err);
			return;
		}
		c->credits--;
	}
	credit_send(c);
}

static void tx_queue(struct vb_conn *c, struct vb_tx *t)
{
	c->tx_bytes += t->len;
	c->tx_keys += tx_frame(t)->kind == VB_KEY;
	list_add_tail(&c->tx, &t->link);
	vb_flush(c);
}

static uint32_t tx_most(const struct vb_conn *c)
{
	return c->base.net->opt.loop ? VB_TX_BYTES_MAX : VB_TX_BYTES_SYNC;
}

bool vb_tx_room(const struct vb_conn *c)
{
	return c->tx_bytes <= tx_most(c) / 2 && c->tx_keys < VB_TX_KEYS_MAX;
}

/* Room is asked for as the queue stands; credits that came meanwhile are used first. */
static int tx_check(struct vb_conn *c, size_t len)
{
	if (net_life_dead(c->life) || c->over)
		return -EPIPE;
	if (c->tx_bytes + len <= tx_most(c) && c->tx_keys < VB_TX_KEYS_MAX)
		return 0;
	c->tx_refused = true;
	return -EAGAIN;
}

static int tx_add(struct vb_conn *c, enum vb_kind kind, const void *body, size_t len)
{
	struct vb_tx *t;
	int err = tx_check(c, len);

	if (err)
		return err;
	t = tx_new(kind, body, len);
	if (!t)
		return -ENOMEM;
	tx_queue(c, t);
	return 0;
}

int vb_send(struct net_conn *conn, const void *buf, size_t len)
{
	return tx_add(vb_conn(conn), VB_MESSAGE, buf, len);
}

int vb_send_key(struct vb_conn *c, const struct net_key_body *k)
{
	return tx_add(c, VB_KEY, k, sizeof(*k));
}

void vb_send_control(struct vb_conn *c, enum vb_kind kind, const void *body, size_t len)
{
	struct vb_tx *t;

	if (net_life_dead(c->life) || c->over)
		return;
	t = tx_new(kind, body, len);
	if (t)
		tx_queue(c, t);
	else
		give_up(c, -ENOMEM);
}

void vb_tx_drop(struct vb_conn *c)
{
	while (!list_empty(&c->tx)) {
		struct vb_tx *t = container_of(c->tx.next, struct vb_tx, link);

		list_del(&t->link);
		free(t);
	}
	c->tx_bytes = c->tx_keys = 0;
}
