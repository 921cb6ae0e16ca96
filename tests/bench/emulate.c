/*
 * emulate [PAIRS]: how exact the wrapper `emulate` is, next to the bare fabric in the same run. For each latency asked a
 * pair is the p50 of reads of 4 KB over the bare fabric and the p50 over the emulated link; "got" is their difference,
 * the ratio is emulated / (bare + asked). For round trips of a message of 64 bytes the same (the owner is wrapped as well).
 * For each bandwidth a pair is the rate of reads of 256 KB, QUEUE of them posted at a time; what the bare fabric reaches is
 * printed first, and a link that is asked to be faster than that is said to be out of reach.
 */
#include "tests/bench/peer.h"

#define PAGES 4096u /* 16 MB */
#define READS 1000u
#define ROUND_TRIPS 300u
#define BIG (256u << 10)
#define BIG_READS 64u
#define QUEUE 4u
#define PAIRS_MAX 100

/* ---- a link to an owner of its own ---- */

struct side {
	uint64_t asked; /* ns, or Gb/s */
	struct peer peer;
	double value[PAIRS_MAX], trip[PAIRS_MAX];
};

static void side_open(struct side *s, const char *hook, uint64_t asked)
{
	struct owner owner = { .fabric = "local", .hook = hook, .pages = PAGES };

	s->asked = asked;
	peer_owner(&s->peer, &owner);
	peer_open(&s->peer, "local", hook, PAGES, BIG * QUEUE);
	for (uint64_t page = 0; page < PAGES; page++) {
		if (asked && page >= BIG / PAGE_BYTES * QUEUE && page % 16) /* a slow link: what is read is written */
			continue;
		page_fill(s->peer.buf, page, 1);
		peer_write(&s->peer, page * PAGE_BYTES, PAGE_BYTES);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), compare);
	return v[n / 2];
}

static double read_p50(struct side *s)
{
	static double v[READS];

	for (unsigned i = 0; i < READS; i++) {
		uint64_t page = i * 7919u % PAGES / 16 * 16, begin = now_ns();

		peer_read(&s->peer, page * PAGE_BYTES, PAGE_BYTES);
		v[i] = (double)(now_ns() - begin);
		MUST(!page_wrong(s->peer.buf, page, 1));
	}
	return median(v, READS);
}

static double trip_p50(struct side *s)
{
	static double v[ROUND_TRIPS];

	for (unsigned i = 0; i < ROUND_TRIPS; i++) {
		uint64_t begin = now_ns();

		peer_trip(&s->peer);
		v[i] = (double)(now_ns() - begin);
	}
	return median(v, ROUND_TRIPS);
}

/* Gb/s of big reads, QUEUE at a time: by the median time from one completion to the QUEUEth after it. */
static double rate(struct side *s)
{
	static double at[BIG_READS];
	unsigned posted = 0, done = 0;
	uint8_t *buf = s->peer.buf;
	struct net_completion c;

	while (done < BIG_READS) {
		while (posted < BIG_READS && posted - done < QUEUE) {
			struct net_sge sge = { .addr = buf + posted % QUEUE * BIG, .bytes = BIG, .mr = s->peer.mr };

			MUST(!net_read(s->peer.data, s->peer.remote, posted % QUEUE * BIG, &sge, 1, posted));
			posted++;
		}
		MUST(!net_data_wait(s->peer.data, now_ns() + PEER_WAIT_NS));
		while (net_data_poll(s->peer.data, &c, 1)) {
			MUST(!c.err);
			at[done++] = (double)now_ns();
		}
	}
	for (uint64_t page = 0; page < BIG / PAGE_BYTES * QUEUE; page++)
		MUST(!page_wrong((const uint64_t *)(buf + page * PAGE_BYTES), page, 1));
	for (unsigned i = 0; i < BIG_READS - QUEUE; i++)
		at[i] = at[i + QUEUE] - at[i];
	return (double)BIG * QUEUE * 8 / median(at, BIG_READS - QUEUE);
}

