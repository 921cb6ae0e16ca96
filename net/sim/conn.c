/*
 * Connections. Both ends know each other; what one does the other sees when a message has crossed the link. An end dies
 * when its user closes it, its process ends, the peer's end arrives, or its link was cut for too long.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "net/sim/world.h"

#define HELLO_BYTES 64u

static struct sim_conn *conn_of(const struct net_conn *c)
{
	return container_of(c, struct sim_conn, base);
}

/* ---- listening ---- */

static struct sim_listener *listener_find(const char *addr)
{
	struct list *l;

	for (l = sim.listeners.next; l != &sim.listeners; l = l->next) {
		struct sim_listener *x = container_of(l, struct sim_listener, link);

		if (x->open && !x->node->dead && strcmp(x->addr, addr) == 0)
			return x;
	}
	return NULL;
}

static bool address_fits(const char *addr)
{
	return strncmp(addr, "sim:", 4) == 0 && addr[4] && strlen(addr) < ADDR_BYTES;
}

int sim_listen(struct net *base, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
	       struct net_listener **out)
{
	struct sim_net *net = container_of(base, struct sim_net, base);
	struct sim_listener *l;

	if (!address_fits(addr))
		return -EINVAL;
	if (listener_find(addr))
		return -EADDRINUSE;
	l = sim_alloc(sizeof(*l));
	l->base.net = base;
	l->node = net->node;
	l->open = true;
	l->accepted = accepted;
	l->arg = arg;
	if (strcmp(addr, "sim:auto") == 0)
		snprintf(l->addr, sizeof(l->addr), "sim:auto%u", ++sim.auto_next);
	else
		snprintf(l->addr, sizeof(l->addr), "%s", addr);
	list_add_tail(&sim.listeners, &l->link);
	sim_count_up(net->node, listeners);
	*out = &l->base;
	return 0;
}

const char *sim_listener_addr(const struct net_listener *l)
{
	return container_of(l, struct sim_listener, base)->addr;
}

void sim_listener_close(struct net_listener *base)
{
	struct sim_listener *l = container_of(base, struct sim_listener, base);

	BUG_ON(!l->open);
	l->open = false;
	list_del(&l->link);
	sim_count_down(l->node, listeners);
}

/* ---- connecting ---- */

struct attempt {
	struct net_connecting base; /* used where begun by sim_connect_begin */
	bool begun;
	struct sim_conn *conn; /* NULL: the caller has given up, or has it */
	struct sim_node *from;
	char addr[ADDR_BYTES];
	struct sim_waitq wait;
	bool over;
	int err;
};

static struct sim_conn *conn_new(struct net *net, struct sim_node *node, struct sim_node *to)
{
	struct sim_conn *c = sim_alloc(sizeof(*c));

	c->base.net = net;
	c->node = node;
	c->out = sim_link(node->machine, to->machine);
	c->fd = sim.fd_next++;
	c->open = true;
	c->who = (struct net_peer){ .known = true, .uid = geteuid(), .gid = getegid(), .host_pid = to->pid };
	list_init(&c->rx);
	list_init(&c->xfers);
	list_add_tail(&sim.conns, &c->link);
	sim_count_up(node, conns);
	return c;
}

static void accept_work(void *arg, uint64_t v)
{
	struct sim_conn *c = arg;
	struct sim_listener *l = (struct sim_listener *)(uintptr_t)v;

	c->waits = false;
	if (l->open)
		l->accepted(l->arg, &c->base);
	else
		sim_conn_close(&c->base);
}

static void attempt_tell(void *arg, uint64_t v)
{
	struct attempt *a = arg;
	struct sim_conn *c = a->conn;

	(void)v;
	if (!c) /* called off */
		return;
	a->conn = NULL;
	if (a->err)
		sim_conn_close(&c->base);
	a->base.done(a->base.arg, a->err, a->err ? NULL : &c->base);
}

