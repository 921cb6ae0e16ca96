/*
 * twothreads MB: two threads sort halves of MB megabytes of numbers, each by merging into a second array, hand over by
 * mutex and condition, and one of them merges the halves. Prints sums that depend on every number and its place.
 */
#include <pthread.h>
#include <stdbool.h>
#include "tests/programs/say.h"

struct half {
	uint32_t *at, *spare;
	size_t n;
	uint64_t seed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static unsigned turn, handed_over;

static void merge(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t *to)
{
	while (na || nb) {
		bool first = na && (!nb || *a <= *b);

		*to++ = first ? *a++ : *b++;
		if (first)
			na--;
		else
			nb--;
	}
}

static void sort(uint32_t *at, uint32_t *spare, size_t n)
{
	size_t left = n / 2;

	if (n < 2)
		return;
	sort(at, spare, left);
	sort(at + left, spare + left, n - left);
	merge(at, left, at + left, n - left, spare);
	memcpy(at, spare, n * sizeof(*at));
}

/* A thousand times to and fro between the two, as a test of waiting and waking. */
static void take_turns(unsigned me)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&turned, &lock);
		turn = 1 - me;
		handed_over++;
		pthread_cond_signal(&turned);
		pthread_mutex_unlock(&lock);
	}
}

static void *half_sort(void *arg)
{
	struct half *h = arg;
	uint64_t state = h->seed;

	for (size_t i = 0; i < h->n; i++)
		h->at[i] = (uint32_t)random_next(&state);
	take_turns(h->seed == 1 ? 0 : 1);
	sort(h->at, h->spare, h->n);
	return h;
}

int main(int argc, char **argv)
{
	size_t n = (argc > 1 ? strtoull(argv[1], NULL, 0) : 16) << 20 >> 3; /* numbers in the array; as many to spare */
	uint32_t *at = malloc(n * 4), *spare = malloc(n * 4);
	struct half half[2] = { { at, spare, n / 2, 1 }, { at + n / 2, spare + n / 2, n - n / 2, 2 } };
	uint64_t sum = 0;
	pthread_t thread;
	void *back;

	MUST(at && spare);
	MUST(!pthread_create(&thread, NULL, half_sort, &half[1]));
	half_sort(&half[0]);
	MUST(!pthread_join(thread, &back) && back == &half[1]);
	merge(half[0].at, half[0].n, half[1].at, half[1].n, spare);
	for (size_t i = 0; i < n; i++) {
		MUST(!i || spare[i - 1] <= spare[i]);
		sum = sum * 31 + spare[i];
	}
	printf("%zu numbers, handed over %u times, sum %016lx\n", n, handed_over, sum);
	return 0;
}
