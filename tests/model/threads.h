/* The threads of the world: programs, the evictor, one of layout changes, with the product's code that they run. */
#ifndef ASHLAR_TESTS_MODEL_THREADS_H
#define ASHLAR_TESTS_MODEL_THREADS_H
#include "host.h"

#include "pcomponent/excache/evict.c"
#include "pcomponent/excache/layout.c"
#include "pcomponent/excache/line.c"
#include "pcomponent/excache/relocate.c"

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
	if (!p->present || (write && (p->protect & myself()) && !(p->tlb_write & myself())))
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
	b->present = a->present;
	b->tlb_write = a->present ? everybody() : 0;
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
		p->present = s->native[i];
		p->tlb_write = s->native[i] ? everybody() : 0;
		p->content = p->truth = s->native[i] ? 200 : 0;
	}
	steps_begin(programs() + 1 + (s->layout != NULL), world_thread, &world, sizeof(world));
}

#endif
