/* Handles: see handles.h. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "scomponent/handles.h"
#include "scomponent/locks.h"
#include "scomponent/passed.h"

#define SLOTS_FIRST 16u

struct handle *handle_ref(struct handle *f)
{
	f->refs++;
	return f;
}

void handle_put(struct handle *f)
{
	if (--f->refs)
		return;
	locks_closed(f);
	passed_closed(f);
	text_forget(f);
	close(f->fd);
	free(f);
}

void handles_init(struct handles *h, uint32_t gen)
{
	*h = (struct handles){ .gen = gen };
}

/* All slots that are free, lowest first. */
static void free_list_make(struct handles *h)
{
	uint32_t i;

	h->free = 0;
	for (i = h->slots; i; i--)
		if (!h->slot[i - 1].file) {
			h->slot[i - 1].next_free = h->free;
			h->free = i;
		}
}

/* At least n slots. */
static bool handles_grow(struct handles *h, uint32_t n)
{
	struct handle_slot *slot;
	uint32_t i, to = h->slots ? h->slots : SLOTS_FIRST;

	while (to < n)
		to *= 2;
	slot = realloc(h->slot, to * sizeof(*slot));
	if (!slot)
		return false;
	for (i = h->slots; i < to; i++)
		slot[i] = (struct handle_slot){ .gen = h->gen };
	h->slot = slot;
	h->slots = to;
	free_list_make(h);
	return true;
}

static uint64_t slot_id(const struct handles *h, uint32_t i)
{
	return (uint64_t)h->slot[i].gen << 32 | (i + 1);
}

/* Put f, whose reference is taken over, into a free slot. There is one. */
static uint64_t slot_fill(struct handles *h, struct handle *f)
{
	uint32_t i = h->free - 1;

	h->free = h->slot[i].next_free;
	h->slot[i].file = f;
	h->used++;
	text_more(f);
	return slot_id(h, i);
}

uint64_t handles_add(struct handles *h, int fd, bool append)
{
	struct handle *f;

	if (!h->free && !handles_grow(h, h->slots + 1))
		return 0;
	f = malloc(sizeof(*f));
	if (!f)
		return 0;
	*f = (struct handle){ .fd = fd, .refs = 1, .append = append };
	return slot_fill(h, f);
}

uint64_t handles_share(struct handles *h, struct handle *f)
{
	if (!h->free && !handles_grow(h, h->slots + 1))
		return 0;
	return slot_fill(h, handle_ref(f));
}

int handles_adopt(struct handles *h, const struct handle_named *files, uint32_t n)
{
	uint32_t i, at, most = 0;

	for (i = 0; i < n; i++)
		if ((uint32_t)files[i].id > most)
			most = (uint32_t)files[i].id;
	if (most && !handles_grow(h, most))
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		at = (uint32_t)files[i].id - 1;
		if (h->slot[at].file)
			continue;
		h->slot[at].gen = (uint32_t)(files[i].id >> 32);
		h->slot[at].file = handle_ref(files[i].file);
		h->used++;
		text_more(files[i].file);
	}
	free_list_make(h);
	return 0;
}

struct handle *handles_get(const struct handles *h, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (!i || i > h->slots || h->slot[i - 1].gen != id >> 32)
		return NULL;
	return h->slot[i - 1].file;
}

uint64_t handles_next(const struct handles *h, uint64_t id)
{
	uint32_t i;

	for (i = (uint32_t)id; i < h->slots; i++)
		if (h->slot[i].file)
			return slot_id(h, i);
	return 0;
}

int handles_del(struct handles *h, uint64_t id)
{
	struct handle *f = handles_get(h, id);
	uint32_t i = (uint32_t)id - 1;

	if (!f)
		return -EBADF;
	h->slot[i].file = NULL;
	h->slot[i].gen++;
	h->slot[i].next_free = h->free;
	h->free = i + 1;
	h->used--;
	text_less(f);
	handle_put(f);
	return 0;
}

uint32_t handles_clear(struct handles *h)
{
	uint32_t i, n = h->used;

	for (i = 0; i < h->slots; i++)
		if (h->slot[i].file) {
			text_less(h->slot[i].file);
			handle_put(h->slot[i].file);
		}
	free(h->slot);
	handles_init(h, h->gen);
	return n;
}
