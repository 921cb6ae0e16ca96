/* Nodes: the work of a loop, one callback after the other on one coroutine, and the end of an OS process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "net/sim/world.h"

void sim_count(struct sim_node *node, size_t field, int64_t n)
{
	*(uint32_t *)((char *)&sim.counts + field) += (uint32_t)n;
	*(uint32_t *)((char *)&node->counts + field) += (uint32_t)n;
}

void sim_counts(struct sim_counts *c)
{
	*c = sim.counts;
}

void sim_node_counts(const struct sim_node *node, struct sim_counts *c)
{
	*c = node->counts;
	c->coroutines = node->n_cos;
}

struct sim_node *sim_node_open(const char *name, unsigned machine)
{
	struct sim_node *node = sim_alloc(sizeof(*node));

	BUG_ON(machine >= SIM_MACHINES);
	snprintf(node->name, sizeof(node->name), "%s", name);
	node->machine = machine;
	node->pid = sim.pid_next++;
	node->task_ns = SIM_TASK_NS;
	list_init(&node->tasks);
	list_init(&node->watches);
	list_init(&node->cos);
	list_add_tail(&sim.nodes, &node->link);
	sim_loop_open(node);
	sim.counts.nodes++;
	sim_trace("node %s is process %d of machine %u", name, node->pid, machine);
	return node;
}

const char *sim_node_name(const struct sim_node *node)
{
	return node->name;
}

int32_t sim_node_pid(const struct sim_node *node)
{
	return node->pid;
}

bool sim_node_dead(const struct sim_node *node)
{
	return node->dead;
}

void sim_node_set_user(struct sim_node *node, void *user)
{
	node->user = user;
}

void *sim_node_user(const struct sim_node *node)
{
	return node->user;
}

struct loop *sim_node_loop(struct sim_node *node)
{
	return &node->loop.base;
}

void sim_node_slow(struct sim_node *node, uint64_t ns)
{
	node->task_ns = ns ? ns : SIM_TASK_NS;
}

/* ---- work ---- */

static void node_kick(struct sim_node *);

void sim_node_stop(struct sim_node *node, bool stop)
{
	node->stopped = stop;
	node_kick(node);
}

static void node_reap(struct sim_node *node)
{
	node->reaping = true;
	if (node->reap)
		node->reap(node->reap_arg);
	node->reap = NULL;
}

static void worker_main(void *arg)
{
	struct sim_node *node = arg;

	for (;;) {
		struct sim_task *t;

		if (node->dead)
			break;
		t = container_of(node->tasks.next, struct sim_task, link);
		list_del(&t->link);
		t->fn(t->arg, t->v);
		free(t);
		node->running = false;
		node->busy_until = sim.now + node->task_ns;
		node_kick(node);
		sim_co_park();
	}
	node->running = true;
	node_reap(node);
	sim_node_end(node);
}

static void node_turn(void *arg, uint64_t v)
{
	struct sim_node *node = arg;

	(void)v;
	node->scheduled = false;
	if (node->gone || node->running || (node->stopped && !node->dead) || (list_empty(&node->tasks) && !node->dead))
		return;
	node->running = true;
	if (!node->worker)
		node->worker = sim_co_new(node, worker_main, node);
	sim_co_run(node->worker);
}

static void node_kick(struct sim_node *node)
{
	if (node->running || node->scheduled || (node->stopped && !node->dead) ||
	    (list_empty(&node->tasks) && !node->dead))
		return;
	node->scheduled = true;
	sim_at(node->dead ? sim.now : node->busy_until, node_turn, node, 0);
}

void sim_node_post(struct sim_node *node, sim_event_fn *fn, void *arg, uint64_t v)
{
	struct sim_task *t;

	if (node->dead)
		return;
	t = malloc(sizeof(*t));
	BUG_ON(!t);
	*t = (struct sim_task){ .fn = fn, .arg = arg, .v = v };
	list_add_tail(&node->tasks, &t->link);
	node_kick(node);
}

/* ---- the end ---- */

static void tasks_drop(struct sim_node *node)
{
	while (!list_empty(&node->tasks)) {
		struct sim_task *t = container_of(node->tasks.next, struct sim_task, link);

		list_del(&t->link);
		free(t);
	}
}

void sim_node_on_death(struct sim_node *node, void (*reap)(void *), void *arg)
{
	node->reap = reap;
	node->reap_arg = arg;
}

static void fd_ready(void *arg, uint64_t v)
{
	struct sim_watch *w = arg;

	(void)v;
	if (w->fn)
		w->fn(w->arg, EPOLLIN);
}

static struct sim_node *node_of_fd(int fd)
{
	struct list *l;

	for (l = sim.nodes.next; l != &sim.nodes; l = l->next)
		if (container_of(l, struct sim_node, link)->pid == fd - SIM_FD_FIRST)
			return container_of(l, struct sim_node, link);
	return NULL;
}

static void watchers_tell(struct sim_node *gone)
{
	struct list *l, *k;

	for (l = sim.nodes.next; l != &sim.nodes; l = l->next) {
		struct sim_node *node = container_of(l, struct sim_node, link);

		for (k = node->watches.next; k != &node->watches; k = k->next) {
			struct sim_watch *w = container_of(k, struct sim_watch, link);

			if (w->fn && !w->posted && w->fd - SIM_FD_FIRST == gone->pid) {
				w->posted = true;
				sim_node_post(w->owner, fd_ready, w, 0);
			}
		}
	}
}

/* Everything of it that others can see is over. */
static void node_cut(struct sim_node *node)
{
	struct list *l;

	node->dead = true;
	sim_note(0xdead, (uint64_t)node->pid);
	sim_trace("process %d (%s) ends", node->pid, node->name);
	tasks_drop(node);
	for (l = sim.listeners.next; l != &sim.listeners; l = l->next)
		if (container_of(l, struct sim_listener, link)->node == node)
			container_of(l, struct sim_listener, link)->addr[0] = '\0';
	sim_conns_drop(node);
	watchers_tell(node);
}

void sim_node_kill(struct sim_node *node)
{
	if (node->dead)
		return;
	node_cut(node);
	sim_cos_wake(node);
	/* One with coroutines of its own ends by itself, when they have returned. */
	if (node->reap)
		node_kick(node);
}

void sim_node_end(struct sim_node *node)
{
	if (!node->dead)
		node_cut(node);
	BUG_ON(node->gone);
	node->gone = true;
	tasks_drop(node);
	sim.counts.nodes--;
}

/* ---- descriptors of processes ---- */

int sim_pidfd_open(int32_t pid)
{
	struct sim_node *node = node_of_fd(pid + SIM_FD_FIRST);

	return node && !node->dead ? pid + SIM_FD_FIRST : -ESRCH;
}

void sim_pidfd_kill(int fd)
{
	struct sim_node *self = sim_node_self(), *node = node_of_fd(fd);

	if (node && !(self && self->dead)) /* the dead kill nobody */
		sim_node_kill(node);
}

void sim_pidfd_close(int fd)
{
	(void)fd;
}
