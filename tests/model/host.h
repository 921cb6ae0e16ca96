/* The host operations that the line state machine stands on, over the world's pages and frames; its loads and stores of words. */
#ifndef ASHLAR_TESTS_MODEL_HOST_H
#define ASHLAR_TESTS_MODEL_HOST_H
#include "state.h"

/* ---- the word ---- */

static struct page *page_of_word(const uint64_t *word)
{
	return (struct page *)((uintptr_t)word - offsetof(struct page, word));
}

uint64_t line_load(uint64_t *word)
{
	if (world_fine)
		step("load");
	return *word;
}

void line_store(uint64_t *word, uint64_t v)
{
	static const char *const to[] = { "store AWAY", "store FETCH", "store CLEAN", "store DIRTY", "?", "?", "?" };

	step(to[line_state(v)]);
	*word = v;
	world.fake[page_of_word(word) - world.page] = 0;
	if (bug == BUG_STALE_LATE && world.late.loc) {
		unsigned t = steps.self;

		world_changed();
		step("tell stale frame");
		if (world.n_stale[t] == STALE)
			steps_fail("queue of stale frames is full");
		else
			world.stale[t][world.n_stale[t]++] = world.late;
		world.late.loc = 0;
	}
	world_changed();
}

bool line_cas(uint64_t *word, uint64_t old, uint64_t v)
{
	static const char *const to[] = { "cas AWAY",	"cas FETCH",	"cas CLEAN", "cas DIRTY",
					  "cas UNPROT", "cas CLEANING", "cas DROP" };
	enum line_state next = line_state(v);

	step(to[next]);
	if (bug == BUG_RESCUE_LOST && next == LINE_CLEAN) {
		*word = v;
		world_changed();
		return true;
	}
	if (*word != old)
		return false;
	if (bug == BUG_FREE_EARLY && next == LINE_FETCH && line_loc(old))
		world.frame[line_loc(old) - 1].used = 0;
	/* Ownership that is only believed in */
	if ((bug == BUG_NO_UNPROT && next == LINE_UNPROT) || (bug == BUG_NO_DROP && next == LINE_DROP) ||
	    (bug == BUG_NO_FETCH && next == LINE_FETCH))
		return true;
	if (bug == BUG_NO_SPURIOUS && next == LINE_UNPROT && line_state(old) == LINE_DIRTY)
		world.fake[page_of_word(word) - world.page] = 1;
	*word = v;
	world_changed();
	return true;
}

/* ---- host operations ---- */

static uint64_t *model_line(void *host, uint64_t vpn, bool make)
{
	(void)host, (void)make;
	return vpn < PAGES ? &world.page[vpn].word : NULL;
}

static uint32_t model_epoch(void *host)
{
	(void)host;
	return world.epoch;
}

static void model_relax(void *host)
{
	(void)host;
	step_wait("relax");
}

static unsigned model_room_take(void *host, unsigned n)
{
	int got;

	(void)host;
	step("take room");
	if (bug == BUG_NO_ROOM)
		return n;
	got = world.room < (int)n ? world.room : (int)n;
	if (got <= 0)
		return 0;
	world.room -= got;
	return (unsigned)got;
}

static void model_room_put(void *host, unsigned n)
{
	(void)host;
	step("put room");
	world.room += (int)n;
	world_changed();
}

static void queue_add(uint64_t vpn, uint32_t gen)
{
	if (world.queued == QUEUE)
		steps_fail("eviction queue is full");
	else
		world.queue[world.queued++] = (struct line_ref){ .vpn = vpn, .gen = gen };
}

static void model_admit(void *host, uint64_t vpn, uint32_t gen)
{
	(void)host;
	step("admit");
	queue_add(vpn, gen);
	world_changed();
}

/* The processes that map the pages; the one whose fault this is. */
static uint8_t everybody(void)
{
	uint8_t all = 1;

	for (unsigned t = 1; scenario->shared && t < 3 && scenario->program[t]; t++)
		all |= (uint8_t)(1u << t);
	return all;
}

static uint8_t myself(void)
{
	return scenario->shared ? (uint8_t)(1u << steps.self) : 1;
}

/* In one process after another; in shared memory also what is not there yet will be protected when it comes. */
static void protect_page(struct page *p, uint8_t in)
{
	for (uint8_t bit = 1; bit & everybody(); bit = (uint8_t)(bit << 1)) {
		if (!(bit & in))
			continue;
		step("protect page");
		if ((p->present || scenario->shared) && p->registered)
			p->protect |= bit;
	}
}