static void attempt_over(void *arg, uint64_t err)
{
	struct attempt *a = arg;

	if (a->over)
		return;
	a->over = true;
	a->err = (int)err;
	sim_wake(&a->wait);
	if (a->begun)
		sim_node_post(a->from, attempt_tell, a, 0);
}

/* The request to connect has come to the listener's machine. */
static void attempt_arrives(void *arg, uint64_t machine)
{
	struct attempt *a = arg;
	struct sim_listener *l = listener_find(a->addr);
	struct sim_link *back = sim_link((unsigned)machine, a->from->machine);
	struct sim_conn *far;

	if (!a->conn || a->from->dead)
		return;
	if (!l) {
		sim_send(back, HELLO_BYTES, NET_DEMAND, NULL, 0, attempt_over, a, (uint64_t)-ECONNREFUSED);
		return;
	}
	far = conn_new(l->base.net, l->node, a->from);
	far->peer = a->conn;
	far->waits = true;
	a->conn->peer = far;
	a->conn->who.host_pid = l->node->pid;
	sim_node_post(l->node, accept_work, far, (uintptr_t)l);
	sim_send(back, HELLO_BYTES, NET_DEMAND, &far->order, 0, attempt_over, a, 0);
}

/* Addresses name processes, so the machine is known as soon as somebody listened there; else any machine refuses. */
static unsigned machine_of(const char *addr, unsigned mine)
{
	struct sim_listener *l = listener_find(addr);

	return l ? l->node->machine : mine;
}

static int attempt_begin(struct net *base, const char *addr, bool begun, struct attempt **out)
{
	struct sim_node *self = container_of(base, struct sim_net, base)->node;
	struct attempt *a;
	unsigned machine;

	if (!address_fits(addr))
		return -EINVAL;
	if (self->dead)
		return -EPIPE;
	machine = machine_of(addr, self->machine);
	a = sim_alloc(sizeof(*a));
	a->from = self;
	a->begun = begun;
	snprintf(a->addr, sizeof(a->addr), "%s", addr);
	a->conn = conn_new(base, self, self);
	a->conn->out = sim_link(self->machine, machine);
	sim_send(a->conn->out, HELLO_BYTES, NET_DEMAND, NULL, 0, attempt_arrives, a, machine);
	*out = a;
	return 0;
}

int sim_connect_begin(struct net *net, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		      struct net_connecting **out)
{
	struct attempt *a;
	int err = attempt_begin(net, addr, true, &a);

	(void)whom;
	if (err)
		return err;
	sim_at(sim.now + timeout_ms * NS_PER_MS, attempt_over, a, (uint64_t)-ETIMEDOUT);
	*out = &a->base;
	return 0;
}

void sim_connect_cancel(struct net_connecting *base)
{
	struct attempt *a = container_of(base, struct attempt, base);

	BUG_ON(!a->conn);
	sim_conn_close(&a->conn->base);
	a->conn = NULL;
}

int sim_connect(struct net *net, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	uint64_t deadline = sim.now + timeout_ms * NS_PER_MS;
	struct attempt *a;
	int err = attempt_begin(net, addr, false, &a);

	if (err)
		return err;
	while (!a->over && !err)
		err = sim_wait(&a->wait, deadline);
	if (!err)
		err = a->err;
	if (err) {
		sim_conn_close(&a->conn->base);
		a->conn = NULL;
		return err;
	}
	*out = &a->conn->base;
	return 0;
}

/* ---- the end of one ---- */

static void told(void *arg, uint64_t v)
{
	struct sim_conn *c = arg;

	(void)v;
	if (!c->open || c->told || !c->started)
		return;
	c->told = true;
	c->base.events->closed(c->base.arg, c->err);
}

static void end_arrives(void *arg, uint64_t err)
{
	struct sim_conn *c = arg;

	if (!c->dead)
		sim_conn_break(c, (int)err, false);
}

/* A peer that is not told finds out by its own timeout, later. */
static void end_send(struct sim_conn *c, int err, bool tell)
{
	if (!c->peer || c->peer->dead || (sim.cfg.lose_ends && sim_chance(50000)))
		return;
	if (tell)
		sim_send(c->out, HELLO_BYTES, NET_DEMAND, &c->order, 0, end_arrives, c->peer, (uint64_t)-EPIPE);
	else
		sim_at(sim.now + sim_below(sim.cfg.break_ns + 1), end_arrives, c->peer, (uint64_t)err);
}

