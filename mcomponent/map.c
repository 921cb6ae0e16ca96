/*
 * The copy of a process's page map: which frame holds the last written-back copy of which page. The dispatcher owns the
 * truth and sends batches; nothing on the path of a miss reads this.
 *
 * A frame holds one page at most. An entry that puts a page where another one lay takes the frame over, so the map never
 * has more entries than the process has frames.
 */
#include <errno.h>
#include "mcomponent/internal.h"

static uint64_t entry_slab(uint64_t slab_frame)
{
	return slab_frame >> SLAB_FRAME_BITS;
}

static uint32_t entry_frame(uint64_t slab_frame)
{
	return (uint32_t)(slab_frame & ((1u << SLAB_FRAME_BITS) - 1));
}

int mpagemap_check(const struct mprocess *p, const struct map_entry *e, uint32_t n)
{
	const struct slab *s = NULL;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t id = entry_slab(e[i].slab_frame);

		if (e[i].vpn >= VPN_LIMIT)
			return -ERANGE;
		if (id == 0) {
			if (e[i].slab_frame)
				return -ENOENT;
			continue;
		}
		if (!s || s->id != id)
			s = mslab_find(p, id);
		if (!s)
			return -ENOENT;
		if (entry_frame(e[i].slab_frame) >= s->frames)
			return -ERANGE;
	}
	return 0;
}

/* The page has no copy any more. */
static void page_clear(struct mprocess *p, uint64_t vpn)
{
	uint64_t at;
	struct slab *s;

	if (!mtable_get(&p->page_map, vpn, &at))
		return;
	s = mslab_find(p, entry_slab(at));
	if (s)
		s->page_of[entry_frame(at)] = 0;
	mtable_del(&p->page_map, vpn);
}

static void page_set(struct mprocess *p, uint64_t vpn, uint64_t at)
{
	struct slab *s = mslab_find(p, entry_slab(at));
	uint64_t *page = &s->page_of[entry_frame(at)];

	page_clear(p, vpn);
	if (*page)
		mtable_del(&p->page_map, *page - 1);
	*page = vpn + 1;
	mtable_set(&p->page_map, vpn, at);
}

int mpagemap_apply(struct mprocess *p, const struct map_entry *e, uint32_t n)
{
	int err = mtable_reserve(&p->page_map, n);

	if (err)
		return err;
	for (uint32_t i = 0; i < n; i++) {
		if (e[i].slab_frame)
			page_set(p, e[i].vpn, e[i].slab_frame);
		else
			page_clear(p, e[i].vpn);
	}
	return 0;
}

void mpagemap_drop_slab(struct mprocess *p, const struct slab *s)
{
	if (!p->page_map.count)
		return;
	for (uint32_t i = 0; i < s->frames; i++)
		if (s->page_of[i])
			mtable_del(&p->page_map, s->page_of[i] - 1);
}
