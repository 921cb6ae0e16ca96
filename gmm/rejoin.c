/*
 * A component that comes back under its name. What a memory component held is gone with its process or still there: in
 * either case it must hear of the ends of processes again. A storage component holds nothing of a process but its right to
 * come, so that right is given once more, and calls that wait for it go on.
 */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "gmm/internal.h"

static void admitted_again(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)arg;
	(void)rep;
	(void)tail;
	(void)tail_bytes;
	/* EEXIST: only the connection had been lost */
	if (err && err != -EEXIST && err != -EPIPE && err != -ECANCELED)
		log_warn("a process is not admitted again by its storage component: %s", strerror(-err));
}

static void admit_again(struct gprocess *p, struct gpart *part, struct member *m)
{
	struct g2x_admit_req req = {
		.cap = part->cap,
		.bytes = part->bytes,
		.pid = p->pid,
		.processor_id = p->part[PART_PROCESSOR].member_id,
		.uid = p->uid,
		.gid = p->gid,
	};
	int err = rpc_call(m->peer->rpc, G2X_ADMIT, p->pid, &req, NULL, 0, RPC_DEADLINE_MS, admitted_again, NULL);

	if (err)
		log_warn("%s cannot be told of process %u again: %s", m->name, p->pid, strerror(-err));
}

void member_succeeds(struct gmm *g, struct member *m, const struct member *old)
{
	struct list *pos, *next;

	if (m->kind != old->kind)
		return;
	list_for_each_safe(pos, next, &g->processes) {
		struct gprocess *p = container_of(pos, struct gprocess, link);

		for (unsigned i = 0; i < p->n_parts; i++) {
			if (p->part[i].member_id != old->id)
				continue;
			p->part[i].member_id = m->id;
			m->promised += p->part[i].promise;
			m->placed++;
			if (m->kind == KIND_STORAGE && p->part[i].asked)
				admit_again(p, &p->part[i], m);
		}
	}
}
