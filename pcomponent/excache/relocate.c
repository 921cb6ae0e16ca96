/*
 * Moving lines to other frames, so that sparse slabs become free: see line.h. Its lines are held in FETCH or UNPROT, as a
 * fault holds them, while their contents move from frame to frame; nothing of it is seen by the program but a wait.
 */
#include "ashlar/base/log.h"
#include "pcomponent/excache/hostvm.h"
#include "pcomponent/excache/line.h"

/* Lines that were taken into FETCH. */
struct moving {
	unsigned n;
	uint64_t vpn[LINE_BATCH];
	uint64_t *word[LINE_BATCH];
	uint64_t was[LINE_BATCH];
};

static void frame_left(const struct hostvm *hv, void *host, uint64_t vpn, uint64_t loc)
{
	hv->unmapped(host, vpn, loc);
	hv->frame_put(host, loc);
}

/* A clean line is in its page as well: it needs no frame. Its page stays protected, which the next writer finds out. */
static int clean_leave(const struct hostvm *hv, void *host, uint64_t vpn, uint64_t *word, uint64_t w)
{
	if (!line_cas(word, w, line_to(w, LINE_UNPROT, 0)))
		return 0;
	frame_left(hv, host, vpn, line_loc(w));
	line_store(word, line_to(w, LINE_DIRTY, 0));
	return 1;
}

/* *used: of the frames from loc on, written or not. */
static int moving_store(const struct hostvm *hv, void *host, const struct moving *m, uint64_t loc, unsigned *used)
{
	uint8_t slot[LINE_BATCH];
	int err = 0;

	*used = 0;
	for (unsigned i = 0; i < m->n && !err; i++) {
		slot[i] = (uint8_t)i;
		err = hv->fetch_slot(host, i, line_loc(m->was[i]));
	}
	if (err || !m->n)
		return err;
	*used = m->n;
	return hv->store(host, slot, m->n, loc);
}

int line_relocate(const struct hostvm *hv, void *host, const uint64_t *vpn, unsigned n, uint64_t loc, unsigned frames,
		  unsigned *used)
{
	struct moving m = { .n = 0 };
	int freed = 0, err;

	BUG_ON(frames > LINE_BATCH);
	for (unsigned i = 0; i < n; i++) {
		uint64_t *word = hv->line(host, vpn[i], true), w = line_load(word);

		if (!line_loc(w))
			continue;
		if (line_state(w) == LINE_CLEAN)
			freed += clean_leave(hv, host, vpn[i], word, w);
		if (line_state(w) != LINE_AWAY || m.n == frames || !line_cas(word, w, line_to(w, LINE_FETCH, 0)))
			continue;
		m.vpn[m.n] = vpn[i];
		m.word[m.n] = word;
		m.was[m.n++] = w;
	}
	err = moving_store(hv, host, &m, loc, used);
	for (unsigned i = 0; i < m.n; i++) {
		uint64_t old = line_loc(m.was[i]);

		if (!err) {
			hv->unmapped(host, m.vpn[i], old);
			hv->mapped(host, m.vpn[i], loc + i);
		}
		line_store(m.word[i], err ? m.was[i] : line_to(m.was[i], LINE_AWAY, loc + i));
		if (!err)
			hv->frame_put(host, old);
	}
	return err ? err : freed + (int)m.n;
}
