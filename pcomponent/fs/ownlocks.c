/* Own locks: see ownlocks.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "ashlar/base/ranges.h"
#include "pcomponent/fs/handles.h"
#include "pcomponent/fs/ownlocks.h"

/* Ranges of one owner in one file: of the process, or of the open file description behind a handle. */
struct owned {
	struct list link;
	uint64_t ino, ofd; /* ofd: a handle, or 0 */
	uint32_t dev[2];
	struct list ranges;
};

static struct list all = { &all, &all };
static uint32_t n; /* ranges; atomic */

bool ownlocks_any(void)
{
	return __atomic_load_n(&n, __ATOMIC_RELAXED) > 0;
}

static bool is_of(const struct owned *k, const struct handle *h)
{
	return k->ino == h->ino && k->dev[0] == h->dev[0] && k->dev[1] == h->dev[1];
}

static struct owned *owned_find(uint64_t handle, bool ofd)
{
	const struct handle *h = handle_get(handle);
	struct list *l;
	struct owned *k;

	for (l = all.next; h && l != &all; l = l->next) {
		k = container_of(l, struct owned, link);
		if (ofd ? k->ofd == handle : !k->ofd && is_of(k, h))
			return k;
	}
	return NULL;
}

static struct owned *owned_make(uint64_t handle, bool ofd)
{
	const struct handle *h = handle_get(handle);
	struct owned *k = h ? calloc(1, sizeof(*k)) : NULL;

	if (!k)
		return NULL;
	k->ino = h->ino;
	k->dev[0] = h->dev[0];
	k->dev[1] = h->dev[1];
	k->ofd = ofd ? handle : 0;
	list_init(&k->ranges);
	list_add_tail(&all, &k->link);
	return k;
}

static void owned_free(struct owned *k)
{
	ranges_drop(&k->ranges, 0, &n);
	list_del(&k->link);
	free(k);
}

/* Without memory for it a lock is not taken again after a restart; nothing else is lost. */
void ownlocks_note(const struct p2s_lock_req *req)
{
	const struct range r = { .start = req->start, .end = req->end, .type = req->type };
	struct owned *k = owned_find(req->handle, req->ofd);

	if (!k && req->type != F_UNLCK)
		k = owned_make(req->handle, req->ofd);
	if (!k)
		return;
	(void)!ranges_set(&k->ranges, &r, &n);
	if (list_empty(&k->ranges))
		owned_free(k);
}

bool ownlocks_drop(uint64_t handle)
{
	struct owned *k = owned_find(handle, false);

	if (k)
		owned_free(k);
	return k != NULL;
}

void ownlocks_closed(uint64_t handle)
{
	struct owned *k = owned_find(handle, true);

	if (k)
		owned_free(k);
}

void ownlocks_child(void)
{
	struct list *l, *next;

	list_for_each_safe(l, next, &all)
		if (!container_of(l, struct owned, link)->ofd)
			owned_free(container_of(l, struct owned, link));
}

struct search {
	const struct owned *k;
	const struct range *r;
	bool (*usable)(uint64_t handle, void *arg);
	void *arg;
	uint64_t found;
};

static void look(struct handle *h, uint64_t number, void *arg)
{
	struct search *s = arg;
	uint32_t mode = h->flags & O_ACCMODE;

	if (s->found || h->closing || h->flags & O_PATH || !is_of(s->k, h) || (s->k->ofd && s->k->ofd != number))
		return;
	if (mode != (s->r->type == F_RDLCK ? O_WRONLY : O_RDONLY) && s->usable(number, s->arg))
		s->found = number;
}

void ownlocks_each(bool (*usable)(uint64_t handle, void *arg), bool (*fn)(const struct p2s_lock_req *, void *arg),
		   void *arg)
{
	struct list *l, *m;
	struct p2s_lock_req req;

	for (l = all.next; l != &all; l = l->next) {
		const struct owned *k = container_of(l, struct owned, link);

		for (m = k->ranges.next; m != &k->ranges; m = m->next) {
			const struct range *r = container_of(m, struct range, link);
			struct search s = { .k = k, .r = r, .usable = usable, .arg = arg };

			handles_each(look, &s);
			req = (struct p2s_lock_req){ .handle = s.found,
						     .start = r->start,
						     .end = r->end,
						     .op = P2S_LOCK_SET,
						     .type = r->type,
						     .ofd = k->ofd != 0,
						     .pid = (uint32_t)getpid() };
			if (!fn(&req, arg))
				return;
		}
	}
}
