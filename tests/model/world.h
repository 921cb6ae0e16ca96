/*
 * World: the line state machine of the product (its very files, included below) over a model of the host: pages with
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
#include <errno.h>
#include "steps.h"

#define LINE_MODEL 1
#define LINE_BATCH 4u
#define LINE_EVICT_MAX 4u
#include "pcomponent/excache/hostvm.h"
#include "pcomponent/excache/line.h"

#define PAGES 4u
#define FORKED 2u /* pages of each process, where there are two */
#define FRAMES 8u
#define QUEUE 64u
#define STALE 16u
#define VAIN_MAX 6u

/*
 * Planted bugs: each must be found. They sit in what surrounds the product's code, so that this stays as it is.
 */
enum bug {
	BUG_NONE,
	BUG_NO_UNPROT,	      /* a writer takes the protection away without owning the line */
	BUG_NO_DROP,	      /* the evictor drops without owning the line */
	BUG_NO_FETCH,	      /* two threads may bring in one line */
	BUG_RESCUE_LOST,      /* the evictor's CLEANING -> CLEAN does not look for a rescue */
	BUG_PROTECT_LATE,     /* contents are read before the page is protected */
	BUG_COPY_WRITABLE,    /* pages are read in unprotected */
	BUG_NO_SPURIOUS,      /* a write fault on a dirty line does nothing */
	BUG_FREE_EARLY,	      /* a frame is free as soon as its fetch begins */
	BUG_FREE_TWICE,	      /* a rescued line's frame is kept in the word as well */
	BUG_FREE_NEVER,	      /* a rescued line's frame is not given back */
	BUG_STALE_LATE,	      /* a frame's end is told after the line is dirty */
	BUG_NO_RETAIN,	      /* victims that could not be evicted are forgotten */
	BUG_NO_ROOM,	      /* lines are brought in without room */
	BUG_FORK_UNPROTECTED, /* the child's pages are as the host leaves them */
	BUG_FORK_UNCOUNTED,   /* who puts a shared frame first frees it */
	BUG_FORK_STALE,	      /* ends of frames that were told before a fork are not heard before it */
	BUG_FORK_OPEN,	      /* frames of before a fork are taken again while the other has them */
	BUG_COUNT
};

static const char *const bug_name[BUG_COUNT] = {
	"none",
	"no UNPROT",
	"no DROP",
	"no FETCH",
	"rescue lost",
	"protect late",
	"copied writable",
	"no spurious faults",
	"frame freed early",
	"frame freed twice",
	"frame never freed",
	"stale told late",
	"victims not retained",
	"no room taken",
	"child unprotected",
	"shares not counted",
	"ends not heard before a fork",
	"shared frames reused",
};

struct page {
	uint64_t word;
	uint8_t present, protect, tlb_write, content, truth, registered, ungiven, pad;
};

struct frame {
	uint8_t used; /* by so many processes */
	uint8_t content, reading, writing, sealed, pad[3];
};

struct stale {
	uint64_t vpn, loc;
};

/* One scenario. Programs are strings: "r0 w1 z2" reads page 0, writes page 1, writes zero to page 2. */
struct scenario {
	const char *name;
	const char *program[3]; /* by thread */
	const char *layout; /* f0: page 0 is forgotten; m01: moved to page 1; t2: taken (registered late); k: fork */
	bool forks;	    /* there is a k, and programs that begin with one are the child's */
	bool relocates;	    /* the evictor moves lines out of sealed frames */
	unsigned budget, frames, rounds, batch, grow, pages;
	bool native[PAGES]; /* there before registration */
	unsigned preempt;   /* bound of preemptions for an exhaustive walk; 0: none */
	/* One in so many host operations fails (random runs); 0: none */
	unsigned fail_one_in;
};

struct world {
	struct page page[PAGES];
	struct frame frame[FRAMES];
	uint64_t map[PAGES]; /* page map: location */
	struct line_ref queue[QUEUE];
	struct stale stale[STEPS_THREADS][STALE], late;
	uint8_t n_stale[STEPS_THREADS], bounce[STEPS_THREADS], wants[STEPS_THREADS], slot[8];
	uint8_t fake[PAGES];	     /* planted bugs: the word says otherwise */
	uint8_t vain[STEPS_THREADS]; /* faults of one access since another thread changed anything */
	uint8_t evictor_done, forked, pad[2];
	uint32_t queued, epoch, in_fault, exclusive, writes, rounds, frame_next, programs_left;
	int32_t room, pad2;
};

static struct world world;
static const struct scenario *scenario;
static enum bug bug;
static uint64_t (*world_random)(void); /* NULL: no failures, no choices */
/*
 * Stop also before loads of a word. Needed for nothing: what a load that comes later would see, the compare-and-swap
 * behind it sees too, and the thread looks again; and it multiplies the states.
 */
static bool world_fine;
/* Only what a program or a component would notice counts as wrong: not what the word says on the way there. */
static bool world_damage_only;

/* For whoever waits, and for whoever faults in vain. */
static void world_changed(void)
{
	for (unsigned t = 0; t < steps.n; t++)
		if (t != steps.self)
			world.vain[t] = 0;
	steps_changed();
}

