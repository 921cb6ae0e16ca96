/*
 * Wrapper `emulate`: messages. What arrives is held until it is due. With a loop a timer hands it up; in synchronous use
 * net_recv and net_conn_wait look at the inner connection and at the clock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/hook/emulate.h"

static struct emulate_conn *emulate_conn(const struct net_conn *c)
{
	return (struct emulate_conn *)container_of(c, const struct emulate_conn, w.base);
}

static struct emulate_net *net_of(const struct emulate_conn *c)
{
	return c->life->net;
}

static void life_kill(struct emulate_life *life)
{
	__atomic_store_n(&life->dead, true, __ATOMIC_RELEASE);
}

static int conn_new(struct wrap_net *w, struct net_conn *inner, const char *addr, struct net_conn **out)
{
	struct emulate_net *n = container_of(w, struct emulate_net, w);
	struct emulate_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->life = emulate_life_new(n, inner, addr);
	if (!c->life) {
		free(c);
		return -ENOMEM;
	}
	c->w.base.net = &w->base;
	c->w.inner = inner;
	c->random = emulate_stream(n);
	list_init(&c->held);
	*out = &c->w.base;
	return 0;
}

static struct held *held_first(const struct emulate_conn *c)
{
	return list_empty(&c->held) ? NULL : container_of(c->held.next, struct held, list);
}

static void held_free(struct emulate_conn *c, struct held *h)
{
	list_del(&h->list);
	c->n_held--;
	c->bytes_held -= h->len;
	free(h);
}

/* A message has arrived. -ENOMEM: it is lost, so the connection must end. */
static int held_add(struct emulate_conn *c, const void *buf, size_t len)
{
	struct held *h = malloc(sizeof(*h) + len);
	struct emulate_net *n = net_of(c);
	uint64_t due;

	if (!h)
		return -ENOMEM;
	due = emulate_link_take(c->life, LINK_IN, len, emulate_now(n)) +
	      emulate_latency(n, &c->random, n->c.latency_ns / 2, n->c.jitter_ns / 2);
	if (due < c->due_last_ns)
		due = c->due_last_ns;
	c->due_last_ns = h->due_ns = due;
	h->len = (uint32_t)len;
	memcpy(h->msg, buf, len);
	list_add_tail(&c->held, &h->list);
	c->n_held++;
	c->bytes_held += h->len;
	return 0;
}

/* ---- with a loop ---- */

/* The last sign of the inner connection goes up behind the last message. */
static void end_up(struct emulate_conn *c)
{
	if (!c->end || c->ended || c->closing || !list_empty(&c->held))
		return;
	c->ended = true;
	c->w.base.events->closed(c->w.base.arg, c->end);
}

static void first_up(struct emulate_conn *c)
{
	struct held *h = held_first(c);

	list_del(&h->list); /* the callee may close the connection, and drop what is held */
	c->n_held--;
	c->bytes_held -= h->len;
	net_conn_deliver(&c->w.base, h->msg, h->len);
	free(h);
}

static void timer_arm(struct emulate_conn *c)
{
	struct held *h = held_first(c);

	if (c->closing)
		return;
	if (!h) {
		end_up(c);
		return;
	}
	emulate_timer(net_of(c), &c->timer, h->due_ns);
}

static void leave(struct emulate_conn *c)
{
	c->busy = false;
	if (c->closing)
		free(c);
}

static void due(void *arg)
{
	struct emulate_conn *c = arg;
	struct emulate_net *n = net_of(c);
	struct held *h = held_first(c);

	if (h && !emulate_due(n, &c->timer, &c->fired_ns, h->due_ns))
		return;
	c->busy = true;
	while (!c->closing && (h = held_first(c)) && emulate_now(n) >= h->due_ns)
		first_up(c);
	timer_arm(c);
	leave(c);
}

static void on_message(void *arg, const void *buf, size_t len)
{
	struct emulate_conn *c = arg;
	bool first = list_empty(&c->held);

	if (held_add(c, buf, len)) {
		log_error("connection given up: no memory to hold its messages");
		net_conn_kill(&c->w.base);
		return;
	}
	c->busy = true;
	while (c->bytes_held > EMULATE_HELD_BYTES && !c->closing) {
		if (!c->crowded_logged)
			log_warn("more than %u bytes are on an emulated link: messages come early", EMULATE_HELD_BYTES);
		c->crowded_logged = true;
		first_up(c);
	}
	if (first)
		timer_arm(c);
	leave(c);
}

