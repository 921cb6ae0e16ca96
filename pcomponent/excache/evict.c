/*
 * Eviction of a batch of lines: the evictor's part of the state machine (line.h). Cleaning goes by segments of
 * LINE_BATCH aligned pages, as one protect call costs a round of TLB interrupts however many pages it covers; dropping
 * goes by one vectored call for the whole batch. Only one thread at a time is the evictor.
 */
#include "ashlar/base/log.h"
#include "pcomponent/excache/history.h"
#include "pcomponent/excache/hostvm.h"
#include "pcomponent/excache/line.h"

#define EVICT_FEW 4u /* victims of a segment */

/* Lines of one segment on their way from DIRTY to CLEAN. */
struct cleaning {
	unsigned n;
	uint64_t vpn[LINE_BATCH];
	uint64_t *word[LINE_BATCH];
	uint64_t was[LINE_BATCH]; /* as CLEANING */
	uint64_t apart;		  /* bit i: a dirty line that stays lies between lines i-1 and i */
};

static void cleaning_add(struct cleaning *c, uint64_t vpn, uint64_t *word, uint64_t w)
{
	uint64_t cleaning = line_to(w, LINE_CLEANING, 0);

	if (!line_cas(word, w, cleaning))
		return; /* a writer has it: not now */
	c->vpn[c->n] = vpn;
	c->word[c->n] = word;
	c->was[c->n] = cleaning;
	c->n++;
}

/* Line i holds the same as loc now (0: zeros), unless a writer came. False: it did, the frame is not used. */
static bool cleaning_done(struct cleaning *c, unsigned i, uint64_t loc)
{
	return line_cas(c->word[i], c->was[i], line_to(c->was[i], LINE_CLEAN, loc));
}

/* Line i stays dirty; its page remains protected, which the next writer finds out by a fault. */
static void cleaning_undo(struct cleaning *c, unsigned i)
{
	(void)line_cas(c->word[i], c->was[i], line_to(c->was[i], LINE_DIRTY, 0));
}

/* Write back the lines slot[0..n-1] of c to frames, as few runs as the allocator has. The number written, and *err. */
static unsigned cleaning_store(const struct hostvm *hv, void *host, struct cleaning *c, const uint8_t *slot, unsigned n,
			       int *err)
{
	unsigned done = 0;

	while (done < n) {
		uint64_t loc;
		int got = hv->frames_take(host, n - done, &loc);

		if (got < 0) {
			*err = got;
			break;
		}
		*err = hv->store(host, slot + done, (unsigned)got, loc);
		if (*err)
			continue; /* that component is lost: frames_take will offer another, or say no */
		for (unsigned i = 0; i < (unsigned)got; i++) {
			unsigned s = slot[done + i];

			if (cleaning_done(c, s, loc + i))
				hv->mapped(host, c->vpn[s], loc + i);
			else
				hv->frame_put(host, loc + i);
		}
		done += (unsigned)got;
	}
	return done;
}

/*
 * Protect the lines of c: by one call where nothing but they can be written in between. A dirty line that stays would pay
 * a fault for a protection that was not meant for it, which costs more than another call.
 */
static int cleaning_protect(const struct hostvm *hv, void *host, const struct cleaning *c)
{
	/* Where other threads run a call costs 10 us whatever it covers: then one for all. */
	bool together = hv->threads && hv->threads(host);
	unsigned first = 0, i;
	int err = 0;

	for (i = 1; !err && i <= c->n; i++) {
		if (i < c->n && (together || !(c->apart >> i & 1)))
			continue;
		err = hv->protect(host, c->vpn[first], (unsigned)(c->vpn[i - 1] - c->vpn[first]) + 1);
		first = i;
	}
	return err;
}

/* Protect, read, write back. Pages that hold only zeros need no frame. */
static int cleaning_run(const struct hostvm *hv, void *host, struct cleaning *c)
{
	uint8_t slot[LINE_BATCH];
	unsigned n = 0, done = 0;
	uint64_t zeros = 0;
	int err;

	if (c->n == 0)
		return 0;
	err = cleaning_protect(hv, host, c);
	if (!err)
		err = hv->read(host, c->vpn, c->n, &zeros);
	for (unsigned i = 0; i < c->n; i++) {
		if (err)
			cleaning_undo(c, i);
		else if (zeros >> i & 1)
			(void)cleaning_done(c, i, 0);
		else
			slot[n++] = (uint8_t)i;
	}
	if (!err && n > 0)
		done = cleaning_store(hv, host, c, slot, n, &err);
	for (; done < n; done++)
		cleaning_undo(c, slot[done]);
	return err;
}

