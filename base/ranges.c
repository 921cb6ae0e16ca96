/* Ranges: see ranges.h. */
#include "ashlar/base/ranges.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static struct range *range_of(struct list *l)
{
	return container_of(l, struct range, link);
}

struct range *ranges_conflict(const struct list *ranges, uint64_t owner, uint64_t start, uint64_t end, uint32_t type)
{
	struct list *l;
	struct range *r;

	for (l = ranges->next; l != ranges; l = l->next) {
		r = range_of(l);
		if (r->owner != owner && r->start <= end && start <= r->end && (type == F_WRLCK || r->type == F_WRLCK))
			return r;
	}
	return NULL;
}

static struct range *range_new(const struct range *as, uint64_t start, uint64_t end)
{
	struct range *r = malloc(sizeof(*r));

	if (r) {
		*r = *as;
		r->start = start;
		r->end = end;
	}
	return r;
}

static void range_del(struct range *r, uint32_t *n)
{
	list_del(&r->link);
	free(r);
	--*n;
}

/*
 * Take start..end out of r, an overlapping range of the same owner: what is left of it on one side, on both (then *spare is
 * used), or on none.
 */
static void range_cut(struct range *r, uint64_t start, uint64_t end, struct range **spare, uint32_t *n)
{
	bool before = r->start<start, after = r->end> end;

	if (before && after) {
		(*spare)->type = r->type;
		(*spare)->pid = r->pid;
		(*spare)->start = end + 1;
		(*spare)->end = r->end;
		list_add_tail(&r->link, &(*spare)->link); /* in front of r: the order says nothing */
		*spare = NULL;
		r->end = start - 1;
		++*n;
	} else if (before) {
		r->end = start - 1;
	} else if (after) {
		r->start = end + 1;
	} else {
		range_del(r, n);
	}
}

/* Join what touches the new range and is like it. */
static void range_join(struct list *ranges, struct range *new, uint32_t *n)
{
	struct list *l, *next;
	struct range *r;

	list_for_each_safe(l, next, ranges) {
		r = range_of(l);
		if (r->owner != new->owner || r->type != new->type || r->start > new->end + 1 ||
		    new->start > r->end + 1)
			continue;
		if (r->start < new->start)
			new->start = r->start;
		if (r->end > new->end)
			new->end = r->end;
		range_del(r, n);
	}
}

int ranges_set(struct list *ranges, const struct range *as, uint32_t *n)
{
	struct range *new = range_new(as, as->start, as->end), *spare = range_new(as, 0, 0);
	struct list *l, *next;
	struct range *r;

	if (!new || !spare) {
		free(new);
		free(spare);
		return -ENOMEM;
	}
	list_for_each_safe(l, next, ranges) {
		r = range_of(l);
		if (r->owner == as->owner && r->start <= as->end && as->start <= r->end)
			range_cut(r, as->start, as->end, &spare, n);
	}
	free(spare);
	if (as->type == F_UNLCK) {
		free(new);
		return 0;
	}
	range_join(ranges, new, n);
	list_add_tail(ranges, &new->link);
	++*n;
	return 0;
}

void ranges_drop(struct list *ranges, uint64_t owner, uint32_t *n)
{
	struct list *l, *next;

	list_for_each_safe(l, next, ranges)
		if (range_of(l)->owner == owner)
			range_del(range_of(l), n);
}

void ranges_pass(struct list *ranges, uint64_t owner, uint64_t to)
{
	struct list *l;

	for (l = ranges->next; l != ranges; l = l->next)
		if (range_of(l)->owner == owner)
			range_of(l)->owner = to;
}
