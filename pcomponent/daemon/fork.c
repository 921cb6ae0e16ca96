/*
 * D2P_FORK and D2P_UNFORK: a dispatcher has a number, a capability and local memory set aside for the process that it is
 * about to make, or for the program that it is about to become. Nothing of it waits.
 */
#include <errno.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "pcomponent/daemon/internal.h"

/* The member that runs at the other end; NULL: none does. */
static struct dmember *asker(struct rpc_request *rq)
{
	const struct dpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct dmember *m = peer->member;

	return m && !m->hello && m->budget.granted ? m : NULL;
}

/* What the member is to show to the components. */
static int caps_tell(struct rpc_request *rq, const struct dprocess *p, uint32_t id)
{
	struct cap caps[PROCESS_MEMORY_MAX + 1];

	for (uint32_t i = 0; i <= p->n_memory; i++)
		caps[i] = cap_of_member(&p->parts[i].cap, id);
	return rpc_reply_tail(rq, caps, (p->n_memory + 1) * (uint32_t)sizeof(caps[0]));
}

static int exec_name(struct dmember *m, struct d2p_fork_rep *rep)
{
	if (m->budget.asked)
		return -EBUSY; /* with what the next program begins only its answer tells */
	m->exec_id = ++m->tree->last_id;
	rep->member = m->exec_id;
	rep->relayed = !m->direct && !dmember_direct(m, &m->exec_direct);
	rep->cap = cap_of_member(&m->tree->cap, m->exec_id);
	rep->excache_bytes = rep->kept_bytes = budget_in_force(m);
	return 0;
}

/*
 * Each member is a connection to every component, and those are bounded, for each user and in all (limits.h): a fork is told
 * so, rather than the child to whom nobody listens. A quarter is left to commands and whatever else connects.
 */
static bool crowded(const struct dprocess *p)
{
	struct list *pos, *next;
	uint32_t n = 0;

	list_for_each_safe(pos, next, &p->d->processes) {
		const struct dprocess *other = container_of(pos, struct dprocess, link);

		n += other->uid == p->uid ? other->n_members : 0;
	}
	return p->d->n_members >= CONNECTIONS_MAX / 4 * 3 ||
	       (p->uid != 0 && p->uid != geteuid() && n >= CONNECTIONS_USER_MAX / 4 * 3);
}

static int fork_name(struct dmember *parent, uint64_t offer, struct d2p_fork_rep *rep)
{
	struct dprocess *p = parent->tree;
	struct daemon *d = p->d;
	struct dmember *m;
	int err;

	if (p->n_members >= MEMBERS_MAX || crowded(p))
		return -EAGAIN;
	m = dmember_new(p, p->last_id + 1);
	if (!m)
		return -EAGAIN;
	err = budget_fork(parent, offer, m);
	if (err) {
		dmember_remove(m);
		return err;
	}
	p->last_id = m->id;
	m->parent = parent;
	loop_timer_set(d->loop, &m->due, loop_now(d->loop) + DMEMBER_MS * NS_PER_MS);
	rep->member = m->id;
	/*
	 * What a fabric's library has opened in a parent is no use in its child, and cannot be opened there anew (librdmacm
	 * keeps the devices for the life of a process): a forked process goes by the relay until it becomes another program.
	 */
	rep->relayed = d->relay != NULL;
	rep->cap = m->cap;
	rep->excache_bytes = m->budget.granted;
	rep->kept_bytes = parent->budget.granted;
	return 0;
}

int fork_begin(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct d2p_fork_req *req = body;
	struct dmember *m = asker(rq);
	int err;

	(void)tail;
	(void)tail_bytes;
	if (req->reserved0 || req->exec > 1 || (req->exec && req->offer_bytes))
		return -EINVAL;
	if (!m)
		return -EACCES;
	if (m->exec_id)
		return -EBUSY;
	if (m->tree->last_id == UINT32_MAX)
		return -EAGAIN; /* a number is never used twice */
	guard_storage(m->tree);
	err = caps_tell(rq, m->tree, m->tree->last_id + 1);
	if (err)
		return err;
	return req->exec ? exec_name(m, rep) : fork_name(m, req->offer_bytes, rep);
}

int fork_undo(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct d2p_unfork_req *req = body;
	struct d2p_unfork_rep *rep = rep_body;
	struct dmember *m = asker(rq), *child;

	(void)tail;
	(void)tail_bytes;
	if (req->reserved0 || !req->member)
		return -EINVAL;
	if (!m)
		return -EACCES;
	child = dmember_find(m->tree, req->member);
	if (!child || (child != m && child->parent != m) || (child == m && m->exec_id != req->member))
		return -ESRCH;
	rep->excache_bytes = budget_unfork(m, child == m ? NULL : child);
	if (child == m) {
		m->exec_id = 0;
		m->tree->d->n_direct -= m->exec_direct;
		m->exec_direct = false;
		loop_timer_del(m->tree->d->loop, &m->due);
	} else {
		dmember_remove(child);
		budgets_look(m->tree->d, HUNGRY_LOOK_MS);
	}
	guards_left(m->tree, req->member);
	return 0;
}