static void on_closed(void *arg, int err)
{
	struct emulate_conn *c = arg;

	life_kill(c->life);
	c->end = err ? err : -EPIPE;
	c->busy = true;
	end_up(c);
	leave(c);
}

static void on_writable(void *arg)
{
	struct emulate_conn *c = arg;

	if (!c->end)
		c->w.base.events->writable(c->w.base.arg);
}

static int conn_start(struct net_conn *conn)
{
	static const struct net_conn_events events = { on_message, on_closed, on_writable };
	struct emulate_conn *c = emulate_conn(conn);

	c->timer.fn = due;
	c->timer.arg = c;
	return net_conn_set_events(c->w.inner, &events, c);
}

static void conn_close(struct net_conn *conn)
{
	struct emulate_conn *c = emulate_conn(conn);

	if (c->closing)
		return;
	c->closing = true;
	life_kill(c->life);
	if (conn->net->opt.loop)
		loop_timer_del(conn->net->opt.loop, &c->timer);
	while (held_first(c))
		held_free(c, held_first(c));
	net_conn_close(c->w.inner);
	emulate_life_put(c->life);
	if (!c->busy)
		free(c);
}

static void conn_kill(struct net_conn *conn)
{
	life_kill(emulate_conn(conn)->life);
	net_conn_kill(emulate_conn(conn)->w.inner);
}

static int send_on(struct net_conn *conn, const void *buf, size_t len)
{
	struct emulate_conn *c = emulate_conn(conn);
	int err = net_send(c->w.inner, buf, len);

	c->refused = err == -EAGAIN;
	return err;
}

/* ---- synchronous ---- */

/* Take what has arrived, so that its time is known. */
static void take_ahead(struct emulate_conn *c)
{
	uint8_t buf[MSG_BYTES_MAX];

	while (!c->end && c->n_held < EMULATE_HELD_SYNC) {
		long n = net_recv(c->w.inner, buf, sizeof(buf));

		if (n == -EAGAIN)
			return;
		if (n < 0 || held_add(c, buf, (size_t)n))
			c->end = n < 0 ? (int)n : -ENOMEM;
	}
}

static long recv_on(struct net_conn *conn, void *buf, size_t len)
{
	struct emulate_conn *c = emulate_conn(conn);
	struct held *h;
	long n;

	take_ahead(c);
	h = held_first(c);
	if (!h)
		return c->end ? c->end : -EAGAIN;
	if (emulate_now(net_of(c)) < h->due_ns)
		return -EAGAIN;
	n = h->len <= len ? (long)h->len : -EMSGSIZE;
	if (n > 0)
		memcpy(buf, h->msg, h->len);
	held_free(c, h);
	return n;
}

static int conn_wait(struct net_conn *conn, uint64_t deadline_ns)
{
	struct emulate_conn *c = emulate_conn(conn);
	struct emulate_net *n = net_of(c);

	for (;;) {
		struct held *h;
		uint64_t now, until = deadline_ns;
		int err;

		take_ahead(c);
		h = held_first(c);
		now = emulate_now(n);
		if (h ? now >= h->due_ns : c->end != 0)
			return 0;
		if (now >= deadline_ns && h)
			return -ETIMEDOUT;
		if (h && h->due_ns < until)
			until = h->due_ns;
		if (h && (c->end || c->n_held == EMULATE_HELD_SYNC || until - now <= SPIN_NS)) {
			emulate_sleep_until(n, until, deadline_ns);
			continue;
		}
		err = net_conn_wait(c->w.inner, h && until > SPIN_NS ? until - SPIN_NS : until);
		if (!err && c->refused) {
			c->refused = false;
			return 0; /* perhaps for room: the caller tries again */
		}
		if (err && (err != -ETIMEDOUT || !h))
			return err;
	}
}

void emulate_conn_slots(struct emulate_net *n)
{
	n->w.conn_new = conn_new;
	n->w.ops.conn_start = conn_start;
	n->w.ops.conn_close = conn_close;
	n->w.ops.conn_kill = conn_kill;
	n->w.ops.send = send_on;
	n->w.ops.recv = recv_on;
	n->w.ops.conn_wait = conn_wait;
}
