/*
 * What test programs share. Such a program says what it saw, one line a step, and nothing that differs from run to run;
 * the same program run natively tells what is right. A step that cannot be right on any system ends it by MUST.
 */
#ifndef ASHLAR_TESTS_SAY_H
#define ASHLAR_TESTS_SAY_H
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_BROKEN 99

#define MUST(cond)                                                                                           \
	do {                                                                                                 \
		if (!(cond)) {                                                                               \
			fflush(stdout);                                                                      \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno); \
			exit(EXIT_BROKEN);                                                                   \
		}                                                                                            \
	} while (0)

/* The name of an error, "ok" for none. */
static inline const char *error_name(int err)
{
	const char *name = err ? strerrorname_np(err) : "ok";

	return name ? name : "?";
}

/* "what: ok" or "what: ENAME", by the usual convention of calls. */
static inline long say(const char *what, long ret)
{
	printf("%s: %s\n", what, error_name(ret < 0 ? errno : 0));
	return ret;
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* What word i of page `page` holds in its version `version`. */
static inline uint64_t page_word(uint64_t page, uint64_t version, uint64_t i)
{
	return (page * 0x9e3779b97f4a7c15u + version * 0xc2b2ae3d27d4eb4fu) ^ (i * 0x165667b19e3779f9u);
}

#define WORDS_PER_PAGE (4096 / sizeof(uint64_t))

static inline void page_fill(uint64_t *at, uint64_t page, uint64_t version)
{
	for (unsigned i = 0; i < WORDS_PER_PAGE; i++)
		at[i] = page_word(page, version, i);
}

/* The number of words that are not as page_fill left them. */
static inline unsigned page_wrong(const uint64_t *at, uint64_t page, uint64_t version)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < WORDS_PER_PAGE; i++)
		wrong += at[i] != page_word(page, version, i);
	return wrong;
}

#endif
