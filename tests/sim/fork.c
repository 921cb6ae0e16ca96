/*
 * Forks. The parent is the process itself, with the real ExCache up to where fork(2) would be. The child is played: it says
 * who it is, as a child does, and knows what its memory must hold: of the pages that lie in frames it reads some, at any
 * time later, and checks every byte, whatever its parent has done with its own since. It gives some slabs back, and ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "pcomponent/excache/line.h"
#include "rack.h"

#define CONNECT_MS 5000u
#define LOOKS_MAX 96u

/* A page whose contents lie in a frame. */
struct kept {
	uint32_t component, frame;
	uint64_t slab;
	unsigned page;
	uint8_t *bytes;
};

/* What the child has of a slab. */
struct share {
	uint64_t slab;
	uint32_t component;
	struct net_remote *remote;
	bool put, lost;
};

struct child {
	struct proc *p;
	struct sim_node *node;
	struct cap cap;
	uint32_t member;
	struct kept *kept;
	unsigned n_kept;
	struct share *share;
	unsigned n_share;
	struct net *net;
	struct rpc_answer hello;
	struct rpc *daemon, *memory[PROCESS_MEMORY_MAX];
	struct net_data *data[PROCESS_MEMORY_MAX];
	bool gone[PROCESS_MEMORY_MAX]; /* was tried, and is no use */
	struct cap memory_cap[PROCESS_MEMORY_MAX];
	struct net_pd *pd;
	struct net_mr *mr;
	uint8_t *page;
};

/* ---- the child ---- */

static struct share *share_of(struct child *c, const struct kept *k)
{
	for (unsigned i = 0; i < c->n_share; i++)
		if (c->share[i].slab == k->slab && c->share[i].component == k->component)
			return &c->share[i];
	c->share[c->n_share] = (struct share){ .slab = k->slab, .component = k->component };
	return &c->share[c->n_share++];
}

/* It goes on without the answer, as a child does: the daemon may be looking at it still when it is with the others. */
static bool hello_daemon(struct child *c)
{
	if (rpc_connect_early(c->net, c->p->run.p_addr, KIND_DISPATCHER, KIND_PROCESSOR, CONNECT_MS, &c->daemon))
		return false;
	members_serve(c->daemon);
	return !member_greet(c->p, c->daemon, &c->cap, c->member, &c->hello);
}

static bool hello_memory(struct child *c, uint32_t i)
{
	struct p2m_hello_req req = { .cap = c->memory_cap[i], .pid = c->p->run.pid, .member = c->member };
	struct p2m_hello_rep rep;

	if (c->memory[i] || c->gone[i])
		return !c->gone[i];
	c->gone[i] = true;
	if (rpc_connect_sync(c->net, c->p->memory[i].addr, KIND_DISPATCHER, KIND_MEMORY, CONNECT_MS, &c->memory[i])) {
		c->memory[i] = NULL;
		return false;
	}
	if (rpc_call_sync(c->memory[i], P2M_HELLO, req.pid, 0, &req, NULL, 0, 0, &rep, NULL, NULL) ||
	    net_data_open(rpc_conn(c->memory[i]), NET_DEMAND, &c->data[i]))
		return false;
	c->gone[i] = false;
	return true;
}

static int share_open(struct child *c, struct share *s)
{
	struct p2m_slab_key_req req = { .slab = s->slab };
	struct p2m_slab_key_rep rep;
	int err;

	if (s->remote)
		return 0;
	err = rpc_call_sync(c->memory[s->component], P2M_SLAB_KEY, c->p->run.pid, 0, &req, NULL, 0, 0, &rep, NULL,
			    NULL);
	return err ? err
		   : net_remote_open(rpc_conn(c->memory[s->component]), &rep.key, rep.frames * PAGE_BYTES, &s->remote);
}

static void share_put(struct child *c, struct share *s)
{
	struct p2m_slab_put_req req = { .slab = s->slab };
	struct p2m_slab_put_rep rep;

	(void)rpc_call_sync(c->memory[s->component], P2M_SLAB_PUT, c->p->run.pid, 0, &req, NULL, 0, 0, &rep, NULL,
			    NULL);
	s->put = true;
}

static int kept_read(struct child *c, const struct kept *k, const struct share *s)
{
	struct net_sge sge = { .addr = c->page, .bytes = PAGE_BYTES, .mr = c->mr };

	return net_read_sync(c->data[k->component], s->remote, k->frame * PAGE_BYTES, &sge, 1,
			     sim_now() + 30 * NS_PER_S);
}

/* Nothing else but trouble may keep a child from its memory. */
static void explained(const struct child *c, const char *what, int err)
{
	check(sim_node_dead(c->node) || c->p->harmed || c->p->left || proc_troubled(c->p),
	      "a child of process %u: %s: %s", c->p->index, what, strerror(-err));
}

