/*
 * Links: one for each ordered pair of machines. A link without a bandwidth only delays. One with a bandwidth sends chunk
 * by chunk: of the most urgent class that waits, and once in a while of a less urgent one, so that none starves.
 */
#include <errno.h>
#include <stdlib.h>
#include "net/sim/world.h"

#define LOCAL_NS 3000u /* between processes of one machine */
#define RESEND_NS (200 * 1000u)

struct sim_link *sim_link(unsigned from, unsigned to)
{
	return &sim.link[from][to];
}

void sim_links_open(void)
{
	for (unsigned i = 0; i < SIM_MACHINES * SIM_MACHINES; i++) {
		struct sim_link *l = &sim.link[0][0] + i;
		bool local = i / SIM_MACHINES == i % SIM_MACHINES;

		l->latency_ns = local ? LOCAL_NS : sim.cfg.latency_ns;
		l->jitter_ns = local ? LOCAL_NS : sim.cfg.jitter_ns;
		l->loss_ppm = local ? 0 : sim.cfg.loss_ppm;
		l->bytes_per_us = local ? 0 : sim.cfg.bytes_per_us;
		list_init(&l->held);
		for (unsigned c = 0; c < NET_CLASSES; c++)
			list_init(&l->queue[c]);
	}
}

/* All of it is on the wire: it arrives after the delay, and after what it may not overtake. */
static void depart(struct sim_link *l, struct sim_packet *p)
{
	uint64_t at = sim.now + l->latency_ns + sim_below(l->jitter_ns + 1) + p->extra_ns, resend = RESEND_NS;

	for (; sim_chance(l->loss_ppm); resend *= 2)
		at += resend;
	if (p->order) {
		if (at <= *p->order)
			at = *p->order + 1;
		*p->order = at;
	}
	sim_at(at, p->fn, p->arg, p->v);
	free(p);
}

static void chunk_sent(void *arg, uint64_t bytes);

static struct sim_packet *packet_next(struct sim_link *l)
{
	unsigned c, waiting = 0, most = NET_CLASSES;

	for (c = NET_CLASSES; c-- > 0;)
		if (!list_empty(&l->queue[c])) {
			waiting++;
			most = c;
		}
	if (!waiting)
		return NULL;
	if (waiting > 1 && ++l->lower_turn % SIM_LOWER_SHARE == 0)
		for (c = most + 1; c < NET_CLASSES; c++)
			if (!list_empty(&l->queue[c])) {
				most = c;
				break;
			}
	return container_of(l->queue[most].next, struct sim_packet, link);
}

static void chunk_send(struct sim_link *l)
{
	struct sim_packet *p = packet_next(l);
	uint32_t bytes;

	l->sending = p;
	l->busy = p != NULL;
	if (!p)
		return;
	bytes = p->bytes < SIM_CHUNK ? p->bytes : SIM_CHUNK;
	sim_at(sim.now + bytes * 1000ULL / l->bytes_per_us + 1, chunk_sent, l, bytes);
}

static void chunk_sent(void *arg, uint64_t bytes)
{
	struct sim_link *l = arg;
	struct sim_packet *p = l->sending;

	p->bytes -= (uint32_t)bytes;
	if (!p->bytes) {
		list_del(&p->link);
		if (l->cut)
			list_add_tail(&l->held, &p->link);
		else
			depart(l, p);
	}
	chunk_send(l);
}

static void packet_send(struct sim_link *l, struct sim_packet *p, enum net_class class)
{
	if (l->cut) {
		list_add_tail(&l->held, &p->link);
	} else if (!l->bytes_per_us) {
		depart(l, p);
	} else {
		list_add_tail(&l->queue[sim.cfg.no_classes ? NET_DEMAND : class], &p->link);
		if (!l->busy)
			chunk_send(l);
	}
}

void sim_send(struct sim_link *l, uint32_t bytes, enum net_class class, uint64_t *order, uint64_t extra_ns,
	      sim_event_fn *fn, void *arg, uint64_t v)
{
	struct sim_packet *p = malloc(sizeof(*p));

	BUG_ON(!p);
	*p = (struct sim_packet){ .fn = fn, .arg = arg, .v = v, .bytes = bytes, .order = order, .extra_ns = extra_ns };
	packet_send(l, p, class);
}

/* ---- faults ---- */

static bool conn_uses(const struct sim_conn *c, const struct sim_link *l)
{
	return c->out == l || (c->peer && c->peer->out == l);
}

/* Cut for too long: the ends find out, each in its own time. */
static void cut_too_long(void *arg, uint64_t gen)
{
	struct sim_link *l = arg;
	struct list *pos, *next;

	if (!l->cut || l->cut_gen != gen)
		return;
	list_for_each_safe(pos, next, &sim.conns) {
		struct sim_conn *c = container_of(pos, struct sim_conn, link);

		if (!c->dead && conn_uses(c, l))
			sim_conn_break(c, -ETIMEDOUT, false);
	}
}

void sim_link_cut(unsigned from, unsigned to)
{
	struct sim_link *l = sim_link(from, to);

	if (l->cut || from == to)
		return;
	sim_trace("link %u -> %u is cut", from, to);
	l->cut = true;
	sim_at(sim.now + sim.cfg.break_ns, cut_too_long, l, ++l->cut_gen);
}

void sim_link_heal(unsigned from, unsigned to)
{
	struct sim_link *l = sim_link(from, to);

	if (!l->cut)
		return;
	sim_trace("link %u -> %u is whole", from, to);
	l->cut = false;
	l->cut_gen++;
	while (!list_empty(&l->held)) {
		struct sim_packet *p = container_of(l->held.next, struct sim_packet, link);

		list_del(&p->link);
		depart(l, p);
	}
}

void sim_link_quality(unsigned from, unsigned to, uint64_t latency_ns, uint64_t jitter_ns, uint32_t loss_ppm)
{
	struct sim_link *l = sim_link(from, to);

	if (from == to)
		return;
	l->latency_ns = latency_ns;
	l->jitter_ns = jitter_ns;
	l->loss_ppm = loss_ppm;
}

void sim_heal_all(void)
{
	for (unsigned i = 0; i < SIM_MACHINES * SIM_MACHINES; i++) {
		sim_link_heal(i / SIM_MACHINES, i % SIM_MACHINES);
		sim_link_quality(i / SIM_MACHINES, i % SIM_MACHINES, sim.cfg.latency_ns, sim.cfg.jitter_ns,
				 sim.cfg.loss_ppm);
	}
}
