/*
 * Steps: threads as coroutines that stop before every step which others could see, so that a test decides who goes next.
 * The state of everything (the test's world, and the used part of each stack) can be saved, restored and hashed: that is
 * how all interleavings are walked without running any of them twice.
 *
 * Rules for code that runs in here: no heap, no thread-local storage, no pointers but into the world and its own stack.
 */
#ifndef ASHLAR_TESTS_MODEL_STEPS_H
#define ASHLAR_TESTS_MODEL_STEPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_THREADS 5
#define STEPS_STACK 8192u
#define STEPS_WIPE 128u /* words */

struct steps_thread {
	uint64_t *sp;	   /* while it stands */
	const char *label; /* the step it stands before */
	uint8_t done, waiting, pad[6];
};

/* The test puts its own world behind it. */
struct steps {
	struct steps_thread thread[STEPS_THREADS];
	uint32_t n, self;
	const char *failed; /* why */
};

static struct steps steps;
static void (*steps_main)(unsigned thread);
static void *steps_world;
static size_t steps_world_bytes;
static uint64_t steps_stack[STEPS_THREADS][STEPS_STACK / 8] __attribute__((aligned(64)));
static uint64_t *steps_scheduler_sp;

/* Swap stacks: callee-saved registers go onto the old one. */
__asm__(".pushsection .text\n"
	".type steps_switch, @function\n"
	"steps_switch:\n"
	"	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
	"	ret\n"
	".size steps_switch, .-steps_switch\n"
	".popsection\n");
void steps_switch(uint64_t **save, uint64_t *load);

/* ---- the threads' side ---- */

/* Stop before a step. */
static inline void step(const char *label)
{
	struct steps_thread *t = &steps.thread[steps.self];

	t->label = label;
	steps_switch(&t->sp, steps_scheduler_sp);
}

/* Something that others may wait for has changed. */
static inline void steps_changed(void)
{
	for (unsigned i = 0; i < steps.n; i++)
		steps.thread[i].waiting = 0;
}

/* Others must go on first. */
static inline void step_wait(const char *label)
{
	steps.thread[steps.self].waiting = 1;
	step(label);
}

/* A broken rule: the first one is kept; the run ends at the next stop. */
static inline void steps_fail(const char *why)
{
	if (!steps.failed)
		steps.failed = why;
}

static void steps_entry(void)
{
	steps_main(steps.self);
	steps.thread[steps.self].done = 1;
	steps_changed();
	step("ended");
	abort();
}

/* ---- the scheduler's side ---- */

static inline bool steps_runnable(unsigned i)
{
	return !steps.thread[i].done && !steps.thread[i].waiting;
}

static inline bool steps_all_done(void)
{
	for (unsigned i = 0; i < steps.n; i++)
		if (!steps.thread[i].done)
			return false;
	return true;
}

/*
 * Copies that read and write stacks as plain words: frames of the sanitizer have forbidden zones, and their shadow is
 * part of what must be saved.
 */
#if defined(__SANITIZE_ADDRESS__)
void __asan_get_shadow_mapping(size_t *scale, size_t *offset);
#define STEPS_SHADOW 1
#else
#define STEPS_SHADOW 0
#endif
#if defined(__clang__)
#define STEPS_RAW __attribute__((no_sanitize("address")))
#else
#define STEPS_RAW __attribute__((no_sanitize("address"), optimize("no-tree-loop-distribute-patterns")))
#endif

STEPS_RAW static inline void steps_copy(uint64_t *to, const uint64_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] = from[i];
}

/*
 * Let thread i make the step it stands before, up to its next stop. What calls left behind below its stack is wiped, or
 * later frames would hold it in what they do not use, and equal states would look different.
 */
STEPS_RAW static inline void steps_run(unsigned i)
{
	uint64_t *sp;

	steps.self = i;
	steps_switch(&steps_scheduler_sp, steps.thread[i].sp);
	sp = steps.thread[i].sp;
	for (unsigned k = 0; k < STEPS_WIPE && sp > steps_stack[i]; k++)
		*--sp = 0;
}