static int model_copy(void *host, uint64_t vpn, unsigned n, bool zero, bool protect)
{
	(void)host;
	for (unsigned i = 0; i < n; i++) {
		struct page *p = &world.page[vpn + i];

		if (scenario->shared && protect)
			protect_page(p, bug == BUG_SHARED_COPY ? myself() : everybody());
		if (scenario->shared && !protect) {
			step("unprotect page");
			p->protect &= (uint8_t)~myself();
		}
		step("copy page");
		if (world_chance(scenario->fail_one_in))
			return i > 0 ? (int)i : -ENOMEM;
		if (p->present)
			return i > 0 ? (int)i : -EEXIST;
		p->present = 1;
		p->content = zero ? 0 : world.bounce[steps.self];
		if (!scenario->shared)
			p->protect = protect && bug != BUG_COPY_WRITABLE;
		p->tlb_write = everybody() & (uint8_t)~p->protect;
	}
	return (int)n;
}

/* Page by page, and in the end every TLB: until then writes through old entries go on. */
static int model_protect(void *host, uint64_t vpn, unsigned n)
{
	(void)host;
	if (bug == BUG_PROTECT_LATE)
		return 0;
	if (world_chance(scenario->fail_one_in))
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		protect_page(&world.page[vpn + i], bug == BUG_SHARED_ONE ? 1 : everybody());
	step("flush TLB");
	for (unsigned i = 0; i < n; i++)
		world.page[vpn + i].tlb_write &= (uint8_t)~world.page[vpn + i].protect;
	return 0;
}

static int model_unprotect(void *host, uint64_t vpn)
{
	struct page *p = &world.page[vpn];

	(void)host;
	step("unprotect page");
	if (world_chance(scenario->fail_one_in))
		return -ENOMEM;
	if (p->present && !world.fake[vpn])
		p->protect &= (uint8_t)~myself();
	if (p->present && !(p->protect & myself()))
		p->tlb_write |= myself();
	return 0;
}

static void model_drop(void *host, const struct hostvm_run *run, unsigned n)
{
	(void)host;
	for (unsigned r = 0; r < n; r++)
		for (uint64_t i = 0; i < run[r].pages; i++) {
			struct page *p = &world.page[run[r].vpn + i];

			step("drop page");
			p->present = p->tlb_write = p->content = 0;
			/* What is not there may stay protected in a process for when it comes again, or not */
			if (!scenario->shared || world.rounds % 2 == 0)
				p->protect = 0;
		}
}

static int model_read(void *host, const uint64_t *vpn, unsigned n, uint64_t *zeros)
{
	*zeros = 0;
	if (world_chance(scenario->fail_one_in))
		return -EFAULT;
	for (unsigned i = 0; i < n; i++) {
		step("read page");
		if (!world.page[vpn[i]].present)
			steps_fail("the evictor reads a page that is not there");
		world.slot[i] = world.page[vpn[i]].content;
		if (world.slot[i] == 0)
			*zeros |= 1ULL << i;
	}
	if (bug == BUG_PROTECT_LATE) {
		bug = BUG_NONE;
		(void)model_protect(host, vpn[0], (unsigned)(vpn[n - 1] - vpn[0]) + 1);
		bug = BUG_PROTECT_LATE;
	}
	return 0;
}

static struct frame *frame_at(uint64_t loc)
{
	if (loc == 0 || loc > FRAMES || !world.frame[loc - 1].used) {
		steps_fail("a frame is used that nobody has");
		return &world.frame[0];
	}
	return &world.frame[loc - 1];
}

static int model_fetch(void *host, uint64_t loc)
{
	struct frame *f;

	(void)host;
	step("fetch begins");
	f = frame_at(loc);
	if (f->writing)
		steps_fail("a frame is read while it is written");
	f->reading++;
	step("fetch ends");
	f->reading--;
	world.bounce[steps.self] = f->content;
	return world_chance(scenario->fail_one_in) ? -EIO : 0;
}

static int model_fetch_slot(void *host, unsigned i, uint64_t loc)
{
	int err = model_fetch(host, loc);

	world.slot[i] = world.bounce[steps.self];
	return err;
}

/* How many lines name it. */
static unsigned frame_in_word(uint64_t loc)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGES; i++)
		n += line_loc(world.page[i].word) == loc;
	return n;
}

