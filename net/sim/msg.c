/* Messages: in order on a connection, bounded by a window. Lossy worlds lose, repeat and delay whole ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "net/sim/world.h"

#define LATE_NS (6 * NS_PER_S) /* beyond the retry of rpc */
#define WIRE_BYTES 64u	       /* headers of the fabric's own */

static void writable(void *arg, uint64_t v)
{
	struct sim_conn *c = arg;

	(void)v;
	if (c->open && !c->dead && c->base.events->writable)
		c->base.events->writable(c->base.arg);
}

static void window_open(struct sim_conn *c, uint32_t len)
{
	c->under_way -= len;
	if (!c->refused || c->under_way > sim.cfg.window_bytes / 2 || !c->open)
		return;
	c->refused = false;
	sim_wake(&c->wait);
	if (c->started)
		sim_node_post(c->node, writable, c, 0);
}

/* The message has left the window: taken, or lost. */
static void msg_free(struct sim_msg *m)
{
	if (!m->is_copy)
		window_open(m->from, m->len);
	free(m);
}

void sim_msg_deliver(void *arg, uint64_t v)
{
	struct sim_conn *c = arg;
	struct sim_msg *m;

	(void)v;
	if (!c->open || list_empty(&c->rx) || c->told)
		return;
	m = container_of(c->rx.next, struct sim_msg, link);
	list_del(&m->link);
	net_conn_deliver(&c->base, m->data, m->len);
	msg_free(m);
}

static void msg_arrives(void *arg, uint64_t v)
{
	struct sim_conn *c = arg;
	struct sim_msg *m = (struct sim_msg *)(uintptr_t)v;

	if (!c->open || c->dead || c->node->dead) {
		msg_free(m);
		return;
	}
	list_add_tail(&c->rx, &m->link);
	if (c->started)
		sim_node_post(c->node, sim_msg_deliver, c, 0);
	else
		sim_wake(&c->wait);
}

static struct sim_msg *msg_new(struct sim_conn *c, const void *buf, size_t len, bool is_copy)
{
	struct sim_msg *m = malloc(sizeof(*m) + len);

	BUG_ON(!m);
	m->from = c;
	m->len = (uint32_t)len;
	m->is_copy = is_copy;
	memcpy(m->data, buf, len);
	return m;
}

static void msg_post(struct sim_conn *c, struct sim_msg *m, bool ordered, uint64_t extra_ns)
{
	sim_send(c->out, m->len + WIRE_BYTES, NET_DEMAND, ordered ? &c->order : NULL, extra_ns, msg_arrives, c->peer,
		 (uintptr_t)m);
}

int sim_msg_send(struct net_conn *base, const void *buf, size_t len)
{
	struct sim_conn *c = container_of(base, struct sim_conn, base);
	bool first = !c->first_sent;
	struct sim_msg *m;

	BUG_ON(!c->open);
	if (c->dead)
		return -EPIPE;
	if (c->under_way && c->under_way + len > sim.cfg.window_bytes) {
		c->refused = true;
		return -EAGAIN;
	}
	c->first_sent = true;
	sim_note((uint64_t)c->fd, len);
	if (!first && sim_chance(sim.cfg.msg_loss_ppm)) {
		sim_trace("a message of %zu bytes is lost", len);
		return 0;
	}
	c->under_way += (uint32_t)len;
	m = msg_new(c, buf, len, false);
	if (!first && sim_chance(sim.cfg.msg_dup_ppm)) {
		sim_trace("a message of %zu bytes is repeated", len);
		msg_post(c, msg_new(c, buf, len, true), false, sim_below(LATE_NS));
	}
	if (!first && sim_chance(sim.cfg.msg_late_ppm)) {
		sim_trace("a message of %zu bytes is late", len);
		msg_post(c, m, false, sim_below(LATE_NS));
	} else {
		msg_post(c, m, true, 0);
	}
	return 0;
}

long sim_msg_recv(struct net_conn *base, void *buf, size_t len)
{
	struct sim_conn *c = container_of(base, struct sim_conn, base);
	struct sim_msg *m;
	long n;

	if (list_empty(&c->rx))
		return c->dead ? -EPIPE : -EAGAIN;
	m = container_of(c->rx.next, struct sim_msg, link);
	list_del(&m->link);
	n = m->len <= len ? (long)m->len : -EMSGSIZE; /* what does not fit is lost */
	if (n > 0)
		memcpy(buf, m->data, m->len);
	msg_free(m);
	return n;
}

void sim_msgs_drop(struct sim_conn *c)
{
	while (!list_empty(&c->rx)) {
		struct sim_msg *m = container_of(c->rx.next, struct sim_msg, link);

		list_del(&m->link);
		msg_free(m);
	}
}