static void line(const char *name, const double *values, int n, const char *unit)
{
	double v[PAIRS_MAX] = { 0 };

	memcpy(v, values, (size_t)n * sizeof(*v));
	median(v, n);
	printf("%s: %.3f (%.3f .. %.3f)%s%s, %d pairs\n", name, v[n / 2], v[n / 4], v[n * 3 / 4], *unit ? " " : "",
	       unit, n);
}

#define LATENCIES 6
#define RATES 6

/* got = emulated - bare, and emulated / (bare + asked), pair by pair */
static void latency_lines(const char *what, const double *bare, const double *emulated, uint64_t asked, int n)
{
	double got[PAIRS_MAX] = { 0 }, ratio[PAIRS_MAX] = { 0 };
	char name[96];

	for (int i = 0; i < n; i++) {
		got[i] = (emulated[i] - bare[i]) / 1000;
		ratio[i] = emulated[i] / (bare[i] + (double)asked);
	}
	snprintf(name, sizeof(name), "%s, asked %lu us more, got", what, (unsigned long)(asked / 1000));
	line(name, got, n, "us");
	snprintf(name, sizeof(name), "%s, asked %lu us more, emulated / (bare + asked)", what,
		 (unsigned long)(asked / 1000));
	line(name, ratio, n, "");
}

int main(int argc, char **argv)
{
	static const unsigned us[LATENCIES] = { 1, 2, 5, 10, 20, 40 }, gbit[RATES] = { 1, 2, 5, 10, 20, 40 };
	static struct side bare, slow[LATENCIES], narrow[RATES];
	int pairs = argc > 1 ? atoi(argv[1]) : 20;
	static double bare_read[LATENCIES][PAIRS_MAX], bare_trip[LATENCIES][PAIRS_MAX];
	double reach[PAIRS_MAX] = { 0 }, ratio[PAIRS_MAX] = { 0 };
	char hook[64], name[96];

	MUST(pairs > 0 && pairs <= PAIRS_MAX);
	side_open(&bare, NULL, 0);
	for (int i = 0; i < LATENCIES; i++) {
		snprintf(hook, sizeof(hook), "emulate:latency=%uus", us[i]);
		side_open(&slow[i], hook, us[i] * 1000);
	}
	for (int i = 0; i < RATES; i++) {
		snprintf(hook, sizeof(hook), "emulate:bandwidth=%uG", gbit[i]);
		side_open(&narrow[i], hook, gbit[i]);
	}
	for (int n = 0; n < pairs; n++) {
		for (int i = 0; i < LATENCIES; i++) {
			bare_read[i][n] = read_p50(&bare);
			slow[i].value[n] = read_p50(&slow[i]);
			bare_trip[i][n] = trip_p50(&bare);
			slow[i].trip[n] = trip_p50(&slow[i]);
		}
		reach[n] = rate(&bare);
		for (int i = 0; i < RATES; i++)
			narrow[i].value[n] = rate(&narrow[i]);
	}
	line("bare read of 4 KB, p50", bare_read[0], pairs, "ns");
	for (int i = 0; i < LATENCIES; i++)
		latency_lines("read", bare_read[i], slow[i].value, slow[i].asked, pairs);
	line("bare round trip of 64 B, p50", bare_trip[0], pairs, "ns");
	for (int i = 0; i < LATENCIES; i++)
		latency_lines("round trip", bare_trip[i], slow[i].trip, slow[i].asked, pairs);
	line("bare rate", reach, pairs, "Gb/s");
	for (int i = 0; i < RATES; i++) {
		for (int n = 0; n < pairs; n++)
			ratio[n] = narrow[i].value[n] / gbit[i];
		snprintf(name, sizeof(name), "rate, asked %u Gb/s, got / asked%s", gbit[i],
			 gbit[i] > median(reach, pairs) ? " (out of this machine's reach)" : "");
		line(name, ratio, pairs, "");
	}
	return 0;
}
