/*
 * Trees: admitted by the gmm, bound to the connections that prove the capability, released when
 *  - its guard's connection (the node daemon's) closes, or the gmm revokes it;
 *  - it has no guard, and the last connection of its members closes;
 *  - the gmm is lost before anybody came (mcomponent_gmm_lost), as then nobody is left to revoke it.
 *
 * Release has two halves. At once: the tree is forgotten, its connections are closed, and their keys with them. In turns,
 * so that others are served meanwhile: the slabs of its members go back. A slab is freed whole, its memfd with it, so the
 * kernel hands out zeroed pages for the next one: no frame carries bytes from one tree to another.
 *
 * What members make us remember (page maps, shares of slabs) is bounded by the tree's quota: else one that forks many times
 * could take more of our memory for that than it has frames.
 */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "mcomponent/internal.h"

#define BOOKS_FRACTION 4u	  /* of the quota; one process alone stays below a fifth */
#define BOOKS_LEAST (1024u << 10) /* and so much for the smallest */

struct mtree *mtree_find(struct mcomponent *m, uint32_t pid)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &m->trees) {
		struct mtree *t = container_of(pos, struct mtree, link);

		if (t->pid == pid)
			return t;
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

/* False: the tree has its share; it counts all the same. */
static bool books_take(struct mtree *t, uint64_t bytes)
{
	t->books += bytes;
	return t->books <= t->account.quota * PAGE_BYTES / BOOKS_FRACTION + BOOKS_LEAST;
}

static void books_give(struct mtree *t, uint64_t bytes)
{
	BUG_ON(t->books < bytes);
	t->books -= bytes;
}

void *mtree_calloc(struct mtree *t, uint64_t bytes)
{
	void *p = books_take(t, bytes) ? calloc(1, bytes) : NULL;

	if (!p)
		books_give(t, bytes);
	return p;
}

void mtree_free(struct mtree *t, void *p, uint64_t bytes)
{
	books_give(t, bytes);
	free(p);
}

int mtree_table(struct mtree *t, struct table *table, uint64_t more)
{
	uint64_t before = mtable_bytes(table);
	int err = mtable_reserve(table, more);

	return err ? err : books_take(t, mtable_bytes(table) - before) ? 0 : -ENOMEM;
}

void mtree_table_free(struct mtree *t, struct table *table)
{
	books_give(t, mtable_bytes(table));
	mtable_free(table);
}

static int tree_new(struct mcomponent *m, const struct g2x_admit_req *req)
{
	struct mtree *t = calloc(1, sizeof(*t));
	struct mmember *first;
	struct net_pd *pd;
	int err;

	if (!t)
		return -ENOMEM;
	t->m = m;
	t->pid = req->pid;
	t->weight = req->weight;
	t->cap = req->cap;
	t->admitted_ns = loop_now(m->loop);
	list_init(&t->members);
	err = mframes_promise(&m->frames, &t->account, req->bytes / PAGE_BYTES);
	if (err) {
		refuse_full(m, req);
		goto free_tree;
	}
	err = net_pd_open(m->net, &pd);
	if (err)
		goto end_promise;
	err = mmember_new(t, 0, &first);
	if (err)
		goto close_pd;
	first->pd = pd;
	list_add_tail(&m->trees, &t->link);
	m->n_trees++;
	return 0;

close_pd:
	net_pd_close(pd);
end_promise:
	mframes_promise_end(&m->frames, &t->account);
free_tree:
	free(t);
	return err;
}

int mcomponent_admit(void *ctx, const struct g2x_admit_req *req, const struct placement_part *parts, uint32_t n_parts)
{
	struct mcomponent *m = ctx;

	(void)parts;
	(void)n_parts;
	if (mtree_find(m, req->pid))
		return -EEXIST;
	if (m->n_trees >= PROCESSES_MAX)
		return -EAGAIN;
	if (req->bytes < PAGE_BYTES)
		return -EINVAL;
	return tree_new(m, req);
}

void mtree_put(struct mtree *t)
{
	if (!t->over || t->n_dying || !list_empty(&t->members))
		return;
	BUG_ON(t->books || t->n_slabs);
	mframes_promise_end(&t->m->frames, &t->account);
	if (t->home)
		net_pd_close(t->home);
	free(t);
}

uint64_t mtree_release(struct mtree *t)
{
	struct mcomponent *m = t->m;
	uint64_t bytes = t->account.granted * PAGE_BYTES;
	struct peer *guard = t->guard;

	list_del(&t->link);
	m->n_trees--;
	t->guard = NULL;
	if (guard)
		mpeer_forget(guard);
	while (!list_empty(&t->members))
		mmember_end(container_of(t->members.next, struct mmember, link));
	t->over = true;
	mtree_put(t);
	return bytes;
}

uint64_t mcomponent_revoke(void *ctx, uint32_t pid)
{
	struct mtree *t = mtree_find(ctx, pid);

	return t ? mtree_release(t) : 0;
}

void mtree_release_all(struct mcomponent *m)
{
	while (!list_empty(&m->trees))
		mtree_release(container_of(m->trees.next, struct mtree, link));
	while (!list_empty(&m->dying))
		mmember_shrink(container_of(m->dying.next, struct mmember, link), UINT64_MAX);
	loop_timer_del(m->loop, &m->release);
	loop_timer_del(m->loop, &m->orphans);
}

static void orphans_due(void *arg)
{
	struct mcomponent *m = arg;
	struct list *pos, *next;

	list_for_each_safe(pos, next, &m->trees) {
		struct mtree *t = container_of(pos, struct mtree, link);

		if (!t->n_connected && !t->guard && t->admitted_ns <= m->orphan_ns) {
			log_info("process %u never came; forgotten", t->pid);
			mtree_release(t);
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
