/*
 * Guards: one connection to each memory component of a process, held while the process lives. Should this daemon die,
 * its end closes them, and the memory components release what the process has, even without a gmm.
 *
 * All of them are connected to and asked at the same time; the dispatcher is answered when the last one has answered,
 * or failed to.
 */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "pcomponent/daemon/internal.h"

static void guard_closed(struct rpc *rpc, int err)
{
	struct dguard *g = rpc_ctx(rpc);

	(void)err;
	g->rpc = NULL; /* the dispatcher decides what the loss of a memory component means to the process */
}

static const struct rpc_service guard_service = { .closed = guard_closed };

static void guard_settled(struct dguard *g, int err, const char *what)
{
	struct dprocess *p = g->process;

	if (err && !p->guard_err) {
		log_error("process %u: memory component %s %s: %s", p->pid, p->parts[1 + (g - p->guard)].name, what,
			  strerror(-err));
		p->guard_err = err;
	}
	if (--p->guards_pending == 0 && p->hello)
		dprocess_admit_dispatcher(p);
}

static void guard_done(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err != -ECANCELED) /* guards_end: the process is going */
		guard_settled(arg, err, "does not stand by");
}

static int guard_ask(struct dguard *g, struct net_conn *conn)
{
	struct dprocess *p = g->process;
	struct p2m_guard_req req = { .cap = p->parts[1 + (g - p->guard)].cap, .pid = p->pid };
	int err = rpc_open(p->d->loop, conn, KIND_PROCESSOR, &guard_service, g, p->d->counters, &g->rpc);

	if (err) {
		g->rpc = NULL;
		return err;
	}
	return rpc_call(g->rpc, P2M_GUARD, p->pid, &req, NULL, 0, GUARD_DEADLINE_MS, guard_done, g);
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

static int guard_begin(struct dprocess *p, uint32_t i)
{
	struct dguard *g = &p->guard[i];
	int err;

	g->process = p;
	err = net_connect_begin(p->d->net, p->parts[1 + i].addr, GUARD_CONNECT_MS, guard_connected, g, &g->connecting);
	if (!err)
		p->guards_pending++;
	return err;
}

int guards_begin(struct dprocess *p)
{
	for (uint32_t i = 0; i < p->n_memory; i++) {
		int err = guard_begin(p, i);

		if (err) {
			log_error("process %u: memory component %s cannot be reached at %s: %s", p->pid,
				  p->parts[1 + i].name, p->parts[1 + i].addr, strerror(-err));
			guards_end(p);
			return err;
		}
	}
	return 0;
}

void guards_end(struct dprocess *p)
{
	for (uint32_t i = 0; i < p->n_memory; i++) {
		struct rpc *rpc = p->guard[i].rpc;

		if (p->guard[i].connecting)
			net_connect_cancel(p->guard[i].connecting);
		p->guard[i].connecting = NULL;
		p->guard[i].rpc = NULL;
		if (rpc)
			rpc_close(rpc);
	}
	p->guards_pending = 0;
}
