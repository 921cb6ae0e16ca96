/*
 * Guards: one connection to each component of a tree, held while the tree lives. Should this daemon die, its end closes
 * them, and the components release what the tree has, even without a gmm. By them the components hear of members that are
 * over (P2M_LEFT, P2S_LEFT), as some of these never came to them.
 *
 * The memory components are connected to and asked at the same time; the first dispatcher is answered when the last one has
 * answered, or failed to. The storage component keeps nothing for who is not connected to it, but files on their way to a
 * new member: it gets a guard at the first fork, and nothing waits for that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "pcomponent/daemon/internal.h"

static void left_tell(struct dguard *g);

static void guard_closed(struct rpc *rpc, int err)
{
	struct dguard *g = rpc_ctx(rpc);

	(void)err;
	g->rpc = NULL; /* the dispatcher decides what the loss of a memory component means to the process */
	g->up = g->telling = false;
	g->n_left = 0; /* what members had there is gone with it */
}

static const struct rpc_service guard_service = { .closed = guard_closed };

/* The next fork tries again. */
static void storage_failed(struct dguard *g, int err, const char *what)
{
	struct rpc *rpc = g->rpc;

	log_info("process %u: storage component %s %s: %s", g->process->pid, g->process->parts[0].name, what,
		 strerror(-err));
	g->n_left = 0;
	if (err == -EPIPE || !rpc)
		return; /* guard_closed comes, or nothing was opened */
	g->rpc = NULL;
	rpc_close(rpc);
}

static void guard_settled(struct dguard *g, int err, const char *what)
{
	struct dprocess *p = g->process;

	if (!g->part) {
		if (err)
			storage_failed(g, err, what);
		return;
	}
	if (err && !p->guard_err) {
		log_error("process %u: memory component %s %s: %s", p->pid, p->parts[g->part].name, what,
			  strerror(-err));
		p->guard_err = err;
	}
	if (--p->guards_pending == 0)
		dprocess_admit_dispatcher(p);
}

static void guard_done(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct dguard *g = arg;

	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err == -ECANCELED) /* guards_end: the tree is going */
		return;
	g->up = !err;
	if (!err)
		left_tell(g);
	guard_settled(g, err, "does not stand by");
}

static int guard_ask(struct dguard *g, struct net_conn *conn)
{
	struct dprocess *p = g->process;
	const struct cap cap = p->parts[g->part].cap;
	struct p2m_guard_req memory = { .cap = cap, .pid = p->pid };
	struct p2s_guard_req storage = { .cap = cap, .pid = p->pid };
	int err = rpc_open(p->d->loop, conn, KIND_PROCESSOR, &guard_service, g, p->d->counters, &g->rpc);

	if (err) {
		g->rpc = NULL;
		return err;
	}
	return rpc_call(g->rpc, g->part ? P2M_GUARD : P2S_GUARD, p->pid, g->part ? (void *)&memory : &storage, NULL, 0,
			GUARD_DEADLINE_MS, guard_done, g);
}

static void guard_connected(void *arg, int err, struct net_conn *conn)
{
	struct dguard *g = arg;

	g->connecting = NULL;
	if (!err)
		err = guard_ask(g, conn);
	if (err)
		guard_settled(g, err, "cannot be reached");
}

static int guard_begin(struct dprocess *p, uint32_t part)
{
	struct dguard *g = &p->guard[part];

	g->process = p;
	g->part = part;
	return net_connect_begin(p->d->net, p->parts[part].addr, GUARD_CONNECT_MS, guard_connected, g, &g->connecting);
}

int guards_begin(struct dprocess *p)
{
	for (uint32_t i = 1; i <= p->n_memory; i++) {
		int err = guard_begin(p, i);

		p->guards_pending += !err;
		if (err) {
			log_error("process %u: memory component %s cannot be reached at %s: %s", p->pid,
				  p->parts[i].name, p->parts[i].addr, strerror(-err));
			guards_end(p);
			return err;
		}
	}
	return 0;
}

void guard_storage(struct dprocess *p)
{
	if (!p->guard[0].rpc && !p->guard[0].connecting)
		(void)!guard_begin(p, 0);
}

/* ---- members that are over ---- */

static void left_heard(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct dguard *g = arg;

	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err == -ECANCELED || err == -EPIPE)
		return;
	g->telling = false;
	if (err != -ETIMEDOUT)
		memmove(g->left, g->left + 1, --g->n_left * sizeof(g->left[0]));
	left_tell(g);
}

/* One at a time: who has not answered yet has enough to do. */
static void left_tell(struct dguard *g)
{
	struct p2m_left_req memory = { 0 };
	struct p2s_left_req storage = { 0 };

	if (!g->rpc || !g->up || g->telling || !g->n_left)
		return;
	memory.member = storage.member = g->left[0];
	g->telling = !rpc_call(g->rpc, g->part ? P2M_LEFT : P2S_LEFT, g->process->pid,
			       g->part ? (void *)&memory : &storage, NULL, 0, RPC_DEADLINE_MS, left_heard, g);
}

static void left_add(struct dguard *g, uint32_t member)
{
	if (!g->rpc && !g->connecting)
		return;
	if (g->n_left == g->max_left) {
		uint32_t max = g->max_left ? 2 * g->max_left : 8;
		uint32_t *left = realloc(g->left, max * sizeof(left[0]));

		if (!left)
			return; /* the component gives it up with the tree */
		g->left = left;
		g->max_left = max;
	}
	g->left[g->n_left++] = member;
	left_tell(g);
}

void guards_left(struct dprocess *p, uint32_t member)
{
	for (uint32_t i = 0; i <= p->n_memory; i++)
		left_add(&p->guard[i], member);
}

void guards_end(struct dprocess *p)
{
	for (uint32_t i = 0; i <= p->n_memory; i++) {
		struct dguard *g = &p->guard[i];
		struct rpc *rpc = g->rpc;

		if (g->connecting)
			net_connect_cancel(g->connecting);
		g->connecting = NULL;
		g->rpc = NULL;
		if (rpc)
			rpc_close(rpc);
		free(g->left);
		g->left = NULL;
		g->n_left = g->max_left = 0;
		g->up = g->telling = false;
	}
	p->guards_pending = 0;
}
