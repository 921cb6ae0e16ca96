/*
 * Processes: admitted by the gmm, bound to the connection that proves the capability, released when
 *  - the dispatcher's connection closes, or its guard's (the node daemon's) does, or the gmm revokes it;
 *  - the gmm is lost before anybody came (mcomponent_gmm_lost), as then nobody is left to revoke it.
 *
 * Release has two halves. At once: the process is forgotten, its connection closed, its keys with it. In turns, so that
 * others are served meanwhile: its slabs go back. A slab is freed whole, its memfd with it, so the kernel hands out
 * zeroed pages for the next one: no frame carries bytes from one process to another.
 */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "mcomponent/internal.h"

struct mprocess *mprocess_find(struct mcomponent *m, uint32_t pid)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &m->processes) {
		struct mprocess *p = container_of(pos, struct mprocess, link);

		if (p->pid == pid)
			return p;
	}
	return NULL;
}

static void refuse_full(const struct mcomponent *m, const struct g2x_admit_req *req)
{
	char want[24], left[24], all[24];

	log_error("process %u cannot be promised %s: %s of %s are neither granted nor promised", req->pid,
		  size_format(req->bytes, want),
		  size_format((m->frames.total - m->frames.granted - m->frames.reserved) * PAGE_BYTES, left),
		  size_format(m->frames.total * PAGE_BYTES, all));
}

int mcomponent_admit(void *ctx, const struct g2x_admit_req *req, const struct placement_part *parts, uint32_t n_parts)
{
	struct mcomponent *m = ctx;
	struct mprocess *p;
	int err;

	(void)parts;
	(void)n_parts;
	if (mprocess_find(m, req->pid))
		return -EEXIST;
	if (m->n_processes >= PROCESSES_MAX)
		return -EAGAIN;
	if (req->bytes < PAGE_BYTES)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	err = mframes_promise(&m->frames, &p->account, req->bytes / PAGE_BYTES);
	if (err) {
		refuse_full(m, req);
		goto free_process;
	}
	err = net_pd_open(m->net, &p->pd);
	if (err)
		goto end_promise;
	p->m = m;
	p->pid = req->pid;
	p->weight = req->weight;
	p->cap = req->cap;
	p->admitted_ns = loop_now(m->loop);
	list_init(&p->slabs);
	mtable_init(&p->slab_by_id, m->seed);
	mtable_init(&p->page_map, m->seed);
	list_add_tail(&m->processes, &p->link);
	m->n_processes++;
	return 0;

end_promise:
	mframes_promise_end(&m->frames, &p->account);
free_process:
	free(p);
	return err;
}

static void mprocess_free(struct mprocess *p)
{
	list_del(&p->link);
	mframes_promise_end(&p->m->frames, &p->account);
	net_pd_close(p->pd);
	mtable_free(&p->slab_by_id);
	mtable_free(&p->page_map);
	free(p);
}

/* Give back up to `frames` frames of a dying process; true when it is gone. */
static bool mprocess_shrink(struct mprocess *p, uint64_t frames)
{
	uint64_t done = 0;

	while (!list_empty(&p->slabs) && done < frames) {
		struct slab *s = container_of(p->slabs.next, struct slab, link);

		done += s->frames;
		mslab_put(p, s);
	}
	if (!list_empty(&p->slabs))
		return false;
	mprocess_free(p);
	return true;
}

static void release_turn(void *arg)
{
	struct mcomponent *m = arg;

	if (!list_empty(&m->dying))
		mprocess_shrink(container_of(m->dying.next, struct mprocess, link), RELEASE_FRAMES_PER_TURN);
	if (!list_empty(&m->dying))
		loop_timer_set(m->loop, &m->release, loop_now(m->loop));
	else if (m->changed)
		m->changed(m->changed_arg);
}

uint64_t mprocess_release(struct mprocess *p)
{
	struct mcomponent *m = p->m;
	uint64_t bytes = p->account.granted * PAGE_BYTES;
	struct peer *dispatcher = p->dispatcher, *guard = p->guard;

	p->dispatcher = p->guard = NULL;
	list_del(&p->link);
	list_add_tail(&m->dying, &p->link);
	m->n_processes--;
	mtable_free(&p->page_map); /* nobody asks for it any more */
	if (guard)
		mpeer_forget(guard);
	if (dispatcher)
		mpeer_forget(dispatcher);
	m->release.fn = release_turn;
	m->release.arg = m;
	loop_timer_set(m->loop, &m->release, loop_now(m->loop));
	return bytes;
}

uint64_t mcomponent_revoke(void *ctx, uint32_t pid)
{
	struct mprocess *p = mprocess_find(ctx, pid);

	return p ? mprocess_release(p) : 0;
}

void mprocess_release_all(struct mcomponent *m)
{
	while (!list_empty(&m->processes))
		mprocess_release(container_of(m->processes.next, struct mprocess, link));
	while (!list_empty(&m->dying))
		mprocess_shrink(container_of(m->dying.next, struct mprocess, link), UINT64_MAX);
	loop_timer_del(m->loop, &m->release);
	loop_timer_del(m->loop, &m->orphans);
}

static void orphans_due(void *arg)
{
	struct mcomponent *m = arg;
	struct list *pos, *next;

	list_for_each_safe(pos, next, &m->processes) {
		struct mprocess *p = container_of(pos, struct mprocess, link);

		if (!p->dispatcher && !p->guard && p->admitted_ns <= m->orphan_ns) {
			log_info("process %u never came; forgotten", p->pid);
			mprocess_release(p);
		}
	}
}

void mcomponent_gmm_lost(void *ctx)
{
	struct mcomponent *m = ctx;

	m->orphan_ns = loop_now(m->loop);
	m->orphans.fn = orphans_due;
	m->orphans.arg = m;
	loop_timer_set(m->loop, &m->orphans, m->orphan_ns + ORPHAN_MS * NS_PER_MS);
}
