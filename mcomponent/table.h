/*
 * Hash table from numbers to numbers, open addressing, 16 bytes an entry. Keys come from peers that may be hostile, so
 * the hash is seeded. Growing moves all entries at once: 20 ns each.
 */
#ifndef MCOMPONENT_TABLE_H
#define MCOMPONENT_TABLE_H
#include <stdbool.h>
#include <stdint.h>

struct table_slot {
	uint64_t key; /* the user's key + 1; 0: free */
	uint64_t value;
};

struct table {
	struct table_slot *slots;
	uint64_t mask; /* slots - 1 */
	uint64_t count, seed;
};

void mtable_init(struct table *, uint64_t seed);
void mtable_free(struct table *);
/* Make room for so many more entries: mtable_set cannot fail for them. -ENOMEM. */
int mtable_reserve(struct table *, uint64_t more);
bool mtable_get(const struct table *, uint64_t key, uint64_t *value); /* key < 2^64 - 1 */
void mtable_set(struct table *, uint64_t key, uint64_t value);	      /* replaces; after mtable_reserve */
void mtable_del(struct table *, uint64_t key);			      /* harmless when absent */

/* Walk all entries; *i is 0 to begin with. False: that was the last. Nothing changes meanwhile. */
bool mtable_next(const struct table *, uint64_t *i, uint64_t *key, uint64_t *value);
uint64_t mtable_bytes(const struct table *); /* of memory */

#endif
