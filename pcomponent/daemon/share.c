/* See share.h. */
#include "pcomponent/daemon/share.h"

static uint64_t least(const struct share *s)
{
	return s->promised ? s->promised : s->least ? s->least : SHARE_LEAST_BYTES;
}

/* Everyone's least part, as far as it reaches. What is left for dividing. */
static uint64_t admit(struct share *s, uint32_t n, uint64_t left, bool runs)
{
	for (uint32_t i = 0; i < n; i++) {
		if (s[i].runs != runs || least(&s[i]) > left)
			continue;
		s[i].bytes = least(&s[i]);
		left -= s[i].bytes;
	}
	return left;
}

static bool takes(const struct share *s)
{
	return s->bytes && !s->promised;
}

/* Raise all that want more, and have less than level, to level or what they want. What it would cost. */
static uint64_t raise_cost(const struct share *s, uint32_t n, uint64_t level)
{
	uint64_t cost = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t to = s[i].want < level ? s[i].want : level;

		if (takes(&s[i]) && to > s[i].bytes)
			cost += to - s[i].bytes;
	}
	return cost;
}

/* The highest level that left pays for, by halving; then raise. What remains. */
static uint64_t raise_all(struct share *s, uint32_t n, uint64_t left)
{
	uint64_t low = 0, high = left / PAGE_BYTES + SHARE_LEAST_BYTES / PAGE_BYTES;

	for (uint32_t i = 0; i < n; i++)
		if (takes(&s[i]) && s[i].bytes / PAGE_BYTES + left / PAGE_BYTES > high)
			high = s[i].bytes / PAGE_BYTES + left / PAGE_BYTES;
	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (raise_cost(s, n, middle * PAGE_BYTES) <= left)
			low = middle;
		else
			high = middle - 1;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t to = s[i].want < low * PAGE_BYTES ? s[i].want / PAGE_BYTES * PAGE_BYTES : low * PAGE_BYTES;

		if (!takes(&s[i]) || to <= s[i].bytes)
			continue;
		left -= to - s[i].bytes;
		s[i].bytes = to;
	}
	return left;
}

/* What nobody wants: the same for each. */
static void spread(struct share *s, uint32_t n, uint64_t left)
{
	uint32_t takers = 0;
	uint64_t part;

	for (uint32_t i = 0; i < n; i++)
		takers += takes(&s[i]);
	part = takers ? left / takers / PAGE_BYTES * PAGE_BYTES : 0;
	for (uint32_t i = 0; i < n; i++)
		if (takes(&s[i]))
			s[i].bytes += part;
}

void share_divide(struct share *s, uint32_t n, uint64_t bytes)
{
	uint64_t left = bytes / PAGE_BYTES * PAGE_BYTES;

	for (uint32_t i = 0; i < n; i++)
		s[i].bytes = 0;
	left = admit(s, n, left, true);
	left = admit(s, n, left, false);
	left = raise_all(s, n, left);
	spread(s, n, left);
}
