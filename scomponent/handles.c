/* Handles: see handles.h. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "scomponent/handles.h"

#define SLOTS_FIRST 16u

void handles_init(struct handles *h, uint32_t gen)
{
	*h = (struct handles){ .gen = gen };
}

static bool handles_grow(struct handles *h)
{
	uint32_t n = h->slots ? h->slots * 2 : SLOTS_FIRST;
	struct handle *slot = realloc(h->slot, n * sizeof(*slot));
	uint32_t i;

	if (!slot)
		return false;
	for (i = h->slots; i < n; i++)
		slot[i] = (struct handle){ .fd = -1, .gen = h->gen, .next_free = i + 1 < n ? i + 2 : 0 };
	h->slot = slot;
	h->free = h->slots + 1;
	h->slots = n;
	return true;
}

uint64_t handles_add(struct handles *h, int fd, bool append)
{
	struct handle *s;
	uint32_t i;

	if (!h->free && !handles_grow(h))
		return 0;
	i = h->free;
	s = &h->slot[i - 1];
	h->free = s->next_free;
	h->used++;
	s->fd = fd;
	s->append = append;
	s->cookie = 0;
	return (uint64_t)s->gen << 32 | i;
}

struct handle *handles_get(struct handles *h, uint64_t id)
{
	uint32_t i = (uint32_t)id;
	struct handle *s;

	if (!i || i > h->slots)
		return NULL;
	s = &h->slot[i - 1];
	return s->fd >= 0 && s->gen == id >> 32 ? s : NULL;
}

static void slot_free(struct handles *h, struct handle *s)
{
	close(s->fd);
	s->fd = -1;
	s->gen++;
	s->next_free = h->free;
	h->free = (uint32_t)(s - h->slot) + 1;
	h->used--;
}

int handles_del(struct handles *h, uint64_t id)
{
	struct handle *s = handles_get(h, id);

	if (!s)
		return -EBADF;
	slot_free(h, s);
	return 0;
}

uint32_t handles_clear(struct handles *h)
{
	uint32_t i, n = h->used;

	for (i = 0; i < h->slots; i++)
		if (h->slot[i].fd >= 0)
			close(h->slot[i].fd);
	free(h->slot);
	handles_init(h, h->gen);
	return n;
}
