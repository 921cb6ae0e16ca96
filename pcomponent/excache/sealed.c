/*
 * Sealed slabs (backing.h): a fork seals all that there are, for good, and shares them with its child. Frames of them are
 * read and freed, never taken; those that are sparse are to be left.
 */
#include <errno.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/pagemap.h"
#include "pcomponent/excache/slabs.h"

/* ---- fork ---- */

static void slabs_seal(uint32_t component)
{
	for (uint32_t i = 1; i < slabs.end; i++) {
		struct slab *s = slabs.at[i];

		if (!s || s->component != component || s->sealed)
			continue;
		slab_count(s, false);
		s->sealed = true;
		slab_count(s, true);
	}
}

static int component_fork(uint32_t component, uint32_t member)
{
	struct p2m_fork_req req = { .member = member };
	struct p2m_fork_rep rep;
	int err = pagemap_settle(component);

	if (!err) {
		err = memory_call(component, P2M_FORK, &req, NULL, 0, RPC_DEADLINE_MS, &rep);
		slabs_seal(component);
	}
	if (!err && rep.slabs < slabs.place[component].slabs)
		err = -EPROTO;
	return err;
}

int backing_fork(uint32_t member)
{
	int err = 0;

	(void)slabs_trim(0);
	for (uint32_t i = 0; i < memory_count() && !err; i++) {
		if (!slabs.place[i].slabs || memory_dead(i))
			continue;
		err = component_fork(i, member);
		if (err && memory_dead(i))
			err = 0; /* what it had is lost to both */
	}
	slabs_usage_changed();
	return err;
}

/* ---- slack ---- */

#define DENSITIES 16u

/* Of a sealed slab, 0 to DENSITIES - 1: what part of it is in use. */
static uint32_t density(const struct slab *s)
{
	return (s->frames - s->free) * DENSITIES / (s->frames + 1);
}

static bool slab_sparse(uint32_t i, uint32_t below)
{
	const struct slab *s = slabs.at[i];

	return s && s->sealed && s->free < s->frames && !memory_dead(s->component) && density(s) < below;
}

bool backing_sparse_choose(unsigned pages)
{
	uint64_t in_use[DENSITIES] = { 0 }, sum = 0, chosen = 0;
	uint32_t below = 0;

	if (slabs.sealed.total <= 2 * slabs.sealed.used + SLACK_FRAMES)
		return false;
	for (uint32_t i = 1; i < slabs.end; i++) {
		if (!slab_sparse(i, DENSITIES))
			continue;
		in_use[density(slabs.at[i])] += slabs.at[i]->frames - slabs.at[i]->free;
		chosen += slabs.at[i]->leaving ? slabs.at[i]->frames - slabs.at[i]->free : 0;
	}
	while (below < DENSITIES && sum < pages)
		sum += in_use[below++];
	for (uint32_t i = 1; i < slabs.end && chosen < pages; i++) {
		if (!slab_sparse(i, below) || slabs.at[i]->leaving)
			continue;
		slabs.at[i]->leaving = true;
		chosen += slabs.at[i]->frames - slabs.at[i]->free;
	}
	return chosen > 0;
}
