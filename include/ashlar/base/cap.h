/* Capability: 128 random bits that name one process's rights on a component. Compare in constant time. */
#ifndef ASHLAR_BASE_CAP_H
#define ASHLAR_BASE_CAP_H
#include <stdbool.h>
#include <stdint.h>

struct cap {
	uint64_t w[2];
};

static inline bool cap_equal(const struct cap *a, const struct cap *b)
{
	return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1])) == 0;
}

/*
 * The capability of member n of a tree, from the tree's own: keyed BLAKE2b (libsodium), so that a component that knows the
 * tree's needs no word about its members, and a member cannot make another's. Member 0 has the tree's own.
 */
struct cap cap_of_member(const struct cap *tree, uint32_t member);

#endif
