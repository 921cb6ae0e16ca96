/*
 * Slabs: runs of frames with a key of their own. Open (the key reads and writes) until sealed (it only reads), then
 * given back whole. Each is a memory region of its member's protection domain, never mapped by this monitor: frames
 * are reached one-sided and by nobody else than the connection that the key was granted to.
 *
 * A fork makes another member hold a slab too. It is sealed then, and kept in the tree's own domain, so that it does not
 * matter who gives it back first; a member that wants to read it gets it into its own domain when it asks for a key. Its
 * frames count once, and are free when the last holder has put it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "mcomponent/internal.h"

/* One line per process and fullness: a dispatcher may go on asking. */
static void tell_full(struct mtree *t, uint32_t frames, int err)
{
	const struct frames *f = &t->m->frames;
	char want[24], has[24], of[24];

	if (t->told_full)
		return;
	t->told_full = true;
	size_format((uint64_t)frames * PAGE_BYTES, want);
	if (err == -EDQUOT) {
		size_format(t->account.granted * PAGE_BYTES, has);
		size_format(t->account.quota * PAGE_BYTES, of);
		log_error("process %u gets no slab of %s: it has %s of its quota of %s", t->pid, want, has, of);
	} else if (err == -ENOMEM) {
		size_format(f->granted * PAGE_BYTES, has);
		size_format(f->total * PAGE_BYTES, of);
		log_error("process %u gets no slab of %s: %s of %s are granted", t->pid, want, has, of);
	} else {
		log_error("process %u gets no slab of %s: it has %u: %s", t->pid, want, t->n_slabs, strerror(-err));
	}
}

static int slab_region(struct mmember *b, struct holding *h, struct net_key *key)
{
	int err = net_mr_alloc(b->pd, (uint64_t)h->slab->frames * PAGE_BYTES, false, &h->mr);

	if (err)
		return err;
	err = net_mr_grant(h->mr, rpc_conn(b->dispatcher->base.rpc), NET_READ | NET_WRITE, key);
	if (err)
		net_mr_free(h->mr);
	h->keys = 1;
	return err;
}

static void holding_add(struct mmember *b, struct holding *h)
{
	mtable_set(&b->holding_by_id, h->slab->id, (uintptr_t)h);
	list_add_tail(&b->holdings, &h->link);
	h->slab->sharers++;
	b->n_slabs++;
	b->n_sealed += h->slab->sealed;
	b->frames += h->slab->frames;
}

/* A slab and the member's hold on it; its frames are taken. */
static int slab_make(struct mmember *b, uint32_t frames, struct net_key *key, struct holding **out)
{
	struct mtree *t = b->tree;
	struct slab *s = mtree_calloc(t, sizeof(*s));
	struct holding *h = mtree_calloc(t, sizeof(*h));
	int err = s && h ? mpages_new(t, frames, &h->pages) : -ENOMEM;

	if (!err)
		err = mtree_table(t, &b->holding_by_id, 1);
	if (!err) {
		s->frames = frames;
		h->slab = s;
		err = slab_region(b, h, key);
	}
	if (err) {
		if (h && h->pages)
			mpages_put(t, h->pages, frames);
		if (h)
			mtree_free(t, h, sizeof(*h));
		if (s)
			mtree_free(t, s, sizeof(*s));
		return err;
	}
	s->id = t->m->slab_next++;
	holding_add(b, h);
	t->n_slabs++;
	*out = h;
	return 0;
}

int mslab_get(struct mmember *b, uint32_t frames, struct net_key *key, struct holding **out)
{
	struct mtree *t = b->tree;
	struct mcomponent *m = t->m;
	int err = t->n_slabs < TREE_SLABS_MAX && m->slab_next < SLAB_ID_LIMIT ? 0 : -EMFILE;

	if (!err)
		err = mframes_take(&m->frames, &t->account, frames);
	if (!err) {
		err = slab_make(b, frames, key, out);
		if (err)
			mframes_give(&m->frames, &t->account, frames);
	}
	if (err)
		tell_full(t, frames, err);
	return err == -EDQUOT || err == -EMFILE ? -ENOMEM : err;
}

struct holding *mslab_find(const struct mmember *b, uint64_t id)
{
	uint64_t value;

	if (id == 0 || id >= SLAB_ID_LIMIT || !mtable_get(&b->holding_by_id, id, &value))
		return NULL;
	return (struct holding *)(uintptr_t)value;
}

int mslab_seal(struct mmember *b, struct holding *h)
{
	int err;

	if (h->slab->sealed)
		return 0;
	err = net_mr_seal(h->mr);
	if (err)
		return err;
	h->slab->sealed = true;
	b->n_sealed++;
	return 0;
}

int mslab_home(struct mmember *b, struct holding *h)
{
	struct mtree *t = b->tree;
	int err = t->home ? 0 : net_pd_open(t->m->net, &t->home);

	return err || h->slab->home ? err : net_mr_share(h->mr, t->home, &h->slab->home);
}

int mslab_share(struct mmember *to, struct holding *from)
{
	int err = mtree_table(to->tree, &to->holding_by_id, 1);
	struct holding *h = err ? NULL : mtree_calloc(to->tree, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->slab = from->slab;
	h->pages = from->pages;
	h->pages->refs++;
	holding_add(to, h);
	return 0;
}

int mslab_key(struct mmember *b, struct holding *h, struct net_key *key)
{
	int err = 0;

	if (!h->slab->sealed)
		return -EINVAL;
	if (h->keys == SLAB_KEYS_MAX)
		return -EMFILE;
	if (!h->mr)
		err = net_mr_share(h->slab->home, b->pd, &h->mr);
	if (!err)
		err = net_mr_grant(h->mr, rpc_conn(b->dispatcher->base.rpc), NET_READ, key);
	h->keys += !err;
	return err;
}

void mslab_put(struct mmember *b, struct holding *h)
{
	struct mtree *t = b->tree;
	struct slab *s = h->slab;

	mpagemap_drop_slab(b, h);
	if (h->mr)
		net_mr_free(h->mr); /* closes the keys first; the memory goes with the last region that has it */
	mpages_put(t, h->pages, s->frames);
	mtable_del(&b->holding_by_id, s->id);
	list_del(&h->link);
	b->n_slabs--;
	b->n_sealed -= s->sealed;
	b->frames -= s->frames;
	mtree_free(t, h, sizeof(*h));
	if (--s->sharers)
		return;
	if (s->home)
		net_mr_free(s->home);
	mframes_give(&t->m->frames, &t->account, s->frames);
	t->n_slabs--;
	t->told_full = false;
	mtree_free(t, s, sizeof(*s));
}
