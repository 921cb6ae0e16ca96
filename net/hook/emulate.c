/* Wrapper `emulate`: the net, links, the clock, chance. What is added where is told in emulate.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "net/hook/emulate.h"

#define STILL_MAX 4096u /* looks at a clock that shows the same time */

uint64_t emulate_now(struct emulate_net *n)
{
	return n->w.base.opt.loop ? loop_now(n->w.base.opt.loop) : clock_ns();
}

bool emulate_sleep_until(struct emulate_net *n, uint64_t due_ns, uint64_t deadline_ns)
{
	uint64_t until = due_ns < deadline_ns ? due_ns : deadline_ns;
	uint64_t last = 0, now;
	unsigned still = 0;

	while ((now = emulate_now(n)) < until) {
		if (until - now > SPIN_NS && !still) {
			uint64_t left = until - now - SPIN_NS;
			struct timespec ts = { (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) };

			nanosleep(&ts, NULL);
		}
		still = now == last ? still + 1 : 0;
		if (still == STILL_MAX)
			return false;
		last = now;
	}
	return true;
}

bool emulate_due(struct emulate_net *n, struct loop_timer *timer, uint64_t *fired_ns, uint64_t due_ns)
{
	uint64_t now = emulate_now(n), was = *fired_ns;

	*fired_ns = now;
	if (due_ns <= now || (due_ns - now <= NEAR_NS && emulate_sleep_until(n, due_ns, UINT64_MAX)))
		return true;
	loop_timer_set(n->w.base.opt.loop, timer, now == was || due_ns - now <= NEAR_NS ? due_ns : now);
	return false;
}

void emulate_timer(struct emulate_net *n, struct loop_timer *timer, uint64_t due_ns)
{
	loop_timer_set(n->w.base.opt.loop, timer, due_ns > SPIN_NS ? due_ns - SPIN_NS : 0);
}

uint64_t emulate_link_take(struct emulate_life *life, enum direction dir, uint64_t bytes, uint64_t now_ns)
{
	uint64_t *free_ns = &life->link->free_ns[dir];
	uint64_t took, was, begin;

	if (!life->net->c.bandwidth)
		return now_ns;
	took = (uint64_t)((unsigned __int128)bytes * 8 * NS_PER_S / life->net->c.bandwidth);
	was = __atomic_load_n(free_ns, __ATOMIC_RELAXED);
	do
		begin = was > now_ns ? was : now_ns;
	while (!__atomic_compare_exchange_n(free_ns, &was, begin + took, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return begin + took;
}

uint64_t emulate_latency(struct emulate_net *n, uint64_t *random, uint64_t latency_ns, uint64_t jitter_ns)
{
	uint64_t ns = latency_ns;

	if (jitter_ns)
		ns = latency_ns - jitter_ns + wrap_random(random) % (2 * jitter_ns + 1);
	for (unsigned i = 0; i < EMULATE_RETRIES_MAX && wrap_chance(random, n->c.loss); i++)
		ns += n->c.retransmit_ns;
	return ns;
}

uint64_t emulate_stream(struct emulate_net *n)
{
	return wrap_random_seed(n->c.seed, __atomic_fetch_add(&n->streams, 1, __ATOMIC_RELAXED));
}

/* ---- links ---- */

static struct link *link_find(struct emulate_net *n, int32_t host_pid, const char *addr)
{
	struct list *pos, *next;

	if (!addr && !host_pid)
		return NULL;
	list_for_each_safe(pos, next, &n->links) {
		struct link *l = container_of(pos, struct link, list);

		if (addr ? strcmp(l->addr, addr) == 0 : l->host_pid == host_pid)
			return l;
	}
	return NULL;
}

static struct link *link_get(struct emulate_net *n, struct net_conn *inner, const char *addr)
{
	struct net_peer peer = { 0 };
	struct link *l;

	if (!addr)
		net_conn_peer(inner, &peer);
	pthread_mutex_lock(&n->lock);
	l = link_find(n, peer.known ? peer.host_pid : 0, addr);
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (l) {
			l->host_pid = peer.known ? peer.host_pid : 0;
			if (addr) /* net_connect has taken it: it is short enough */
				memcpy(l->addr, addr, strnlen(addr, ADDR_BYTES - 1));
			list_add_tail(&n->links, &l->list);
		}
	}
	if (l)
		l->refs++;
	pthread_mutex_unlock(&n->lock);
	return l;
}

static void link_put(struct emulate_net *n, struct link *l)
{
	pthread_mutex_lock(&n->lock);
	if (--l->refs == 0) {
		list_del(&l->list);
		free(l);
	}
	pthread_mutex_unlock(&n->lock);
}

struct emulate_life *emulate_life_new(struct emulate_net *n, struct net_conn *inner, const char *addr)
{
	struct emulate_life *life = calloc(1, sizeof(*life));

	if (!life)
		return NULL;
	life->refs = 1;
	life->net = n;
	life->link = link_get(n, inner, addr);
	if (!life->link) {
		free(life);
		return NULL;
	}
	return life;
}

struct emulate_life *emulate_life_get(struct emulate_life *life)
{
	__atomic_fetch_add(&life->refs, 1, __ATOMIC_RELAXED);
	return life;
}

void emulate_life_put(struct emulate_life *life)
{
	if (__atomic_sub_fetch(&life->refs, 1, __ATOMIC_ACQ_REL))
		return;
	link_put(life->net, life->link);
	free(life);
}

/* Least of some, as we may lose the processor in between. */
static uint64_t own_measure(struct emulate_net *n)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < 32; i++) {
		uint64_t begin = emulate_now(n), took = 0;

		for (unsigned looks = 0; looks < OWN_LOOKS; looks++)
			took = emulate_now(n) - begin;
		if (took < least)
			least = took;
	}
	return least < n->c.latency_ns ? least : n->c.latency_ns;
}

static void emulate_close(struct net *net)
{
	pthread_mutex_destroy(&emulate_net(net)->lock);
	wrap_net_close(net);
}

int emulate_open(const struct emulate_config *c, struct net *inner, struct net **out)
{
	struct emulate_net *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	wrap_net_init(&n->w, inner);
	n->w.ops.name = "emulate";
	n->w.ops.close = emulate_close;
	n->c = *c;
	pthread_mutex_init(&n->lock, NULL);
	list_init(&n->links);
	n->own_ns = own_measure(n);
	emulate_conn_slots(n);
	emulate_data_slots(n);
	*out = &n->w.base;
	return 0;
}
