/* Changes of the layout: the line state machine while faults are excluded. See line.h. */
#include "ashlar/base/log.h"
#include "pcomponent/excache/hostvm.h"
#include "pcomponent/excache/line.h"

/* Nothing is in transit here: whoever owns a line is inside a fault. */
static uint64_t quiet_word(uint64_t *word)
{
	uint64_t w = line_load(word);

	BUG_ON(line_in_transit(w));
	return w;
}

static void frame_end(const struct hostvm *hv, void *host, uint64_t vpn, uint64_t loc)
{
	if (!loc)
		return;
	hv->unmapped(host, vpn, loc);
	hv->frame_put(host, loc);
}

bool line_forget(const struct hostvm *hv, void *host, uint64_t vpn)
{
	uint64_t *word = hv->line(host, vpn, false), w = word ? quiet_word(word) : 0;

	if (w == 0)
		return false;
	frame_end(hv, host, vpn, line_loc(w));
	line_store(word, 0);
	return line_resident(w);
}

bool line_take(const struct hostvm *hv, void *host, uint64_t vpn, uint32_t gen)
{
	uint64_t *word = hv->line(host, vpn, true), w = quiet_word(word);

	if (line_resident(w))
		return false;
	frame_end(hv, host, vpn, line_loc(w));
	line_store(word, line_word(LINE_DIRTY, 0, 0, gen));
	return true;
}

bool line_move(const struct hostvm *hv, void *host, uint64_t from, uint64_t to, uint32_t gen)
{
	uint64_t *old = hv->line(host, from, false), w = old ? quiet_word(old) : 0, loc = line_loc(w);

	if (w == 0)
		return false;
	line_store(old, 0);
	if (line_resident(w)) {
		/* Its protection may be gone, so writes may go unseen: it has no frame that could be trusted. */
		frame_end(hv, host, from, loc);
		line_store(hv->line(host, to, true), line_word(LINE_DIRTY, 0, 0, gen));
		return true;
	}
	hv->unmapped(host, from, loc);
	hv->mapped(host, to, loc);
	line_store(hv->line(host, to, true), w);
	return false;
}
