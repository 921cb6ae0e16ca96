/* Faults on a line: the part of the state machine that program threads run. See line.h. */
#include <errno.h>
#include "pcomponent/excache/history.h"
#include "pcomponent/excache/hostvm.h"
#include "pcomponent/excache/line.h"

/*
 * Make a resident line writable. Entered from CLEAN (first write), CLEANING (rescue) and DIRTY: there the protection is
 * one that the evictor put on its neighbours' account, or that an earlier rescue met; whether it is there the word cannot
 * tell, and a thread that leaves it would fault for ever.
 */
static int line_unprotect(const struct hostvm *hv, void *host, uint64_t vpn, uint64_t *word, uint64_t w)
{
	uint32_t history = line_history(w);
	int err = hv->unprotect(host, vpn);

	if (err) {
		/* Still protected, so nothing was written: as before, but a line under cleaning is dirty again. */
		line_store(word, line_state(w) == LINE_CLEAN ? w : line_to(w, LINE_DIRTY, 0));
		return err;
	}
	/* Before the word says DIRTY: the evictor must see this frame's end before it maps the page to another. */
	if (line_loc(w))
		hv->frame_stale(host, vpn, line_loc(w));
	if (line_state(w) == LINE_CLEAN)
		history = history_written(history);
	line_store(word, line_word(LINE_DIRTY, 0, history, line_gen(w)));
	return 0;
}

/* Bring in a line whose contents are in a frame. The caller moved w to FETCH and holds room for one. */
static int line_fetch(const struct hostvm *hv, void *host, uint64_t vpn, uint64_t *word, uint64_t w, bool write)
{
	uint32_t gen = hv->epoch(host), history = line_history(w);
	bool writable = write || history_predicts(history);
	int err = hv->fetch(host, line_loc(w));

	if (!err)
		err = hv->copy(host, vpn, 1, false, !writable);
	if (err == -EEXIST) {
		/* The host made the page behind our back: the program has seen that one, so it counts. */
		writable = true;
	} else if (err < 0) {
		line_store(word, w);
		hv->room_put(host, 1);
		return err;
	}
	history = write ? history_write(history) : history_read(history);
	if (writable) {
		hv->frame_stale(host, vpn, line_loc(w));
		line_store(word, line_word(LINE_DIRTY, 0, history, gen));
	} else {
		line_store(word, line_word(LINE_CLEAN, line_loc(w), history, gen));
	}
	hv->admit(host, vpn, gen);
	return 1;
}

/* Lines vpn..vpn+n-1 are mapped and belong to us: pass them on to everybody. */
static void line_filled(const struct hostvm *hv, void *host, uint64_t vpn, unsigned n, uint32_t gen)
{
	for (unsigned i = 0; i < n; i++) {
		line_store(hv->line(host, vpn + i, true), line_word(LINE_DIRTY, 0, 0, gen));
		hv->admit(host, vpn + i, gen);
	}
}

/*
 * Map zeros at vpn and, where that works in one call, behind it: what is one mapping to the program may be several to the
 * host, whose border no call crosses. The number mapped, at least 1, or -errno.
 */
static int line_zeros(const struct hostvm *hv, void *host, uint64_t vpn, unsigned n)
{
	int err = hv->copy(host, vpn, n, true, false);

	if (err < 0 && err != -EEXIST && n > 1)
		err = hv->copy(host, vpn, 1, true, false);
	return err == -EEXIST ? 1 : err; /* as in line_fetch */
}

/*
 * Fill a line of zeros, and those after it that are zero too, while room lasts: a page at a growing edge is soon
 * followed by the next. Filled lines are writable: whoever touches new memory will write it.
 */
static int line_fill(const struct hostvm *hv, void *host, uint64_t vpn, uint64_t end, unsigned grow)
{
	uint32_t gen = hv->epoch(host);
	unsigned n = 1, done = 0, more;
	int err = 0;

	if (grow > end - vpn)
		grow = (unsigned)(end - vpn);
	for (more = grow > 1 ? hv->room_take(host, grow - 1) : 0; more > 0; more--, n++)
		if (!line_cas(hv->line(host, vpn + n, true), 0, line_word(LINE_FETCH, 0, 0, 0)))
			break;
	if (more > 0)
		hv->room_put(host, more);

	while (done < n) {
		err = line_zeros(hv, host, vpn + done, n - done);
		if (err < 0)
			break;
		line_filled(hv, host, vpn + done, (unsigned)err, gen);
		done += (unsigned)err;
	}
	if (done < n)
		hv->room_put(host, n - done);
	for (unsigned i = done; i < n; i++)
		line_store(hv->line(host, vpn + i, true), 0);
	return done > 0 ? (int)done : err;
}

/* A line that is not resident: take room, then the line, then fill it. -EBUSY: somebody was faster, look again. */
static int line_bring(const struct hostvm *hv, void *host, uint64_t vpn, uint64_t *word, uint64_t w, bool write,
		      uint64_t end, unsigned grow)
{
	/* Room first: nobody may wait for room who holds a line. */
	if (!hv->room_take(host, 1))
		return -EAGAIN;
	if (!line_cas(word, w, line_word(LINE_FETCH, 0, 0, 0))) {
		hv->room_put(host, 1);
		return -EBUSY;
	}
	if (line_loc(w))
		return line_fetch(hv, host, vpn, word, w, write);
	return line_fill(hv, host, vpn, end, grow);
}

int line_fault(const struct hostvm *hv, void *host, uint64_t vpn, bool write, uint64_t end, unsigned grow)
{
	uint64_t *word = hv->line(host, vpn, true);

	for (;;) {
		uint64_t w = line_load(word);
		int r;

		switch (line_state(w)) {
		case LINE_AWAY:
			r = line_bring(hv, host, vpn, word, w, write, end, grow);
			if (r != -EBUSY)
				return r;
			break;
		case LINE_CLEAN:
		case LINE_DIRTY:
		case LINE_CLEANING:
			if (!write)
				return 0; /* present: somebody was faster */
			if (line_cas(word, w, line_to(w, LINE_UNPROT, 0)))
				return line_unprotect(hv, host, vpn, word, w);
			break;
		case LINE_UNPROT:
			if (!write)
				return 0;
			hv->relax(host);
			break;
		case LINE_FETCH:
		case LINE_DROP:
		case LINE_STATES:
			hv->relax(host);
			break;
		}
	}
}
