/*
 * Processes that a program makes: each a node that comes to the node daemon under the number it was given, makes others,
 * becomes another program, and ends when it likes or is killed; some never come. They have no memory of their own here:
 * what is looked at is that every one of them is known, and that nothing of it is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "rack.h"

#define CONNECT_MS 5000u
#define MEMBERS_SIM 8u /* of one program at a time */

struct bare {
	struct list link; /* of the world's */
	struct proc *p;
	struct sim_node *node;
	struct net *net;
	struct rpc *daemon;
	struct rpc_answer hello;
	struct cap cap;
	uint32_t id;
	unsigned depth;
};

static struct list all = { &all, &all };

static int budget(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	return -ENOMEM; /* what an ExCache does that cannot get smaller */
}

static const struct rpc_service service = { .handler = { [IDX_D2P_BUDGET] = budget } };

void members_serve(struct rpc *daemon)
{
	rpc_sync_serve(daemon, &service, NULL);
}

static void member_start(struct proc *p, const struct d2p_fork_rep *rep, unsigned depth);

int member_name(struct proc *p, struct rpc *daemon, const struct d2p_fork_req *req, struct d2p_fork_rep *rep,
		struct cap caps[PROCESS_MEMORY_MAX + 1])
{
	uint32_t n = (PROCESS_MEMORY_MAX + 1) * sizeof(caps[0]);
	int err = rpc_call_sync(daemon, D2P_FORK, p->run.pid, 0, req, NULL, 0, 0, rep, caps, &n);

	if (err)
		return err;
	check(n == (p->n_memory + 1) * sizeof(caps[0]) && rep->relayed <= 1, "capabilities of %u bytes", n);
	for (uint32_t i = 0; i <= p->n_memory; i++) {
		struct cap want = cap_of_member(&p->placement[i].cap, rep->member);

		check(cap_equal(&want, &caps[i]), "member %u has a wrong capability", rep->member);
	}
	return 0;
}

/* A fork that comes about, or does not, or is not heard of any more. */
static void member_fork(struct proc *p, struct rpc *daemon, unsigned depth)
{
	struct d2p_fork_req req = { .offer_bytes = sim_below(4) * 16 * PAGE_BYTES };
	struct d2p_unfork_req unfork;
	struct d2p_unfork_rep undone;
	struct cap caps[PROCESS_MEMORY_MAX + 1];
	struct d2p_fork_rep rep;

	if (p->members >= MEMBERS_SIM || member_name(p, daemon, &req, &rep, caps))
		return;
	check(rep.member && rep.excache_bytes >= 64 * PAGE_BYTES, "member %u with %lu bytes", rep.member,
	      (unsigned long)rep.excache_bytes);
	unfork = (struct d2p_unfork_req){ .member = rep.member };
	switch (sim_below(8)) {
	case 0:
		rpc_call_sync(daemon, D2P_UNFORK, p->run.pid, 0, &unfork, NULL, 0, 0, &undone, NULL, NULL);
		break;
	case 1:
		break; /* the daemon has to forget it by itself */
	default:
		member_start(p, &rep, depth);
	}
}

void members_step(struct proc *p)
{
	if (sim_chance(20000))
		member_fork(p, p->daemon, 0);
	rpc_sync_step(p->daemon);
}

/* On the node's own fabric nothing is lost, so a question that nobody waits for is not sent again. */
int member_greet(struct proc *p, struct rpc *daemon, const struct cap *cap, uint32_t id, struct rpc_answer *hello)
{
	struct d2p_hello_req req = { .cap = *cap, .pid = p->run.pid, .member = id };
	struct d2p_hello_rep rep;
	int err;

	if (!chaos_lossy && !sim_chance(300000))
		return rpc_ask_sync(daemon, D2P_HELLO, req.pid, &req, CONNECT_MS, hello);
	err = rpc_call_sync(daemon, D2P_HELLO, req.pid, 0, &req, NULL, 0, 0, &rep, NULL, NULL);
	if (!err)
		check(!rep.n_memory && !rep.relayed && rep.excache_bytes, "member %u is told what it knows", id);
	return err;
}

static int member_hello(struct bare *b)
{
	int err = rpc_connect_early(b->net, b->p->run.p_addr, KIND_DISPATCHER, KIND_PROCESSOR, CONNECT_MS, &b->daemon);

	if (err) {
		b->daemon = NULL;
		return err;
	}
	rpc_sync_serve(b->daemon, &service, NULL);
	return member_greet(b->p, b->daemon, &b->cap, b->id, &b->hello);
}

/* The same node under a new number: its connection ends, and it comes again. */
static int member_exec(struct bare *b)
{
	struct d2p_fork_req req = { .exec = 1 };
	struct cap caps[PROCESS_MEMORY_MAX + 1];
	struct d2p_fork_rep rep;
	int err = member_name(b->p, b->daemon, &req, &rep, caps);

	if (err)
		return err == -EBUSY ? 0 : err;
	b->cap = rep.cap;
	b->id = rep.member;
	rpc_close(b->daemon);
	b->daemon = NULL;
	sim_sleep(sim_below(20 * NS_PER_MS));
	return member_hello(b);
}

static int member_step(struct bare *b)
{
	sim_sleep(sim_below(30 * NS_PER_MS));
	if (sim_node_dead(b->node) || net_conn_dead(rpc_conn(b->daemon)))
		return -EPIPE;
	if (b->hello.err < 0)
		return b->hello.err;
	switch (sim_below(10)) {
	case 0:
		return member_exec(b);
	case 1:
		if (b->depth < 2)
			member_fork(b->p, b->daemon, b->depth + 1);
		return 0;
	case 2:
		if (sim_chance(300000))
			member_kill(b->p);
		return 0;
	default:
		return rpc_sync_step(b->daemon);
	}
}

static void member_main(void *arg)
{
	struct bare *b = arg;
	unsigned steps = (unsigned)sim_below(30);
	int err;

	check(!sim_net_open(b->node, false, &b->net), "no net");
	sim_sleep(sim_below(10 * NS_PER_MS));
	err = member_hello(b);
	for (unsigned i = 0; !err && i < steps; i++)
		err = member_step(b);
	/* It is refused, or loses its daemon, where something was done to its tree or to the rack. */
	check(!err || sim_node_dead(b->node) || b->p->harmed || b->p->left || proc_troubled(b->p),
	      "process %u: its member %u: %s, and nothing has happened that would explain it", b->p->index, b->id,
	      strerror(-err));
	if (b->daemon)
		rpc_close(b->daemon);
	net_close(b->net);
	sim_node_end(b->node);
	b->p->members--;
	sim_wake(&b->p->wait);
	list_del(&b->link);
	free(b);
}

static void member_start(struct proc *p, const struct d2p_fork_rep *rep, unsigned depth)
{
	struct bare *b = calloc(1, sizeof(*b));
	char name[NAME_BYTES] = "run0.0";

	name[3] = (char)('0' + p->index);
	name[5] = (char)('0' + rep->member % 10);
	b->p = p;
	b->cap = rep->cap;
	b->id = rep->member;
	b->depth = depth;
	b->node = sim_node_open(name, rack.daemon->machine);
	p->members++;
	list_add_tail(&all, &b->link);
	sim_spawn(b->node, member_main, b);
}

void member_kill(struct proc *p)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &all) {
		struct bare *b = container_of(pos, struct bare, link);

		if (b->p != p || sim_node_dead(b->node) || sim_chance(500000))
			continue;
		sim_trace("KILL member %u of process %u", b->id, p->index);
		sim_node_kill(b->node);
		return;
	}
}
