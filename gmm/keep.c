/*
 * Processes that outlive a gmm, or a component's connection to it. Whoever comes back by JOIN_AGAIN has what it had:
 *  - a processor component tells of each process that runs there (X2G_KEEP), with what it has on other components, by
 *    their names; so pids do not collide, and what was promised stays so;
 *  - the others come before or after it: a part of a process waits, without member, for the component of its name.
 * A component that was started anew has nothing, and joins without the flag: nothing is bound to it. But a storage
 * component holds nothing of a process but its right to come: that is given once more, and calls that wait for it go on.
 */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "gmm/internal.h"

static void part_bind(struct gpart *part, struct member *m)
{
	part->member_id = m->id;
	part->asked = true;
	m->promised += part->promise;
	m->placed++;
}

static void admitted_again(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)arg;
	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err && err != -EPIPE && err != -ECANCELED)
		log_warn("a process is not admitted again by its storage component: %s", strerror(-err));
}

static void part_admit_again(struct gpart *part, struct member *m)
{
	int err = gpart_admit(part, m, NULL, 0, RPC_DEADLINE_MS, admitted_again, NULL);

	if (err)
		log_warn("%s cannot be told of process %u again: %s", m->name, part->process->pid, strerror(-err));
}

/* Calls fn for each part of each process. */
static void parts_walk(struct gmm *g, void (*fn)(struct gpart *, struct member *), struct member *m)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->processes) {
		struct gprocess *p = container_of(pos, struct gprocess, link);

		for (unsigned i = 0; i < p->n_parts; i++)
			fn(&p->part[i], m);
	}
}

static void unbind_one(struct gpart *part, struct member *m)
{
	if (part->member_id == m->id && part->process->pending == 0)
		part->member_id = 0;
}

static void bind_one(struct gpart *part, struct member *m)
{
	if (part->member_id || strcmp(part->name, m->name) || !(m->again || m->kind == KIND_STORAGE))
		return;
	part_bind(part, m);
	if (!m->again)
		part_admit_again(part, m);
}

void keep_unbind(struct gmm *g, struct member *m)
{
	parts_walk(g, unbind_one, m);
}

void keep_bind(struct gmm *g, struct member *m)
{
	if (m->kind != KIND_PROCESSOR) /* its processes are told of */
		parts_walk(g, bind_one, m);
}

static int parts_check(const struct kept_part *parts, uint32_t bytes)
{
	uint32_t n = bytes / sizeof(*parts);

	if (bytes % sizeof(*parts) || n < 1 || n > PROCESS_MEMORY_MAX + 1)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++)
		if (!member_text_fits(parts[i].name, NAME_BYTES) || parts[i].promised > 1 || parts[i].reserved0)
			return -EINVAL;
	return 0;
}

/* Its component may be here, may come back, or be gone for good: then the part waits for nobody, and costs nothing. */
static void part_keep(struct gprocess *p, const struct kept_part *kept)
{
	struct gpart *part = &p->part[p->n_parts++];
	struct member *m = member_by_name(p->g, kept->name);

	part->process = p;
	part->cap = kept->cap;
	memcpy(part->name, kept->name, NAME_BYTES);
	part->bytes = kept->bytes;
	part->promise = kept->promised ? kept->bytes : 0;
	if (m && m->peer)
		bind_one(part, m);
}

int keep_process(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct x2g_keep_req *req = body;
	struct gpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct member *m = peer->member;
	struct gprocess *p;

	(void)rep;
	if (!m || m->kind != KIND_PROCESSOR || !m->telling)
		return -EPERM;
	if (req->pid == 0 && !tail_bytes) {
		m->telling = false;
		return 0;
	}
	if (req->pid == 0 || req->pid > INT32_MAX || req->weight == 0 || req->weight > WEIGHT_MAX ||
	    parts_check(tail, tail_bytes))
		return -EINVAL;
	p = gprocess_kept(peer->g, req->pid);
	if (!p)
		return -EEXIST;
	p->uid = req->uid;
	p->gid = req->gid;
	p->weight = req->weight;
	p->budget_bytes = req->excache_bytes ? req->excache_bytes : m->bytes;
	gprocess_add_part(p, m, req->excache_bytes, 0);
	p->part[PART_PROCESSOR].asked = true;
	for (uint32_t i = 0; i < tail_bytes / sizeof(struct kept_part); i++)
		part_keep(p, (const struct kept_part *)tail + i);
	log_info("process %u runs on %s", p->pid, m->name);
	return 0;
}
