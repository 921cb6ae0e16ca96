/*
 * Slabs: runs of frames with a key of their own. Open (the key reads and writes) until sealed (it only reads), then
 * given back whole. Each is a memory region of the process's protection domain, never mapped by this monitor: frames
 * are reached one-sided and by nobody else than the connection that the key was granted to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "mcomponent/internal.h"

/* One line per process and fullness: a dispatcher may go on asking. */
static void tell_full(struct mprocess *p, uint32_t frames, int err)
{
	const struct frames *f = &p->m->frames;
	char want[24], has[24], of[24];

	if (p->told_full)
		return;
	p->told_full = true;
	size_format((uint64_t)frames * PAGE_BYTES, want);
	if (err == -EDQUOT) {
		size_format(p->account.granted * PAGE_BYTES, has);
		size_format(p->account.quota * PAGE_BYTES, of);
		log_error("process %u gets no slab of %s: it has %s of its quota of %s", p->pid, want, has, of);
	} else if (err == -ENOMEM) {
		size_format(f->granted * PAGE_BYTES, has);
		size_format(f->total * PAGE_BYTES, of);
		log_error("process %u gets no slab of %s: %s of %s are granted", p->pid, want, has, of);
	} else {
		log_error("process %u gets no slab of %s: it has %u: %s", p->pid, want, p->n_slabs, strerror(-err));
	}
}

static int slab_region(struct mprocess *p, struct peer *to, struct slab *s, struct net_key *key)
{
	int err = net_mr_alloc(p->pd, (uint64_t)s->frames * PAGE_BYTES, false, &s->mr);

	if (err)
		return err;
	err = net_mr_grant(s->mr, rpc_conn(to->base.rpc), NET_READ | NET_WRITE, key);
	if (err)
		net_mr_free(s->mr);
	return err;
}

int mslab_get(struct mprocess *p, struct peer *to, uint32_t frames, struct net_key *key, struct slab **out)
{
	struct mcomponent *m = p->m;
	struct slab *s;
	int err;

	err = p->n_slabs < PROCESS_SLABS_MAX && m->slab_next < SLAB_ID_LIMIT ? 0 : -EMFILE;
	if (!err)
		err = mframes_take(&m->frames, &p->account, frames);
	if (err)
		goto full;
	s = calloc(1, sizeof(*s) + frames * sizeof(s->page_of[0]));
	err = s ? mtable_reserve(&p->slab_by_id, 1) : -ENOMEM;
	if (err)
		goto give_frames;
	s->frames = frames;
	err = slab_region(p, to, s, key);
	if (err)
		goto give_frames;
	s->id = m->slab_next++;
	mtable_set(&p->slab_by_id, s->id, (uintptr_t)s);
	list_add_tail(&p->slabs, &s->link);
	p->n_slabs++;
	*out = s;
	return 0;

give_frames:
	free(s);
	mframes_give(&m->frames, &p->account, frames);
full:
	tell_full(p, frames, err);
	return err == -EDQUOT || err == -EMFILE ? -ENOMEM : err;
}

struct slab *mslab_find(const struct mprocess *p, uint64_t id)
{
	uint64_t value;

	if (id == 0 || id >= SLAB_ID_LIMIT || !mtable_get(&p->slab_by_id, id, &value))
		return NULL;
	return (struct slab *)(uintptr_t)value;
}

int mslab_seal(struct mprocess *p, struct slab *s)
{
	int err;

	if (s->sealed)
		return 0;
	err = net_mr_seal(s->mr);
	if (err)
		return err;
	s->sealed = true;
	p->n_sealed++;
	return 0;
}

void mslab_put(struct mprocess *p, struct slab *s)
{
	mpagemap_drop_slab(p, s);
	net_mr_free(s->mr); /* closes the key first, then the memory goes */
	mframes_give(&p->m->frames, &p->account, s->frames);
	mtable_del(&p->slab_by_id, s->id);
	list_del(&s->link);
	p->n_slabs--;
	p->n_sealed -= s->sealed;
	p->told_full = false;
	free(s);
}
