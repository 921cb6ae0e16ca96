/*
 * touch PAGES ACCESSES [read|write] [random|cycle] [THREADS] [SEED]
 *
 * The body of the measurements: fills PAGES pages, then touches pages ACCESSES times (each thread pages of its own share),
 * times the first access to each by the processor's own counter, and checks every word of the page outside that time
 * (and writes them anew, with "write"). An access that took longer than FAR_NS counts as far: a fault, as no cache or TLB miss takes that long. Prints
 *
 *   far N p50 NS p90 NS p99 NS max NS mean NS
 *   near N mean NS
 *   loop NS cpu NS      (wall time per access of all threads; processor time in all)
 *   wrong N
 */
#include <pthread.h>
#include <stdbool.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <x86intrin.h>
#include "tests/programs/say.h"

#define FAR_NS 1200
#define BUCKETS 20000
#define BUCKET_NS 50 /* up to 1 ms, the rest in the last one */

struct worker {
	pthread_t thread;
	uint64_t first, pages, accesses, seed;
	uint64_t far, near, near_sum, far_sum, max, wrong;
	uint32_t *count; /* of far accesses, by time */
};

static uint64_t *memory;
static uint32_t *version;
static bool writing, cycling;
static double ns_per_tick;

static void calibrate(void)
{
	uint64_t t = now_ns(), c = __rdtsc(), t2;

	do
		t2 = now_ns();
	while (t2 - t < 20000000);
	ns_per_tick = (double)(t2 - t) / (double)(__rdtsc() - c);
}

static void note(struct worker *w, uint64_t ns)
{
	if (ns < FAR_NS) {
		w->near++;
		w->near_sum += ns;
		return;
	}
	w->far++;
	w->far_sum += ns;
	w->count[ns / BUCKET_NS < BUCKETS ? ns / BUCKET_NS : BUCKETS - 1]++;
	if (ns > w->max)
		w->max = ns;
}

static void access_one(struct worker *w, uint64_t page)
{
	volatile uint64_t *p = memory + page * WORDS_PER_PAGE;
	uint64_t v = version[page], next = page_word(page, v + 1, 0), c;
	unsigned aux;

	_mm_lfence();
	c = __rdtsc();
	if (writing)
		p[0] = next;
	else
		(void)p[0];
	c = __rdtscp(&aux) - c;
	note(w, (uint64_t)((double)c * ns_per_tick));
	if (writing) {
		p[0] = page_word(page, v, 0);
		w->wrong += page_wrong((uint64_t *)p, page, v);
		page_fill((uint64_t *)p, page, v + 1);
		version[page]++;
	} else {
		w->wrong += page_wrong((uint64_t *)p, page, v);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t state = w->seed;

	for (uint64_t i = 0; i < w->accesses; i++)
		access_one(w, w->first + (cycling ? i : random_next(&state)) % w->pages);
	return NULL;
}

static uint64_t quantile(const struct worker *w, unsigned n, uint64_t far, double q)
{
	uint64_t seen = 0, want = (uint64_t)(q * (double)far);

	for (unsigned b = 0; b < BUCKETS; b++) {
		for (unsigned i = 0; i < n; i++)
			seen += w[i].count[b];
		if (seen > want)
			return b * BUCKET_NS + BUCKET_NS / 2;
	}
	return 0;
}

static void report(const struct worker *w, unsigned n, uint64_t ns)
{
	uint64_t far = 0, near = 0, far_sum = 0, near_sum = 0, max = 0, wrong = 0, all;
	struct rusage use;

	for (unsigned i = 0; i < n; i++) {
		far += w[i].far;
		near += w[i].near;
		far_sum += w[i].far_sum;
		near_sum += w[i].near_sum;
		max = w[i].max > max ? w[i].max : max;
		wrong += w[i].wrong;
	}
	all = far + near;
	getrusage(RUSAGE_SELF, &use);
	printf("far %lu p50 %lu p90 %lu p99 %lu max %lu mean %lu\n", far, quantile(w, n, far, 0.5),
	       quantile(w, n, far, 0.9), quantile(w, n, far, 0.99), max, far ? far_sum / far : 0);
	printf("near %lu mean %lu\n", near, near ? near_sum / near : 0);
	printf("loop %lu cpu %lu\n", all ? ns / all : 0,
	       (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000u +
		       (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000u);
	printf("wrong %lu\n", wrong);
}

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	uint64_t pages = argc > 1 ? strtoull(argv[1], NULL, 0) : 4096;
	uint64_t accesses = argc > 2 ? strtoull(argv[2], NULL, 0) : 100000;
	unsigned threads = argc > 5 ? (unsigned)atoi(argv[5]) : 1;
	uint64_t seed = argc > 6 ? strtoull(argv[6], NULL, 0) : 1, t, wrong = 0;
	struct worker w[16] = { 0 };

	writing = argc > 3 && strcmp(argv[3], "write") == 0;
	cycling = argc > 4 && strcmp(argv[4], "cycle") == 0;
	MUST(threads >= 1 && threads <= 16 && pages >= threads);
	memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	version = calloc(pages, sizeof(*version));
	MUST(memory != MAP_FAILED && version);
	if (threads == 1)
		pin();
	calibrate();
	for (uint64_t page = 0; page < pages; page++)
		page_fill(memory + page * WORDS_PER_PAGE, page, version[page]);
	for (unsigned i = 0; i < threads; i++) {
		w[i].pages = pages / threads;
		w[i].first = i * w[i].pages;
		w[i].accesses = accesses / threads;
		w[i].seed = seed * 1000003 + i * 7919 + 1;
		w[i].count = calloc(BUCKETS, sizeof(*w[i].count));
		MUST(w[i].count);
		memset(w[i].count, 0, BUCKETS * sizeof(*w[i].count));
	}
	/* The first accesses warm up, and are not counted. */
	for (uint64_t i = 0; i < pages / 4; i++)
		wrong += page_wrong(memory + (i * 3 % pages) * WORDS_PER_PAGE, i * 3 % pages, 0);
	t = now_ns();
	for (unsigned i = 1; i < threads; i++)
		MUST(!pthread_create(&w[i].thread, NULL, work, &w[i]));
	work(&w[0]);
	for (unsigned i = 1; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	w[0].wrong += wrong;
	report(w, threads, now_ns() - t);
	return 0;
}
