/* Hash table from numbers to numbers: linear probing, load at most 2/3, deletion by shifting back. See table.h. */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/log.h"
#include "mcomponent/table.h"

#define SLOTS_MIN 64u

void mtable_init(struct table *t, uint64_t seed)
{
	t->slots = NULL;
	t->mask = t->count = 0;
	t->seed = seed;
}

void mtable_free(struct table *t)
{
	free(t->slots);
	mtable_init(t, t->seed);
}

/* The home slot of a key. A finaliser with full avalanche over key and seed. */
static uint64_t home(const struct table *t, uint64_t key)
{
	uint64_t x = key ^ t->seed;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 31)) & t->mask;
}

/* The slot that holds key + 1, or the free one where it would go. There is always a free one. */
static struct table_slot *probe(const struct table *t, uint64_t stored)
{
	uint64_t i = home(t, stored);

	while (t->slots[i].key && t->slots[i].key != stored)
		i = (i + 1) & t->mask;
	return &t->slots[i];
}

static int grow(struct table *t, uint64_t slots)
{
	struct table_slot *old = t->slots;
	uint64_t n = old ? t->mask + 1 : 0;
	struct table_slot *fresh = calloc(slots, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	t->slots = fresh;
	t->mask = slots - 1;
	for (uint64_t i = 0; i < n; i++)
		if (old[i].key)
			*probe(t, old[i].key) = old[i];
	free(old);
	return 0;
}

int mtable_reserve(struct table *t, uint64_t more)
{
	uint64_t slots = t->slots ? t->mask + 1 : SLOTS_MIN;

	while ((t->count + more) * 3 > slots * 2)
		slots *= 2;
	if (t->slots && slots == t->mask + 1)
		return 0;
	return grow(t, slots);
}

bool mtable_get(const struct table *t, uint64_t key, uint64_t *value)
{
	const struct table_slot *s;

	if (!t->slots)
		return false;
	s = probe(t, key + 1);
	if (!s->key)
		return false;
	*value = s->value;
	return true;
}

void mtable_set(struct table *t, uint64_t key, uint64_t value)
{
	struct table_slot *s;

	BUG_ON(!t->slots || t->count > t->mask);
	s = probe(t, key + 1);
	if (!s->key)
		t->count++;
	s->key = key + 1;
	s->value = value;
}

void mtable_del(struct table *t, uint64_t key)
{
	struct table_slot *s = t->slots ? probe(t, key + 1) : NULL;
	uint64_t hole, i;

	if (!s || !s->key)
		return;
	t->count--;
	/* Whatever was pushed past the hole by a collision moves back into it, so that probing still finds it. */
	hole = i = (uint64_t)(s - t->slots);
	for (;;) {
		i = (i + 1) & t->mask;
		if (!t->slots[i].key)
			break;
		if (((i - home(t, t->slots[i].key)) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole].key = 0;
}

bool mtable_next(const struct table *t, uint64_t *i, uint64_t *key, uint64_t *value)
{
	while (t->slots && *i <= t->mask) {
		const struct table_slot *s = &t->slots[(*i)++];

		if (!s->key)
			continue;
		*key = s->key - 1;
		*value = s->value;
		return true;
	}
	return false;
}

uint64_t mtable_bytes(const struct table *t)
{
	return t->slots ? (t->mask + 1) * sizeof(*t->slots) : 0;
}
