/* struct loop of a node: timers and watched descriptors become work of the node. See loop.h. */
#include <errno.h>
#include <string.h>
#include "net/sim/world.h"

static struct sim_timers *timers_of(struct loop *l)
{
	return container_of(l, struct sim_timers, base);
}

static uint64_t loop_now_ns(struct loop *l)
{
	(void)l;
	return sim.now;
}

static void loop_draw(struct loop *l, void *buf, uint32_t len)
{
	uint8_t *p = buf;

	(void)l;
	for (uint32_t i = 0; i < len; i += 8) {
		uint64_t r = sim_random();

		memcpy(p + i, &r, len - i < 8 ? len - i : 8);
	}
}

static int fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	struct sim_node *node = timers_of(l)->node;
	struct sim_watch *w = sim_alloc(sizeof(*w));

	(void)events;
	*w = (struct sim_watch){ .owner = node, .fd = fd, .fn = fn, .arg = arg };
	list_add_tail(&node->watches, &w->link);
	return 0;
}

static int fd_mod(struct loop *l, int fd, uint32_t events)
{
	(void)l;
	(void)fd;
	(void)events;
	return -ENOTSUP;
}

static void fd_del(struct loop *l, int fd)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &timers_of(l)->node->watches) {
		struct sim_watch *w = container_of(pos, struct sim_watch, link);

		if (w->fd == fd) {
			w->fn = NULL;
			list_del(&w->link);
		}
	}
}

/* ---- timers ---- */

static void timers_arm(struct sim_timers *t);

static void timers_work(void *arg, uint64_t v)
{
	struct sim_timers *t = arg;
	unsigned due = 0;

	(void)v;
	for (struct list *l = t->timers.next; l != &t->timers; l = l->next)
		due += container_of(l, struct loop_timer, link)->due_ns <= sim.now;
	/* What is armed meanwhile waits for the next round, as in the real loop. */
	for (; due && !list_empty(&t->timers) && !t->node->dead; due--) {
		struct loop_timer *first = container_of(t->timers.next, struct loop_timer, link);

		if (first->due_ns > sim.now)
			break;
		t->base.ops->timer_del(&t->base, first);
		first->fn(first->arg);
	}
	timers_arm(t);
}

static void timers_due(void *arg, uint64_t at)
{
	struct sim_timers *t = arg;

	if (t->wake_at != at)
		return;
	t->wake_at = 0;
	sim_node_post(t->node, timers_work, t, 0);
}

static void timers_arm(struct sim_timers *t)
{
	uint64_t due;

	if (list_empty(&t->timers))
		return;
	due = container_of(t->timers.next, struct loop_timer, link)->due_ns;
	if (due < sim.now)
		due = sim.now;
	if (t->wake_at && t->wake_at <= due)
		return;
	t->wake_at = due;
	sim_at(due, timers_due, t, due);
}

static void timer_del(struct loop *l, struct loop_timer *timer)
{
	if (!timer->link.next)
		return;
	list_del(&timer->link);
	timer->link.next = timer->link.prev = NULL;
	sim_count_down(timers_of(l)->node, timers);
}

static void timer_set(struct loop *l, struct loop_timer *timer, uint64_t due_ns)
{
	struct sim_timers *t = timers_of(l);
	struct list *after;

	timer_del(l, timer);
	timer->due_ns = due_ns;
	after = t->timers.prev;
	while (after != &t->timers && container_of(after, struct loop_timer, link)->due_ns > due_ns)
		after = after->prev;
	list_add_tail(after->next, &timer->link);
	sim_count_up(t->node, timers);
	timers_arm(t);
}

/* The world runs it. */
static int loop_run_none(struct loop *l)
{
	(void)l;
	return -ENOTSUP;
}

static void loop_nothing(struct loop *l)
{
	(void)l;
}

static const struct loop_ops ops = {
	.now_ns = loop_now_ns,
	.random = loop_draw,
	.fd_add = fd_add,
	.fd_mod = fd_mod,
	.fd_del = fd_del,
	.timer_set = timer_set,
	.timer_del = timer_del,
	.run = loop_run_none,
	.stop = loop_nothing,
	.close = loop_nothing,
};

void sim_loop_open(struct sim_node *node)
{
	node->loop.base.ops = &ops;
	node->loop.node = node;
	list_init(&node->loop.timers);
}
