/*
 * refill PAGES ROOM read|write [THREADS] [ROUNDS]: misses with and without eviction, in turns.
 *
 * PAGES pages are filled once. ROOM is a number of pages that the ExCache certainly holds beside all else.
 *   without: an area of twice that size is written (which drives the pages out) and unmapped, so there is room; then
 *            ROOM of the pages, scattered, are touched: each a miss, none of them needs an eviction.
 *   with:    the same number of further pages is touched, in the same way, once the ExCache is full: each miss costs one.
 * Prints "without: N ns" and "with: N ns" per access for each round, and in the end "wrong: N".
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include "tests/programs/say.h"

static uint64_t *memory, pages, room, cursor;
static uint32_t *version;
static bool writing;
static unsigned threads;

struct share {
	pthread_t thread;
	uint64_t first, n, wrong;
};

static void *touch_some(void *arg)
{
	struct share *s = arg;

	for (uint64_t i = s->first; i < s->first + s->n; i++) {
		uint64_t page = i * 10007 % pages; /* prime to pages, so each comes once in a round */
		uint64_t *at = memory + page * WORDS_PER_PAGE;

		if (writing)
			at[3] = i; /* first of all, so that it is a miss for writing */
		if (at[7] != page_word(page, version[page], 7) || at[500] != page_word(page, version[page], 500))
			s->wrong++;
		if (writing) {
			version[page]++;
			at[7] = page_word(page, version[page], 7);
			at[500] = page_word(page, version[page], 500);
		}
	}
	return NULL;
}

/* n pages from the cursor on, shared by the threads; the time each access took */
static uint64_t touch_all(uint64_t n, uint64_t *wrong)
{
	struct share s[16] = { 0 };
	uint64_t t = now_ns();

	for (unsigned k = 0; k < threads; k++) {
		s[k].first = cursor + k * (n / threads);
		s[k].n = n / threads;
		if (k)
			MUST(!pthread_create(&s[k].thread, NULL, touch_some, &s[k]));
	}
	touch_some(&s[0]);
	for (unsigned k = 1; k < threads; k++)
		pthread_join(s[k].thread, NULL);
	t = now_ns() - t;
	for (unsigned k = 0; k < threads; k++)
		*wrong += s[k].wrong;
	cursor += n;
	return t / (n / threads * threads);
}

static void drive_out(void)
{
	char *p = mmap(NULL, 2 * room * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	for (uint64_t i = 0; i < 2 * room; i++)
		p[i * 4096] = 1;
	munmap(p, 2 * room * 4096);
}

int main(int argc, char **argv)
{
	uint64_t wrong = 0;
	unsigned rounds;

	MUST(argc >= 4);
	pages = strtoull(argv[1], NULL, 0) | 1;
	room = strtoull(argv[2], NULL, 0);
	writing = strcmp(argv[3], "write") == 0;
	threads = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
	rounds = argc > 5 ? (unsigned)atoi(argv[5]) : 20;
	MUST(pages % 10007 && threads >= 1 && threads <= 16 && pages >= 6 * room);
	memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	version = calloc(pages, sizeof(*version));
	MUST(memory != MAP_FAILED && version);
	for (uint64_t page = 0; page < pages; page++)
		page_fill(memory + page * WORDS_PER_PAGE, page, 0);
	for (unsigned i = 0; i < rounds; i++) {
		drive_out();
		printf("without: %lu ns\n", touch_all(room, &wrong));
		touch_all(room, &wrong); /* up to the brim */
		printf("with: %lu ns\n", touch_all(room, &wrong));
	}
	printf("wrong: %lu\n", wrong);
	return wrong != 0;
}
