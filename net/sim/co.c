/*
 * Coroutines: stacks on which blocking code runs, switched by hand. Only the world's own context runs one; what wants
 * to wait goes back to it. AddressSanitizer is told of every switch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "net/sim/world.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define fiber_leave(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define fiber_arrive(save, bottom, size) __sanitizer_finish_switch_fiber(save, bottom, size)
#define STACK_BYTES (512UL << 10)
#else
#define fiber_leave(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define fiber_arrive(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define STACK_BYTES (256UL << 10)
#endif

#define YIELD_NS 2000ULL
#define YIELD_SHIFT_MAX 9u

struct sim_co {
	struct list link; /* node's */
	struct sim_node *node;
	void (*fn)(void *);
	void *arg, *sp, *fake;
	char *stack;
	bool done, waiting, woken;
	uint64_t seq;	      /* of the wait */
	uint32_t tid, yields; /* yields: one after the other */
	struct sim_waitq *q;
	struct sim_co *q_next;
};

static struct {
	void *sp, *fake;
	const void *bottom;
	size_t size;
} home;

/* Stacks are kept for the next one, also from world to world. */
#define STACKS_KEPT 256u
static char *kept[STACKS_KEPT];
static unsigned n_kept;

void sim_switch(void **from, void *to);

static char *stack_get(void)
{
	char *p;

	if (n_kept)
		return kept[--n_kept];
	p = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	BUG_ON(p == MAP_FAILED || mprotect(p, PAGE_BYTES, PROT_NONE));
	return p;
}

static void stack_put(char *p)
{
	if (n_kept < STACKS_KEPT)
		kept[n_kept++] = p;
	else
		munmap(p, STACK_BYTES);
}

void sim_co_free_stacks(void)
{
	while (n_kept > 64)
		munmap(kept[--n_kept], STACK_BYTES);
}

static void go_home(struct sim_co *co)
{
	fiber_leave(co->done ? NULL : &co->fake, home.bottom, home.size);
	sim_switch(&co->sp, home.sp);
	fiber_arrive(co->fake, NULL, NULL);
}

static void co_main(void)
{
	struct sim_co *co = sim.co;

	fiber_arrive(NULL, &home.bottom, &home.size);
	co->fn(co->arg);
	co->done = true;
	go_home(co);
	abort();
}

struct sim_co *sim_co_new(struct sim_node *node, void (*fn)(void *), void *arg)
{
	struct sim_co *co = sim_alloc(sizeof(*co)); /* late timeouts look at it when it is over */
	uint64_t *sp;

	co->node = node;
	co->fn = fn;
	co->arg = arg;
	co->tid = ++sim.tid_next;
	co->stack = stack_get();
	sp = (uint64_t *)(co->stack + STACK_BYTES);
	*--sp = 0;
	*--sp = (uintptr_t)co_main;
	for (unsigned i = 0; i < 6; i++)
		*--sp = 0;
	co->sp = sp;
	if (node) {
		list_add_tail(&node->cos, &co->link);
		node->n_cos++;
	}
	sim.counts.coroutines++;
	return co;
}

static void co_free(struct sim_co *co)
{
	if (co->node) {
		list_del(&co->link);
		co->node->n_cos--;
	}
	sim.counts.coroutines--;
	stack_put(co->stack);
}

void sim_co_run(struct sim_co *co)
{
	BUG_ON(sim.co);
	sim.co = co;
	sim.at_work = co->node;
	fiber_leave(&home.fake, co->stack, STACK_BYTES);
	sim_switch(&home.sp, co->sp);
	fiber_arrive(home.fake, NULL, NULL);
	sim.co = NULL;
	sim.at_work = NULL;
	if (co->done)
		co_free(co);
}

void sim_co_park(void)
{
	go_home(sim.co);
}

struct sim_node *sim_node_self(void)
{
	return sim.at_work;
}

uint32_t sim_thread_id(void)
{
	return sim.co ? sim.co->tid : 0;
}

/* ---- waiting ---- */

static void q_remove(struct sim_co *co)
{
	struct sim_co **p;

	if (!co->q)
		return;
	for (p = &co->q->first; *p != co; p = &(*p)->q_next)
		;
	*p = co->q_next;
	co->q = NULL;
}

/* All ways to go on lead here: woken, too late, or dead. The first one counts; seq tells waits apart. */
static void resume(void *arg, uint64_t seq)
{
	struct sim_co *co = arg;

	if (!co->waiting || co->seq != seq)
		return;
	co->waiting = false;
	q_remove(co);
	sim_co_run(co);
}

int sim_wait(struct sim_waitq *q, uint64_t deadline_ns)
{
	struct sim_co *co = sim.co;

	BUG_ON(!co); /* the world's own context never waits */
	if (co->node && co->node->dead && q)
		return -EPIPE;
	if (deadline_ns && deadline_ns <= sim.now && q)
		return -ETIMEDOUT;
	co->waiting = true;
	co->woken = false;
	co->yields = 0;
	co->seq = ++sim.seq;
	if (q) {
		struct sim_co **p = &q->first;

		while (*p)
			p = &(*p)->q_next;
		*p = co;
		co->q_next = NULL;
		co->q = q;
	}
	if (deadline_ns)
		sim_at(deadline_ns, resume, co, co->seq);
	sim_co_park();
	if (co->node && co->node->dead && q)
		return -EPIPE;
	return co->woken ? 0 : -ETIMEDOUT;
}

static void wake(struct sim_co *co)
{
	q_remove(co);
	co->woken = true;
	sim_at(sim.now, resume, co, co->seq);
}

void sim_wake(struct sim_waitq *q)
{
	while (q->first)
		wake(q->first);
}

/* Those that sleep are woken in their time: they hold nothing of the world. */
void sim_cos_wake(struct sim_node *node)
{
	struct list *l;

	for (l = node->cos.next; l != &node->cos; l = l->next) {
		struct sim_co *co = container_of(l, struct sim_co, link);

		if (co->waiting && co->q)
			wake(co);
	}
}

/* Polls of one wait come further and further apart: a wait of seconds is not worth a million events. */
void sim_yield(void)
{
	struct sim_co *co = sim.co;
	uint32_t n = co->yields;

	sim_sleep(YIELD_NS << (n / 16 < YIELD_SHIFT_MAX ? n / 16 : YIELD_SHIFT_MAX));
	co->yields = n + 1;
}

void sim_sleep(uint64_t ns)
{
	(void)sim_wait(NULL, sim.now + (ns ? ns : 1));
}

static void spawn(void *arg, uint64_t v)
{
	(void)v;
	sim_co_run(arg);
}

void sim_spawn(struct sim_node *node, void (*fn)(void *), void *arg)
{
	sim_at(sim.now, spawn, sim_co_new(node, fn, arg), 0);
}
