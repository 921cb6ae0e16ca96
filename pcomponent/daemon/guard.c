/*
 * Guards: one connection to each memory component of a process, held while the process lives. Should this daemon die,
 * its end closes them, and the memory components release what the process has, even without a gmm.
 *
 * Connecting waits for the other side for at most GUARD_CONNECT_MS, and holds the loop meanwhile (net_connect is
 * synchronous); on `local` that is microseconds, as the host's kernel answers for a live listener.
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

static void guard_done(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct dguard *g = arg;
	struct dprocess *p = g->process;

	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err == -ECANCELED)
		return; /* guards_end: p is going */
	if (err && !p->guard_err) {
		log_error("process %u: memory component %s does not stand by: %s", p->pid,
			  p->parts[1 + (g - p->guard)].name, strerror(-err));
		p->guard_err = err;
	}
	if (--p->guards_pending == 0 && p->hello)
		dprocess_admit_dispatcher(p);
}

static int guard_begin(struct dprocess *p, uint32_t i)
{
	const struct placement_part *part = &p->parts[1 + i];
	struct p2m_guard_req req = { .cap = part->cap, .pid = p->pid };
	struct daemon *d = p->d;
	struct dguard *g = &p->guard[i];
	struct net_conn *conn;
	int err = net_connect(d->net, part->addr, GUARD_CONNECT_MS, &conn);

	if (err)
		return err;
	g->process = p;
	err = rpc_open(d->loop, conn, KIND_PROCESSOR, &guard_service, g, d->counters, &g->rpc);
	if (err) {
		g->rpc = NULL;
		return err;
	}
	err = rpc_call(g->rpc, P2M_GUARD, p->pid, &req, NULL, 0, GUARD_DEADLINE_MS, guard_done, g);
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

		p->guard[i].rpc = NULL;
		if (rpc)
			rpc_close(rpc);
	}
	p->guards_pending = 0;
}
