/* Locations: what they name, and how it is reached; see backing.h. */
#include <errno.h>
#include <pthread.h>
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/slabs.h"

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER; /* of remotes */

uint32_t backing_component(uint64_t loc)
{
	return slab_of(loc)->component;
}

bool backing_leaving(uint64_t loc)
{
	return slab_of(loc)->leaving;
}

uint32_t backing_slab(uint64_t loc, uint64_t *slab, uint32_t *frame)
{
	*slab = slab_of(loc)->id;
	*frame = frame_of(loc);
	return slab_of(loc)->component;
}

/* Ask for a key of a slab that came by a fork. */
static int slab_open(struct slab *s)
{
	struct p2m_slab_key_req req = { .slab = s->id };
	struct p2m_slab_key_rep rep;
	struct net_remote *remote;
	int err;

	err = memory_call(s->component, P2M_SLAB_KEY, &req, NULL, 0, TRANSFER_TRY_MS, &rep);
	if (!err && rep.frames != s->frames)
		err = -EPROTO;
	if (!err)
		err = memory_remote_open(s->component, &rep.key, s->frames * PAGE_BYTES, &remote);
	if (!err)
		__atomic_store_n(&s->remote, remote, __ATOMIC_RELEASE);
	return err;
}

int backing_locate(uint64_t loc, struct net_remote **remote, uint64_t *off)
{
	struct slab *s = slab_of(loc);
	int err = 0;

	*off = frame_of(loc) * PAGE_BYTES;
	*remote = __atomic_load_n(&s->remote, __ATOMIC_ACQUIRE);
	if (*remote)
		return 0;
	pthread_mutex_lock(&opening);
	if (!s->remote)
		err = slab_open(s);
	*remote = s->remote;
	pthread_mutex_unlock(&opening);
	return err;
}

void backing_fork_child(void)
{
	pthread_mutex_init(&opening, NULL);
	for (uint32_t i = 1; i < slabs.end; i++)
		if (slabs.at[i])
			slabs.at[i]->remote = NULL;
	for (uint32_t i = 0; i < PROCESS_MEMORY_MAX; i++)
		slabs.place[i].silent_until_ns = slabs.place[i].full_until_ns = 0;
	slabs.said_full = false;
	slabs_usage_changed();
}
