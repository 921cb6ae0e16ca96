/*
 * Two threads over memory four times the budget, against the real kernel and a real memory monitor. Each thread owns
 * every second page and counts its own writes to it in local memory; each read is checked against that. A third thread
 * looks at how much is resident.
 * also: tsan
 */
#include "excache_rack.h"

#define BUDGET (1ULL << 20)
#define BYTES (4 * BUDGET)
#define PAGES (BYTES / PAGE_BYTES)
#define WORDS (PAGE_BYTES / 8)
#define ACCESSES 20000u /* of each thread */

static struct rack rack;
static uint64_t *memory;
static uint32_t done;
static uint64_t most;

struct worker {
	unsigned id;
	uint64_t rng, accesses, wrong;
	uint32_t writes[PAGES];
};

static uint64_t rnd(struct worker *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

/* Word k of a page that was written n times. */
static uint64_t pattern(uint64_t page, unsigned k, uint32_t n)
{
	return n ? page * 0x9e3779b97f4a7c15ULL + n * 0x100000001ULL + k : 0;
}

static void check_page(struct worker *w, uint64_t page)
{
	const volatile uint64_t *p = memory + page * WORDS;

	for (unsigned k = 0; k < WORDS; k += 37)
		if (p[k] != pattern(page, k, w->writes[page]))
			w->wrong++;
}

static void write_page(struct worker *w, uint64_t page)
{
	volatile uint64_t *p = memory + page * WORDS;

	w->writes[page]++;
	for (unsigned k = 0; k < WORDS; k += 37)
		p[k] = pattern(page, k, w->writes[page]);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (w->accesses < ACCESSES) {
		uint64_t r = rnd(w), page = (r >> 8) % (PAGES / 2) * 2 + w->id;

		/* Some pages are written more often than others, some hardly ever. */
		if (r % 4 == 0 && page % 8 < 6)
			write_page(w, page);
		else
			check_page(w, page);
		w->accesses++;
	}
	for (uint64_t page = w->id; page < PAGES; page += 2)
		check_page(w, page);
	rack_port_done();
	return NULL;
}

/*
 * A look takes time: what goes behind it and comes before it is seen twice. So it is too many only if several looks in a
 * row say so.
 */
static uint64_t present(void)
{
	uint64_t n = rack_present(memory, BYTES), again;

	for (int i = 0; i < 8 && n > BUDGET / PAGE_BYTES; i++) {
		again = rack_present(memory, BYTES);
		n = again < n ? again : n;
	}
	return n;
}

static void *watch(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		uint64_t n = present();

		most = n > most ? n : most;
		usleep(2000);
	}
	return NULL;
}

static void hammer(void **state)
{
	static struct worker w[2];
	pthread_t t[3];

	(void)state;
	rack_add_memory(&rack, 64 << 20);
	rack_add_memory(&rack, 64 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	memory = rack_map_registered(0, BYTES);
	for (unsigned i = 0; i < 2; i++) {
		w[i].id = i;
		w[i].rng = clock_ns() | 1;
		print_message("seed of thread %u: %#llx\n", i, (unsigned long long)w[i].rng);
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	assert_int_equal(pthread_create(&t[2], NULL, watch, NULL), 0);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	__atomic_store_n(&done, 1, __ATOMIC_RELAXED);
	pthread_join(t[2], NULL);
	print_message(
		"%llu accesses, %llu misses, %llu write-backs, %llu WP faults, %llu waits, miss p50 %llu p99 %llu ns, "
		"at most %llu of %llu lines\n",
		(unsigned long long)(w[0].accesses + w[1].accesses), (unsigned long long)rack.stats->misses,
		(unsigned long long)rack.stats->writebacks, (unsigned long long)rack.stats->wp_faults,
		(unsigned long long)rack.stats->waits, (unsigned long long)hist_quantile(&rack.stats->miss, 0.5),
		(unsigned long long)hist_quantile(&rack.stats->miss, 0.99), (unsigned long long)most,
		(unsigned long long)(BUDGET / PAGE_BYTES));
	assert_int_equal(w[0].wrong + w[1].wrong, 0);
	assert_true(most <= BUDGET / PAGE_BYTES);
	assert_true(rack.stats->misses > 1000);
	assert_string_equal(rack_said, "");
	rack_unmap(0);
	assert_int_equal(rack.stats->remote_bytes, 0);
	assert_int_equal(rack.stats->resident_bytes, 0);
	excache_close();
	rack_end(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(hammer) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
