/*
 * crowd THREADS PAGES: so many threads, all alive at once, each with so many pages of its own and all with a common table,
 * which they change under locks by turns. Every page is checked by the thread that filled it and by its successor.
 */
#include <pthread.h>
#include "tests/programs/say.h"

#define ROUNDS 3
#define LOCKS 16

static pthread_barrier_t barrier;
static pthread_mutex_t lock[LOCKS];
static uint64_t table[LOCKS][512];
static uint64_t **area, threads, pages;

static void fill(uint64_t me, uint64_t round)
{
	for (uint64_t p = 0; p < pages; p++)
		for (unsigned i = 0; i < WORDS_PER_PAGE; i += 7)
			area[me][p * WORDS_PER_PAGE + i] = page_word(me * pages + p, round, i);
}

static uint64_t wrong(uint64_t who, uint64_t round)
{
	uint64_t n = 0;

	for (uint64_t p = 0; p < pages; p++)
		for (unsigned i = 0; i < WORDS_PER_PAGE; i += 7)
			n += area[who][p * WORDS_PER_PAGE + i] != page_word(who * pages + p, round, i);
	return n;
}

static void *work(void *arg)
{
	uint64_t me = (uint64_t)arg, bad = 0;

	for (uint64_t round = 0; round < ROUNDS; round++) {
		fill(me, round);
		for (unsigned i = 0; i < LOCKS; i++) {
			unsigned k = (unsigned)(me + i) % LOCKS;

			pthread_mutex_lock(&lock[k]);
			table[k][me % 512] += me;
			pthread_mutex_unlock(&lock[k]);
		}
		pthread_barrier_wait(&barrier);
		bad += wrong(me, round) + wrong((me + 1) % threads, round);
		pthread_barrier_wait(&barrier);
	}
	return (void *)bad;
}

int main(int argc, char **argv)
{
	uint64_t bad = 0, sum = 0;
	pthread_t *t;

	MUST(argc == 3);
	threads = strtoull(argv[1], NULL, 0);
	pages = strtoull(argv[2], NULL, 0);
	t = calloc(threads, sizeof(*t));
	area = calloc(threads, sizeof(*area));
	MUST(t && area && !pthread_barrier_init(&barrier, NULL, (unsigned)threads));
	for (unsigned i = 0; i < LOCKS; i++)
		pthread_mutex_init(&lock[i], NULL);
	for (uint64_t i = 0; i < threads; i++)
		MUST((area[i] = malloc(pages * 4096)));
	for (uint64_t i = 0; i < threads; i++)
		MUST(!pthread_create(&t[i], NULL, work, (void *)i));
	for (uint64_t i = 0; i < threads; i++) {
		void *back;

		MUST(!pthread_join(t[i], &back));
		bad += (uint64_t)back;
	}
	for (unsigned i = 0; i < LOCKS; i++)
		for (unsigned k = 0; k < 512; k++)
			sum += table[i][k];
	printf("%lu threads, %lu words wrong, sum %lu\n", threads, bad, sum);
	return bad != 0;
}