static bool world_chance(unsigned one_in)
{
	return one_in && world_random && world_random() % one_in == 0;
}

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

static int model_copy(void *host, uint64_t vpn, unsigned n, bool zero, bool protect)
{
	(void)host;
	for (unsigned i = 0; i < n; i++) {
		struct page *p = &world.page[vpn + i];

		step("copy page");
		if (world_chance(scenario->fail_one_in))
			return i > 0 ? (int)i : -ENOMEM;
		if (p->present)
			return i > 0 ? (int)i : -EEXIST;
		p->present = 1;
		p->content = zero ? 0 : world.bounce[steps.self];
		p->protect = protect && bug != BUG_COPY_WRITABLE;
		p->tlb_write = !p->protect;
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
	for (unsigned i = 0; i < n; i++) {
		step("protect page");
		if (world.page[vpn + i].present && world.page[vpn + i].registered)
			world.page[vpn + i].protect = 1;
	}
	step("flush TLB");
	for (unsigned i = 0; i < n; i++)
		world.page[vpn + i].tlb_write = !world.page[vpn + i].protect;
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
		p->protect = 0;
	p->tlb_write = p->present && !p->protect;
	return 0;
}

static void model_drop(void *host, const struct hostvm_run *run, unsigned n)
{
	(void)host;
	for (unsigned r = 0; r < n; r++)
		for (uint64_t i = 0; i < run[r].pages; i++) {
			struct page *p = &world.page[run[r].vpn + i];

			step("drop page");
			p->present = p->protect = p->tlb_write = p->content = 0;
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

#include "pcomponent/excache/evict.c"
#include "pcomponent/excache/layout.c"
#include "pcomponent/excache/line.c"
#include "pcomponent/excache/relocate.c"

/* ---- threads ---- */

static void fault_enter(void)
{
	if (scenario->layout)
		step("enter fault");
	while (world.exclusive)
		step_wait("wait for layout");
	world.in_fault++;
}

static void fault_leave(void)
{
	if (scenario->layout)
		step("leave fault");
	world.in_fault--;
	world_changed();
}

static bool access_once(struct page *p, char how)
{
	bool write = how != 'r';

	step(write ? "write" : "read");
	if (!p->present || (write && p->protect && !p->tlb_write))
		return false;
	if (write)
		p->content = p->truth = how == 'z' ? 0 : p->truth % 6 + 1;
	else if (p->content != p->truth)
		steps_fail("a read returned something else than was written last");
	return true;
}

/* Where the mapping ends that vpn lies in: late registration takes whole mappings. */
static uint64_t mapping_end(unsigned vpn)
{
	unsigned end = scenario->forks && vpn < FORKED ? FORKED : scenario->pages;

	while (vpn < end && world.page[vpn].registered)
		vpn++;
	return vpn;
}

static void program_access(unsigned vpn, char how)
{
	int r;

	world.vain[steps.self] = 0;
	while (!access_once(&world.page[vpn], how)) {
		if (++world.vain[steps.self] > VAIN_MAX) {
			steps_fail("livelock: an access faults for ever");
			step_wait("livelock");
		}
		fault_enter();
		r = line_fault(&model, NULL, vpn, how != 'r', mapping_end(vpn), scenario->grow);
		fault_leave();
		if (r == -EAGAIN) {
			world.wants[steps.self] = 1;
			world_changed();
			while (world.room <= 0 && !world.evictor_done)
				step_wait("wait for room");
			world.wants[steps.self] = 0;
			if (world.room <= 0)
				return;
		} else if (r < 0) {
			return; /* the program dies; the rest must stay whole */
		}
	}
}

static void program(const char *script)
{
	while (*script == 'k' && !world.forked)
		step_wait("wait for the fork");
	for (const char *s = script; *s; s++) {
		if (*s == 'r' || *s == 'w' || *s == 'z')
			program_access((unsigned)(s[1] - '0'), *s);
	}
	world.programs_left--;
	world_changed();
}

static bool room_wanted(void)
{
	for (unsigned t = 0; t < steps.n; t++)
		if (world.wants[t])
			return true;
	return false;
}

static void evict_round(void)
{
	struct line_ref v[LINE_EVICT_MAX];
	unsigned n = 0;

	memset(v, 0, sizeof(v));
	world.epoch++;
	while (n < scenario->batch && world.queued > 0) {
		struct line_ref r = world.queue[0];

		world.queued--;
		memmove(world.queue, world.queue + 1, world.queued * sizeof(r));
		memset(&world.queue[world.queued], 0, sizeof(r));
		if (line_gen(world.page[r.vpn].word) == r.gen)
			v[n++] = r;
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; k < n; k++)
			if (v[k].vpn < v[i].vpn) {
				struct line_ref x = v[i];

				v[i] = v[k];
				v[k] = x;
			}
	if (n > 0)
		(void)line_evict(&model, NULL, v, n);
	for (unsigned i = 0; i < n && bug != BUG_NO_RETAIN; i++)
		if (!v[i].gone)
			queue_add(v[i].vpn, v[i].gen);
}

/* Out of frames that are sealed: as many lines as there are. */
static void relocate_round(void)
{
	uint64_t vpn[PAGES], loc;
	unsigned n = 0, used = 0;
	int frames;

	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t at = line_loc(world.page[i].word);

		if (at && world.frame[at - 1].sealed)
			vpn[n++] = i;
	}
	frames = n ? model_frames_take(NULL, n, &loc) : -ENOMEM;
	if (frames < 0)
		return;
	(void)line_relocate(&model, NULL, vpn, n, loc, (unsigned)frames, &used);
	for (unsigned i = used; i < (unsigned)frames; i++)
		frame_free(loc + i);
}

static void evictor(void)
{
	while (world.programs_left > 0 && world.rounds < scenario->rounds) {
		if (world.queued == 0 || (world_random && !room_wanted() && world_random() % 4)) {
			step_wait("wait for work");
			continue;
		}
		fault_enter();
		evict_round();
		if (scenario->relocates)
			relocate_round();
		world.rounds++;
		fault_leave();
	}
	world.evictor_done = 1;
	world_changed();
}

static void host_forget(unsigned vpn)
{
	struct page *p = &world.page[vpn];

	step("munmap");
	p->present = p->protect = p->tlb_write = p->content = p->truth = 0;
	world.room += line_forget(&model, NULL, vpn);
	world_changed();
}

static void host_move(unsigned from, unsigned to)
{
	struct page *a = &world.page[from], *b = &world.page[to];

	host_forget(to);
	step("mremap");
	b->present = b->tlb_write = a->present;
	b->content = a->content;
	b->truth = a->truth;
	a->present = a->protect = a->tlb_write = a->content = a->truth = 0;
	if (line_move(&model, NULL, from, to, world.epoch))
		queue_add(to, world.epoch);
}

static void host_take(unsigned vpn)
{
	step("register");
	world.page[vpn].registered = 1;
	if (line_take(&model, NULL, vpn, world.epoch)) {
		queue_add(vpn, world.epoch);
		world.room--;
	}
	world_changed();
}

/* The host shares the pages by copy-on-write, and drops their registration in the child, which makes it anew. */
static void host_fork(void)
{
	unsigned queued = world.queued;

	if (bug != BUG_FORK_STALE)
		model_collect();
	step("fork");
	for (unsigned i = 0; i < FRAMES; i++) {
		if (!world.frame[i].used)
			continue;
		world.frame[i].used++;
		world.frame[i].sealed = 1;
	}
	for (unsigned i = 0; i < FORKED; i++) {
		const struct page *p = &world.page[i];
		struct page *c = &world.page[FORKED + i];

		*c = *p;
		c->protect = p->registered && p->present && bug != BUG_FORK_UNPROTECTED;
		c->tlb_write = p->present && !c->protect;
		world.map[FORKED + i] = world.map[i];
		world.room -= line_resident(p->word);
	}
	for (unsigned i = 0; i < queued; i++)
		if (world.queue[i].vpn < FORKED)
			queue_add(world.queue[i].vpn + FORKED, world.queue[i].gen);
	world.forked = 1;
	world_changed();
}

static void layout(const char *script)
{
	for (const char *s = script; *s; s++) {
		if (*s != 'f' && *s != 'm' && *s != 't' && *s != 'k')
			continue;
		step("enter exclusive");
		while (world.exclusive || world.in_fault)
			step_wait("wait for faults");
		world.exclusive = 1;
		world.epoch++;
		if (*s != 'k')
			model_collect();
		if (*s == 'k')
			host_fork();
		else if (*s == 'f')
			host_forget((unsigned)(s[1] - '0'));
		else if (*s == 'm')
			host_move((unsigned)(s[1] - '0'), (unsigned)(s[2] - '0'));
		else
			host_take((unsigned)(s[1] - '0'));
		world.exclusive = 0;
		world_changed();
	}
}

static unsigned programs(void)
{
	unsigned n = 0;

	while (n < 3 && scenario->program[n])
		n++;
	return n;
}

static void world_thread(unsigned t)
{
	unsigned n = programs();

	if (t < n)
		program(scenario->program[t]);
	else if (t == n)
		evictor();
	else
		layout(scenario->layout);
}

static inline void world_begin(const struct scenario *s, enum bug b)
{
	memset(&world, 0, sizeof(world));
	scenario = s;
	bug = b;
	world.epoch = 1;
	world.room = (int)s->budget;
	world.programs_left = programs();
	for (unsigned i = 0; i < PAGES; i++) {
		struct page *p = &world.page[i];

		p->registered = !s->native[i] && !(s->forks && i >= FORKED);
		p->present = p->tlb_write = s->native[i];
		p->content = p->truth = s->native[i] ? 200 : 0;
	}
	steps_begin(programs() + 1 + (s->layout != NULL), world_thread, &world, sizeof(world));
}

/* ---- rules ---- */

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
		if (!p->present || !p->protect || p->tlb_write)
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