/*
 * Clean the segment of v[0]: its dirty victims. Where these are few, the call that protects them should serve more: dirty
 * neighbours at least half as old as the youngest victim there go along, as they are next. (Always taking them along costs
 * a sort a third more write-backs: some are written again before their turn.) *used: entries of v in the segment.
 */
static int evict_clean_segment(const struct hostvm *hv, void *host, struct line_ref *v, unsigned n, unsigned *used)
{
	uint64_t first = v[0].vpn & ~(uint64_t)(LINE_BATCH - 1);
	uint32_t now = hv->epoch(host), age = LINE_GEN_MASK;
	struct cleaning c = { .n = 0 };
	unsigned k, victims = 0;

	for (k = 0; k < n && v[k].vpn < first + LINE_BATCH; k++) {
		uint64_t w = line_load(hv->line(host, v[k].vpn, true));

		if (line_state(w) != LINE_DIRTY || line_gen(w) != v[k].gen)
			continue;
		if (line_age(now, v[k].gen) < age)
			age = line_age(now, v[k].gen);
		victims++;
	}
	*used = k;
	if (victims == 0)
		return 0;
	if (victims < EVICT_FEW)
		age -= age / 16;
	for (uint64_t vpn = first; vpn < first + LINE_BATCH; vpn++) {
		uint64_t *word = hv->line(host, vpn, false);
		uint64_t w = word ? line_load(word) : 0;

		if (line_state(w) != LINE_DIRTY)
			continue;
		if (hv->pinned && hv->pinned(host, vpn)) {
			if (c.n < LINE_BATCH)
				c.apart |= 1ULL << c.n;
			continue;
		}
		if (line_age(now, line_gen(w)) >= age)
			cleaning_add(&c, vpn, word, w);
		else if (c.n < LINE_BATCH)
			c.apart |= 1ULL << c.n;
	}
	return cleaning_run(hv, host, &c);
}

/* The word of a clean line that was dropped. */
static uint64_t evict_away(uint64_t w)
{
	uint64_t loc = line_loc(w);

	return loc ? line_word(LINE_AWAY, loc, history_left(line_history(w)), 0) : 0;
}

/* Drop those victims that are clean, all by one call. The number dropped. */
static unsigned evict_drop(const struct hostvm *hv, void *host, struct line_ref *v, unsigned n)
{
	struct hostvm_run run[LINE_EVICT_MAX];
	uint64_t *word[LINE_EVICT_MAX], was[LINE_EVICT_MAX];
	unsigned runs = 0, dropped = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t *lw = hv->line(host, v[i].vpn, true), w = line_load(lw);

		if (line_gen(w) != v[i].gen) {
			v[i].gone = true;
			continue;
		}
		if (line_state(w) != LINE_CLEAN || !line_cas(lw, w, line_to(w, LINE_DROP, line_loc(w))))
			continue;
		v[i].gone = true;
		word[dropped] = lw;
		was[dropped++] = w;
		if (runs > 0 && run[runs - 1].vpn + run[runs - 1].pages == v[i].vpn)
			run[runs - 1].pages++;
		else
			run[runs++] = (struct hostvm_run){ v[i].vpn, 1 };
	}
	if (runs > 0)
		hv->drop(host, run, runs);
	for (unsigned i = 0; i < dropped; i++)
		line_store(word[i], evict_away(was[i]));
	return dropped;
}

int line_evict(const struct hostvm *hv, void *host, struct line_ref *v, unsigned n)
{
	unsigned dropped;
	int err = 0;

	BUG_ON(n > LINE_EVICT_MAX);
	for (unsigned i = 0, used; i < n; i += used) {
		int e = evict_clean_segment(hv, host, v + i, n - i, &used);

		if (e)
			err = e;
	}
	dropped = evict_drop(hv, host, v, n);
	if (dropped > 0)
		hv->room_put(host, dropped);
	return err;
}
