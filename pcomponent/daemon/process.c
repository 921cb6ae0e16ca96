/* Trees of processes of this machine: admitted, reported, ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "pcomponent/daemon/internal.h"
#include "pcomponent/daemon/start.h"

struct dprocess *dprocess_find(struct daemon *d, uint32_t pid)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &d->processes) {
		struct dprocess *p = container_of(pos, struct dprocess, link);

		if (p->pid == pid)
			return p;
	}
	return NULL;
}

static void announce_due(void *arg)
{
	struct dprocess *p = arg;

	if (!p->command)
		dprocess_end(p, "no command announced it", true);
}

/* A budget asked for by size is set aside; without a size a process gets a part of what is left (share.h). */
static int budget_check(const struct daemon *d, const struct g2x_admit_req *req)
{
	char want[24], left[24], all[24];

	if (req->bytes <= d->excache_bytes - d->excache_promised)
		return 0;
	log_error("process %u cannot have an ExCache of %s: %s of %s are left", req->pid, size_format(req->bytes, want),
		  size_format(d->excache_bytes - d->excache_promised, left), size_format(d->excache_bytes, all));
	return -ENOMEM;
}

int daemon_admit(void *ctx, const struct g2x_admit_req *req, const struct placement_part *parts, uint32_t n_parts)
{
	struct daemon *d = ctx;
	struct dprocess *p;
	int err;

	if (dprocess_find(d, req->pid))
		return -EEXIST;
	if (d->n_processes >= PROCESSES_MAX)
		return -EAGAIN;
	err = budget_check(d, req);
	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->d = d;
	p->pid = req->pid;
	p->uid = req->uid;
	p->gid = req->gid;
	p->weight = req->weight;
	p->cap = req->cap;
	p->promised_bytes = req->bytes;
	memcpy(p->parts, parts, n_parts * sizeof(*parts));
	p->n_memory = n_parts - 1;
	list_init(&p->members);
	p->first = dmember_new(p, 0);
	if (!p->first) {
		free(p);
		return -ENOMEM;
	}
	p->announce.fn = announce_due;
	p->announce.arg = p;
	loop_timer_set(d->loop, &p->announce, loop_now(d->loop) + ANNOUNCE_MS * NS_PER_MS);
	d->excache_promised += p->promised_bytes;
	list_add_tail(&d->processes, &p->link);
	d->n_processes++;
	return 0;
}

uint64_t daemon_revoke(void *ctx, uint32_t pid)
{
	struct dprocess *p = dprocess_find(ctx, pid);
	uint64_t bytes;

	if (!p)
		return 0;
	bytes = p->promised_bytes;
	dprocess_end(p, "revoked by the gmm", false);
	return bytes;
}

static void reported(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)arg;
	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err && err != -EPIPE && err != -ECANCELED && err != -ESRCH)
		log_warn("the gmm does not take the report of an end: %s", strerror(-err));
}

/* Without a gmm there is nobody to tell: the guards and the dispatcher's own connections say it to the components. */
static void report(struct daemon *d, uint32_t pid)
{
	struct rpc *gmm = d->component ? component_gmm(d->component) : NULL;
	struct x2g_end_req req = { .pid = pid, .wait_status = -1 }; /* not our child: the command has its status */

	if (gmm)
		rpc_call(gmm, X2G_END, pid, &req, NULL, 0, RPC_DEADLINE_MS, reported, NULL);
}

void dprocess_end(struct dprocess *p, const char *why, bool tell)
{
	struct daemon *d = p->d;

	log_info("process %u: %s", p->pid, why);
	p->ending = true;
	d->over[d->n_over % OVER_MAX].cap = p->cap;
	d->over[d->n_over++ % OVER_MAX].pid = p->pid;
	loop_timer_del(d->loop, &p->announce);
	list_del(&p->link);
	d->n_processes--;
	d->excache_promised -= p->promised_bytes;
	while (!list_empty(&p->members))
		dmember_remove(container_of(p->members.next, struct dmember, link));
	guards_end(p);
	if (p->command) {
		p->command->process = NULL; /* the command sees the end of its child by itself */
		/* Its dispatcher may not have come yet, or be stopped: what we started we end. */
		if (p->command->start)
			start_tree_over(p->command->start);
	}
	budgets_look(d, 0);
	if (tell)
		report(d, p->pid);
	if (d->component)
		component_beat(d->component);
	free(p);
}