static void look(struct child *c, const struct kept *k)
{
	struct share *s = share_of(c, k);
	int err;

	if (s->put || s->lost)
		return;
	if (!hello_memory(c, k->component)) {
		explained(c, "no memory component", -EPIPE);
		return;
	}
	err = share_open(c, s);
	if (!err)
		err = kept_read(c, k, s);
	if (err) {
		s->lost = true;
		explained(c, "no page", err);
		return;
	}
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		check(c->page[i] == k->bytes[i], "a child of process %u: byte %u of page %u is %02x, not %02x",
		      c->p->index, i, k->page, c->page[i], k->bytes[i]);
	if (sim_chance(50000))
		share_put(c, s);
}

static bool page_get(struct child *c)
{
	if (net_local_any(c->net)) {
		c->page = malloc(PAGE_BYTES);
		return true;
	}
	if (net_pd_open(c->net, &c->pd) || net_mr_alloc(c->pd, PAGE_BYTES, true, &c->mr))
		return false;
	c->page = net_mr_addr(c->mr);
	return true;
}

static void child_end(struct child *c)
{
	struct proc *p = c->p;

	for (unsigned i = 0; i < c->n_share; i++)
		if (c->share[i].remote)
			net_remote_close(c->share[i].remote);
	for (unsigned i = 0; i < PROCESS_MEMORY_MAX; i++) {
		if (c->data[i])
			net_data_close(c->data[i]);
		if (c->memory[i])
			rpc_close(c->memory[i]);
	}
	if (c->daemon)
		rpc_close(c->daemon);
	if (c->mr)
		net_mr_free(c->mr);
	else
		free(c->page);
	if (c->pd)
		net_pd_close(c->pd);
	net_close(c->net);
	sim_node_end(c->node);
	for (unsigned i = 0; i < c->n_kept; i++)
		free(c->kept[i].bytes);
	free(c->kept);
	free(c->share);
	free(c);
	p->children--;
	sim_wake(&p->wait);
}

static void child_main(void *arg)
{
	struct child *c = arg;
	unsigned looks = (unsigned)sim_below(LOOKS_MAX);

	check(!sim_net_open(c->node, false, &c->net), "no net");
	sim_sleep(sim_below(20 * NS_PER_MS));
	if (sim_chance(100000) || !page_get(c) || !hello_daemon(c))
		looks = 0;
	if (sim_chance(300000))
		sim_sleep(sim_below(5 * NS_PER_S));
	for (unsigned i = 0; i < looks && c->n_kept && !sim_node_dead(c->node); i++) {
		look(c, &c->kept[sim_below(c->n_kept)]);
		if (sim_chance(100000))
			sim_sleep(sim_below(300 * NS_PER_MS));
	}
	child_end(c);
}

/* ---- the parent ---- */

static void keep(struct child *c, unsigned page)
{
	struct proc *p = c->p;
	uint64_t *word = p->excache->line((p->kernel->base >> PAGE_SHIFT) + page), w = word ? line_load(word) : 0;
	struct kept *k = &c->kept[c->n_kept];

	check(!line_in_transit(w), "page %u is in transit at a fork", page);
	if (!line_loc(w) || p->lost[page])
		return;
	k->component = p->excache->slab_of(line_loc(w), &k->slab, &k->frame);
	k->page = page;
	k->bytes = malloc(PAGE_BYTES);
	memcpy(k->bytes, p->expect + page * PAGE_BYTES, PAGE_BYTES);
	c->n_kept++;
}

static void child_start(struct proc *p, const struct d2p_fork_rep *member, const struct cap *caps)
{
	struct child *c = calloc(1, sizeof(*c));

	c->p = p;
	c->cap = member->cap;
	c->member = member->member;
	memcpy(c->memory_cap, caps + 1, p->n_memory * sizeof(caps[0]));
	c->kept = calloc(p->pages, sizeof(*c->kept));
	c->share = calloc(p->pages, sizeof(*c->share));
	for (unsigned i = 0; i < p->pages; i++)
		keep(c, i);
	c->node = sim_node_open("fork", rack.daemon->machine);
	p->children++;
	sim_spawn(c->node, child_main, c);
}

static void unfork(struct proc *p, uint32_t member)
{
	struct d2p_unfork_req req = { .member = member };
	struct d2p_unfork_rep rep;

	(void)rpc_call_sync(p->daemon, D2P_UNFORK, p->run.pid, 0, &req, NULL, 0, 0, &rep, NULL, NULL);
}

void fork_step(struct proc *p)
{
	struct d2p_fork_req req = { 0 };
	struct cap caps[PROCESS_MEMORY_MAX + 1];
	struct d2p_fork_rep rep;
	int err = member_name(p, p->daemon, &req, &rep, caps);

	if (err)
		return;
	proc_lock(p);
	if (options.plant != PLANT_NO_SHARE || sim_chance(800000)) {
		err = p->excache->fork_prepare(rep.member);
		if (!err && !sim_node_dead(p->node))
			child_start(p, &rep, caps);
		if (!err)
			p->excache->fork_parent();
	} else {
		child_start(p, &rep, caps);
	}
	proc_unlock(p);
	if (!err)
		return;
	sim_trace("no fork: %s", strerror(-err));
	check(sim_node_dead(p->node) || p->harmed || p->promised || proc_troubled(p), "a fork of process %u fails: %s",
	      p->index, strerror(-err));
	unfork(p, rep.member);
}
