/*
 * World: the line state machine of the product (its very files: threads.h) over a model of the host: pages with
 * protection and a TLB, frames, a page map, program threads, one evictor, one thread of layout changes.
 *
 * A scenario may fork: its first FORKED pages are the parent's, those behind them become the child's, with the same words
 * and contents, on the same frames; from then on a program may be the child's. The evictor works for both.
 *
 * Rules that are checked after every step:
 *  - a page that is there holds what was last written to it; one that is not has that in its frame, or is zero;
 *  - the word's state is true of the page (clean: protected, also in every TLB; away: not there; ...);
 *  - at most `budget` pages are there; no frame belongs to two lines; no frame is read, written or freed out of turn.
 * And at the end: nothing is in transit, no frame is lost, room and page map agree with the lines.
 */
#ifndef ASHLAR_TESTS_MODEL_WORLD_H
#define ASHLAR_TESTS_MODEL_WORLD_H
#include "threads.h"

static const char *page_wrong(const struct page *p)
{
	uint64_t loc = line_loc(p->word);
	uint8_t kept = loc ? world.frame[loc - 1].content : 0;

	if (p->present && p->content != p->truth)
		return "a page holds something else than was written last";
	if (!p->registered)
		return NULL;
	switch (line_state(p->word)) {
	case LINE_AWAY:
		if (p->present)
			return world.exclusive ? NULL : "AWAY, but the page is there";
		return kept == p->truth || world.exclusive ? NULL : "AWAY, but its contents are lost";
	case LINE_CLEAN:
		if (world.exclusive)
			return NULL; /* the host goes first */
		if (!p->present || p->protect != everybody() || p->tlb_write)
			return "CLEAN, but the page can be written";
		return kept == p->truth ? NULL : "CLEAN, but its frame holds something else";
	case LINE_DIRTY:
		return p->present || world.exclusive ? NULL : "DIRTY, but the page is not there";
	case LINE_UNPROT:
	case LINE_CLEANING:
		return p->present ? NULL : "the page of an UNPROT or CLEANING line is not there";
	case LINE_FETCH:
	case LINE_DROP:
		return NULL;
	case LINE_STATES:
		break;
	}
	return "no such state";
}

static const char *world_wrong(void)
{
	unsigned present = 0;
	uint32_t seen[2] = { 0 };

	if (steps.failed || world_damage_only)
		return steps.failed;
	for (unsigned i = 0; i < PAGES; i++) {
		const struct page *p = &world.page[i];
		uint64_t loc = line_loc(p->word);
		const char *why = page_wrong(p);

		if (why)
			return why;
		unsigned of = scenario->forks && i >= FORKED;

		if (loc && (loc > FRAMES || seen[of] >> loc & 1))
			return "two lines have one frame";
		seen[of] |= loc ? 1u << loc : 0;
		present += p->present && p->registered;
	}
	/* Memory registered late may exceed the budget; room is negative then. */
	if ((int)present > (int)scenario->budget + (world.room < 0 ? -world.room : 0) && !world.exclusive)
		return "more pages are there than the budget allows";
	return NULL;
}

static const char *end_wrong(void)
{
	int resident = 0;

	model_collect();
	if (steps.failed)
		return steps.failed;
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t w = world.page[i].word;

		if (world.page[i].registered && line_in_transit(w))
			return "a line is in transit for ever";
		if (line_resident(w) != (world.page[i].present && world.page[i].registered))
			return "residence in word and host differ";
		if (world.map[i] != line_loc(w))
			return "the page map is wrong";
		resident += line_resident(w);
	}
	for (unsigned i = 0; i < FRAMES; i++)
		if (world.frame[i].used != frame_in_word(i + 1))
			return "a frame is lost";
	if (world.room + resident != (int)scenario->budget)
		return "room is lost";
	return NULL;
}

#endif