static inline uint64_t steps_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

STEPS_RAW static inline uint64_t steps_hash_words(uint64_t h, const uint64_t *p, size_t words)
{
	for (size_t i = 0; i < words; i++)
		h = steps_mix(h, p[i]);
	return h;
}

static inline size_t stack_words(unsigned i)
{
	return (size_t)(steps_stack[i] + STEPS_STACK / 8 - steps.thread[i].sp);
}

static inline uint64_t *stack_shadow(unsigned i)
{
#if STEPS_SHADOW
	size_t scale, offset;

	__asan_get_shadow_mapping(&scale, &offset);
	return (uint64_t *)(((uintptr_t)steps_stack[i] >> scale) + offset);
#else
	(void)i;
	return NULL;
#endif
}

/* The state, without what does not matter to the future (labels). */
static inline uint64_t steps_hash(void)
{
	uint64_t h = steps_hash_words(1, steps_world, steps_world_bytes / 8);

	for (unsigned i = 0; i < steps.n; i++) {
		h = steps_mix(h, (uint64_t)steps.thread[i].done << 1 | steps.thread[i].waiting);
		if (!steps.thread[i].done)
			h = steps_hash_words(h, steps.thread[i].sp, stack_words(i));
	}
	return h;
}

#define STEPS_SHADOW_WORDS (STEPS_STACK / 8 / 8)

STEPS_RAW static inline void steps_zero(uint64_t *p, size_t words)
{
	for (size_t i = 0; i < words; i++)
		p[i] = 0;
}

static inline void steps_begin(unsigned n, void (*fn)(unsigned), void *world, size_t bytes)
{
	memset(&steps, 0, sizeof(steps));
	steps.n = n;
	steps_main = fn;
	steps_world = world;
	steps_world_bytes = bytes;
	for (unsigned i = 0; i < n; i++) {
		uint64_t *top = steps_stack[i] + STEPS_STACK / 8;

		steps_zero(steps_stack[i], STEPS_STACK / 8);
		steps_zero(stack_shadow(i), STEPS_SHADOW * STEPS_SHADOW_WORDS);
		*--top = 0; /* so that the stack is as after a call */
		*--top = (uint64_t)(uintptr_t)steps_entry;
		steps.thread[i].sp = top - 6;
		steps.thread[i].label = "begins";
	}
}

struct steps_saved {
	struct steps steps;
	uint64_t *words;
	size_t room;
};

static inline void steps_save(struct steps_saved *s)
{
	size_t need = steps_world_bytes / 8, at;

	for (unsigned i = 0; i < steps.n; i++)
		need += stack_words(i) + STEPS_SHADOW * STEPS_SHADOW_WORDS;
	if (need > s->room) {
		free(s->words);
		s->words = malloc(need * 8);
		s->room = need;
		if (!s->words)
			abort();
	}
	s->steps = steps;
	steps_copy(s->words, steps_world, steps_world_bytes / 8);
	at = steps_world_bytes / 8;
	for (unsigned i = 0; i < steps.n; i++) {
		steps_copy(s->words + at, steps.thread[i].sp, stack_words(i));
		at += stack_words(i);
		if (STEPS_SHADOW) {
			steps_copy(s->words + at, stack_shadow(i), STEPS_SHADOW_WORDS);
			at += STEPS_SHADOW_WORDS;
		}
	}
}

static inline void steps_restore(const struct steps_saved *s)
{
	size_t at = steps_world_bytes / 8;

	steps = s->steps;
	steps_copy(steps_world, s->words, at);
	for (unsigned i = 0; i < steps.n; i++) {
		steps_copy(steps.thread[i].sp, s->words + at, stack_words(i));
		at += stack_words(i);
		if (STEPS_SHADOW) {
			steps_copy(stack_shadow(i), s->words + at, STEPS_SHADOW_WORDS);
			at += STEPS_SHADOW_WORDS;
		}
	}
}

#endif
