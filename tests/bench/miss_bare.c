/*
 * miss_bare [PAIRS]: what a remote miss cannot avoid, each alone: a one-sided read of 4 KB at random from an owner in a
 * process of its own, and a SIGBUS fault of a registered page that is resolved by UFFDIO_COPY. In interleaved pairs;
 * every page read is checked. Also both in one: the read in the handler of the fault ("bare whole").
 *
 * As in a steady ExCache, pages are dropped oldest first, FIFO_DROP at a time and outside of the time measured, so the
 * host's frames are as cold as a program's would be.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>
#include "tests/bench/peer.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define REMOTE_PAGES 16384u /* 64 MB */
#define LOCAL_PAGES 4096u   /* 16 MB */
#define FIFO_DROP 256u
#define STEPS 4096u /* of each kind in a pair */

static double ns_per_tick;

/* ---- the fabric's side ---- */

static struct peer peer;

static void fabric_open(void)
{
	struct owner owner = { .fabric = "local", .pages = REMOTE_PAGES };

	peer_owner(&peer, &owner);
	peer_open(&peer, "local", NULL, REMOTE_PAGES, PAGE_BYTES);
	peer_fill(&peer, REMOTE_PAGES);
}

/* ---- the fault's side ---- */

static int uffd;
static char *region;
static bool whole; /* the handler reads the page first */
static uint64_t wanted;
static uint32_t fifo[LOCAL_PAGES]; /* resident pages, oldest first */
static uint64_t fifo_in, fifo_out;
static bool resident[LOCAL_PAGES];

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	struct uffdio_copy c = { .dst = (uintptr_t)info->si_addr & ~(PAGE_BYTES - 1),
				 .src = (uintptr_t)peer.buf,
				 .len = PAGE_BYTES };

	(void)sig;
	(void)uc;
	if (whole)
		peer_read(&peer, wanted * PAGE_BYTES, PAGE_BYTES);
	if (ioctl(uffd, UFFDIO_COPY, &c))
		_exit(98);
}

static void region_open(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS };
	struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	region = mmap(NULL, LOCAL_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(region != MAP_FAILED && !madvise(region, LOCAL_PAGES * PAGE_BYTES, MADV_NOHUGEPAGE));
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	r.range.start = (uintptr_t)region;
	r.range.len = LOCAL_PAGES * PAGE_BYTES;
	MUST(uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api) && !ioctl(uffd, UFFDIO_REGISTER, &r));
	MUST(!sigaction(SIGBUS, &a, NULL));
}

/* So that FIFO_DROP pages are missing */
static void region_drop(void)
{
	while (fifo_in - fifo_out > LOCAL_PAGES - 2 * FIFO_DROP) {
		uint32_t page = fifo[fifo_out++ % LOCAL_PAGES];

		resident[page] = false;
		MUST(!madvise(region + page * PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED));
	}
}

/* ---- measuring ---- */

struct result {
	double p50, p99;
};

static struct result of(uint64_t *ticks, unsigned n)
{
	qsort(ticks, n, sizeof(*ticks), by_value);
	return (struct result){ (double)ticks[n / 2] * ns_per_tick, (double)ticks[n * 99 / 100] * ns_per_tick };
}

static uint64_t ticks_now(void)
{
	unsigned aux;
	uint64_t t = __rdtscp(&aux);

	_mm_lfence();
	return t;
}

static uint64_t state = 88172645463325252u;

static struct result reads(void)
{
	static uint64_t ticks[STEPS];

	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t page = random_next(&state) % REMOTE_PAGES, t = ticks_now();

		peer_read(&peer, page * PAGE_BYTES, PAGE_BYTES);
		ticks[i] = ticks_now() - t;
		MUST(!page_wrong(peer.buf, page, 1));
	}
	return of(ticks, STEPS);
}

static struct result faults(bool with_read)
{
	static uint64_t ticks[STEPS];

	whole = with_read;
	for (unsigned i = 0; i < STEPS;) {
		uint32_t page = (uint32_t)(random_next(&state) % LOCAL_PAGES);
		volatile uint64_t *at = (uint64_t *)(region + page * PAGE_BYTES);
		uint64_t t;

		if (resident[page])
			continue;
		wanted = with_read ? random_next(&state) % REMOTE_PAGES : page;
		if (!with_read)
			page_fill(peer.buf, wanted, 1);
		t = ticks_now();
		(void)*at;
		ticks[i++] = ticks_now() - t;
		MUST(!page_wrong((uint64_t *)at, wanted, 1));
		resident[page] = true;
		fifo[fifo_in++ % LOCAL_PAGES] = page;
		if (fifo_in - fifo_out > LOCAL_PAGES - FIFO_DROP)
			region_drop();
	}
	return of(ticks, STEPS);
}

static void print(const char *name, double *value, unsigned n)
{
	uint64_t *v = calloc(n, sizeof(*v));

	for (unsigned i = 0; i < n; i++)
		v[i] = (uint64_t)value[i];
	qsort(v, n, sizeof(*v), by_value);
	printf("%s: %lu (%lu .. %lu) ns, %u pairs\n", name, v[n / 2], v[n / 4], v[n * 3 / 4], n);
	free(v);
}

static void calibrate(void)
{
	uint64_t t = now_ns(), c = __rdtsc(), t2;

	do
		t2 = now_ns();
	while (t2 - t < 20000000);
	ns_per_tick = (double)(t2 - t) / (double)(__rdtsc() - c);
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
	unsigned pairs = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
	double *v[7];

	MUST(pairs >= 1 && pairs <= 10000);
	for (int i = 0; i < 7; i++)
		v[i] = calloc(pairs, sizeof(double));
	pin();
	calibrate();
	fabric_open();
	region_open();
	faults(false); /* all frames touched */
	for (unsigned i = 0; i < pairs; i++) {
		struct result r = reads(), f = faults(false), w = faults(true);

		v[0][i] = r.p50;
		v[1][i] = r.p99;
		v[2][i] = f.p50;
		v[3][i] = f.p99;
		v[4][i] = r.p50 + f.p50;
		v[5][i] = w.p50;
		v[6][i] = w.p99;
	}
	print("bare read", v[0], pairs);
	print("bare read p99", v[1], pairs);
	print("bare fault", v[2], pairs);
	print("bare fault p99", v[3], pairs);
	print("bare miss", v[4], pairs);
	print("bare whole", v[5], pairs);
	print("bare whole p99", v[6], pairs);
	return 0;
}
