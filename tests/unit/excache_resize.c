/*
 * The budget changes while two threads work on memory larger than it, against the real kernel and a real memory monitor:
 * every read is checked, and once excache_fit says that it fits no more is resident than the new budget allows. Then
 * nobody works: a smaller budget is kept to all the same, and a larger one is there at once.
 * also: tsan
 */
#include "excache_rack.h"

#define MOST (2ULL << 20)
#define LEAST (512ULL << 10)
#define BYTES (4ULL << 20)
#define PAGES (BYTES / PAGE_BYTES)
#define WORDS (PAGE_BYTES / 8)
#define CHANGES 200

static struct rack rack;
static uint64_t *memory;
static uint32_t over;

struct worker {
	unsigned id;
	uint64_t rng, wrong, accesses;
	uint32_t writes[PAGES];
};

static uint64_t rnd(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static uint64_t pattern(uint64_t page, unsigned k, uint32_t n)
{
	return n ? page * 0x9e3779b97f4a7c15ULL + n * 0x100000001ULL + k : 0;
}

static void access_page(struct worker *w, uint64_t page, bool write)
{
	volatile uint64_t *p = memory + page * WORDS;

	for (unsigned k = 0; k < WORDS; k += 61)
		w->wrong += p[k] != pattern(page, k, w->writes[page]);
	w->writes[page] += write;
	for (unsigned k = 0; write && k < WORDS; k += 61)
		p[k] = pattern(page, k, w->writes[page]);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		uint64_t r = rnd(&w->rng);

		access_page(w, (r >> 8) % (PAGES / 2) * 2 + w->id, r % 3 == 0);
		w->accesses++;
	}
	for (uint64_t page = w->id; page < PAGES; page += 2)
		access_page(w, page, false);
	rack_port_done();
	return NULL;
}

/* As the resizer does. */
static void change(struct excache_port *port, uint64_t bytes)
{
	int r = 1;

	excache_budget_set(bytes);
	assert_int_equal(excache_budget(), bytes);
	while (r > 0) {
		pthread_rwlock_rdlock(&rack_layout);
		r = excache_fit(port);
		pthread_rwlock_unlock(&rack_layout);
	}
	assert_int_equal(r, 0);
	assert_true(rack_present(memory, BYTES) <= bytes / PAGE_BYTES);
}

static void changes(void **state)
{
	static struct worker w[2];
	struct excache_port *port;
	pthread_t t[2];
	uint64_t rng = clock_ns() | 1, changed;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)rng);
	rack_add_memory(&rack, 64 << 20);
	rack_add_memory(&rack, 64 << 20);
	assert_int_equal(rack_open(&rack, MOST, NULL), 0);
	memory = rack_map_registered(0, BYTES);
	assert_int_equal(excache_port_open(&port), 0);
	for (unsigned i = 0; i < 2; i++) {
		w[i].id = i;
		w[i].rng = rnd(&rng) | 1;
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < CHANGES; i++) {
		change(port, LEAST + rnd(&rng) % ((MOST - LEAST) / PAGE_BYTES) * PAGE_BYTES);
		usleep((useconds_t)(rnd(&rng) % 8000));
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	assert_int_equal(w[0].wrong + w[1].wrong, 0);
	changed = rack.stats->budget_changes;
	print_message("%llu accesses, %llu misses, %llu changes\n", (unsigned long long)(w[0].accesses + w[1].accesses),
		      (unsigned long long)rack.stats->misses, (unsigned long long)changed);
	assert_true(changed > CHANGES / 2);
	change(port, LEAST);
	assert_true(rack_present(memory, BYTES) > LEAST / PAGE_BYTES / 2);
	change(port, MOST);
	assert_int_equal(rack.stats->budget_bytes, MOST);
	assert_string_equal(rack_said, "");
	excache_port_close(port);
	rack_unmap(0);
	assert_int_equal(rack.stats->remote_bytes, 0);
	assert_int_equal(rack.stats->resident_bytes, 0);
	excache_close();
	rack_end(&rack);
}

/* The rack's memory is full: it cannot be made smaller, which is said, and is as before when it is put back. */
static void full(void **state)
{
	struct excache_port *port;
	volatile uint64_t *p;
	int r = 1;

	(void)state;
	rack_add_memory(&rack, 1 << 20);
	assert_int_equal(rack_open(&rack, 8 << 20, NULL), 0);
	memory = rack_map_registered(0, BYTES);
	assert_int_equal(excache_port_open(&port), 0);
	p = memory;
	for (uint64_t i = 0; i < PAGES; i++)
		p[i * WORDS] = i + 1;
	excache_budget_set(1 << 20);
	while (r > 0)
		r = excache_fit(port);
	assert_int_equal(r, -ENOMEM);
	excache_budget_set(8 << 20);
	for (uint64_t i = 0; i < PAGES; i++)
		assert_int_equal(p[i * WORDS], i + 1);
	excache_port_close(port);
	rack_port_done();
	rack_unmap(0);
	excache_close();
	rack_end(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(changes), cmocka_unit_test(full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