static int model_store(void *host, const uint8_t *slot, unsigned n, uint64_t loc)
{
	(void)host;
	for (unsigned i = 0; i < n; i++) {
		struct frame *f;

		step("store begins");
		f = frame_at(loc + i);
		if (f->reading || frame_in_word(loc + i))
			steps_fail("a frame is written that somebody may read");
		if (f->sealed || f->used > 1)
			steps_fail("a frame is written that was shared");
		f->writing = 1;
		step("store ends");
		f->writing = 0;
		f->content = world.slot[slot[i]];
	}
	/* Frames of a failed store belong to a lost component: nobody has them again. The model takes them back. */
	if (world_chance(scenario->fail_one_in)) {
		for (unsigned i = 0; i < n; i++)
			world.frame[loc + i - 1].used = 0;
		return -EIO;
	}
	return 0;
}

static void frame_free(uint64_t loc)
{
	struct frame *f;

	if (bug == BUG_FREE_EARLY)
		return;
	f = frame_at(loc);
	/* The other process may read what both have. */
	if ((f->reading && f->used == 1) || f->writing)
		steps_fail("a frame is freed under a transfer");
	f->used--;
	if (bug == BUG_FORK_UNCOUNTED)
		f->used = 0;
	if (!f->used)
		f->sealed = 0;
}

/* What the threads queued: their frames' ends. */
static void model_collect(void)
{
	for (unsigned t = 0; t < STEPS_THREADS; t++) {
		for (unsigned i = 0; i < world.n_stale[t]; i++) {
			world.map[world.stale[t][i].vpn] = 0;
			frame_free(world.stale[t][i].loc);
		}
		memset(world.stale[t], 0, sizeof(world.stale[t]));
		world.n_stale[t] = 0;
	}
}

/* Next fit, as the real one. */
static int model_frames_take(void *host, unsigned want, uint64_t *loc)
{
	(void)host;
	step("take frames");
	model_collect();
	for (unsigned k = 0; k < FRAMES && bug == BUG_FORK_OPEN; k++)
		if (world.frame[k].used == 1 && world.frame[k].sealed) { /* the other process has it still */
			*loc = k + 1;
			return 1;
		}
	for (unsigned k = 0; k < scenario->frames; k++) {
		unsigned at = (world.frame_next + k) % scenario->frames, n = 0;

		while (n < want && at + n < scenario->frames && !world.frame[at + n].used)
			world.frame[at + n++].used = 1;
		if (n > 0) {
			world.frame_next = at + n;
			*loc = at + 1;
			return (int)n;
		}
	}
	return -ENOMEM;
}

static void model_frame_put(void *host, uint64_t loc)
{
	(void)host;
	step("put frame");
	if (bug == BUG_FREE_NEVER)
		return;
	if (bug == BUG_FREE_TWICE)
		frame_free(loc);
	frame_free(loc);
}

static void model_mapped(void *host, uint64_t vpn, uint64_t loc)
{
	(void)host;
	step("map page");
	world.map[vpn] = loc;
}

static void model_unmapped(void *host, uint64_t vpn, uint64_t loc)
{
	(void)host, (void)loc;
	world.map[vpn] = 0;
}

static void model_frame_stale(void *host, uint64_t vpn, uint64_t loc)
{
	unsigned t = steps.self;

	(void)host;
	step("stale frame");
	if (bug == BUG_STALE_LATE && !world.late.loc)
		world.late = (struct stale){ vpn, loc };
	else if (world.n_stale[t] == STALE)
		steps_fail("queue of stale frames is full");
	else
		world.stale[t][world.n_stale[t]++] = (struct stale){ vpn, loc };
}

static const struct hostvm model = {
	.line = model_line,
	.epoch = model_epoch,
	.relax = model_relax,
	.room_take = model_room_take,
	.room_put = model_room_put,
	.admit = model_admit,
	.copy = model_copy,
	.protect = model_protect,
	.unprotect = model_unprotect,
	.drop = model_drop,
	.read = model_read,
	.fetch = model_fetch,
	.fetch_slot = model_fetch_slot,
	.store = model_store,
	.frames_take = model_frames_take,
	.frame_put = model_frame_put,
	.mapped = model_mapped,
	.unmapped = model_unmapped,
	.frame_stale = model_frame_stale,
};

#endif