void sim_conn_break(struct sim_conn *c, int err, bool tell)
{
	if (c->dead)
		return;
	c->dead = true;
	c->err = err;
	sim_trace("connection %d of %s ends: %d", c->fd - SIM_FD_FIRST, c->node->name, err);
	end_send(c, err, tell || err == -EPIPE);
	sim_xfers_fail(c, -EPIPE);
	sim_wake(&c->wait);
	sim_wake(&c->node->hangups);
	if (c->started && c->open)
		sim_node_post(c->node, told, c, 0);
}

void sim_conn_kill(struct net_conn *base)
{
	struct sim_conn *c = conn_of(base);

	BUG_ON(!c->open);
	if (!c->dead)
		sim_conn_break(c, -EPIPE, true);
}

void sim_conn_close(struct net_conn *base)
{
	struct sim_conn *c = conn_of(base);

	BUG_ON(!c->open);
	if (!c->dead)
		sim_conn_break(c, -EPIPE, true);
	c->open = false;
	sim_msgs_drop(c);
	sim_count_down(c->node, conns);
}

void sim_conns_drop(struct sim_node *node)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &sim.conns) {
		struct sim_conn *c = container_of(pos, struct sim_conn, link);

		if (c->node != node)
			continue;
		if (c->waits)
			sim_conn_close(&c->base);
		else if (!c->dead)
			sim_conn_break(c, -EPIPE, true);
	}
}

/* ---- what else there is to ask ---- */

int sim_conn_start(struct net_conn *base)
{
	struct sim_conn *c = conn_of(base);
	struct list *l;

	BUG_ON(!c->open);
	c->started = true;
	for (l = c->rx.next; l != &c->rx; l = l->next)
		sim_node_post(c->node, sim_msg_deliver, c, 0);
	if (c->dead)
		sim_node_post(c->node, told, c, 0);
	return 0;
}

void sim_conn_peer(const struct net_conn *base, struct net_peer *who)
{
	*who = conn_of(base)->who;
}

int sim_conn_wait(struct net_conn *base, uint64_t deadline_ns)
{
	struct sim_conn *c = conn_of(base);

	while (list_empty(&c->rx) && !c->dead) {
		bool was_full = c->refused;
		int err;

		if (deadline_ns <= sim.now)
			return -ETIMEDOUT;
		err = sim_wait(&c->wait, deadline_ns);
		if (err)
			return err;
		if (was_full && !c->refused)
			break;
	}
	return 0;
}

int sim_conn_fd(const struct net_conn *base)
{
	return conn_of(base)->fd;
}

bool sim_conn_dead(const struct net_conn *base)
{
	return conn_of(base)->dead;
}

static struct sim_conn *conn_of_fd(int fd)
{
	struct list *l;

	for (l = sim.conns.next; l != &sim.conns; l = l->next)
		if (container_of(l, struct sim_conn, link)->fd == fd)
			return container_of(l, struct sim_conn, link);
	return NULL;
}

int sim_fds_wait(const int *fd, unsigned n)
{
	struct sim_node *self = sim_node_self();

	for (;;) {
		for (unsigned i = 0; i < n; i++) {
			struct sim_conn *c = fd[i] < 0 ? NULL : conn_of_fd(fd[i]);

			if (c && c->dead)
				return (int)i;
		}
		if (!self || self->dead)
			return -EPIPE;
		if (self->hangup_wake) {
			self->hangup_wake = false;
			return -EINTR;
		}
		(void)sim_wait(&self->hangups, 0);
		sim_sleep(sim_below(NS_PER_MS)); /* a service thread gets its turn late at times */
	}
}

void sim_fds_wake(struct sim_node *node)
{
	node->hangup_wake = true;
	sim_wake(&node->hangups);
}
