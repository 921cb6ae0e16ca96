/*
 * sim [--seed N | --first N --seeds N | --for SECONDS] [--trace] [--twice] [--plant BUG]: runs seeds of a simulated rack.
 * Exit status 0: all passed; 1: one failed and is named on stderr; 2: wrong command line.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "rack.h"

#define SEED_LIMIT_S 60u

static struct {
	uint64_t first, seeds, seconds;
	bool twice, quiet;
} run = { .first = 1, .seeds = 1 };

static uint64_t number(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);

	if (*end || !*s) {
		fprintf(stderr, "sim: %s is not a number\n", s);
		exit(2);
	}
	return n;
}

static void plant_set(const char *name)
{
	for (unsigned i = 0; i < PLANT_MAX; i++)
		if (strcmp(name, plant_names[i]) == 0) {
			options.plant = (enum plant)i;
			return;
		}
	fprintf(stderr, "sim: no bug is named %s\n", name);
	exit(2);
}

static void options_read(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", 1, NULL, 's' },  { "first", 1, NULL, 'f' }, { "seeds", 1, NULL, 'n' },
		{ "for", 1, NULL, 't' },   { "trace", 0, NULL, 'v' }, { "twice", 0, NULL, '2' },
		{ "plant", 1, NULL, 'p' }, { "quiet", 0, NULL, 'q' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
		case 'f':
			run.first = number(optarg);
			break;
		case 'n':
			run.seeds = number(optarg);
			break;
		case 't':
			run.seconds = number(optarg);
			run.seeds = UINT64_MAX;
			break;
		case 'v':
			options.trace = true;
			break;
		case '2':
			run.twice = true;
			break;
		case 'p':
			plant_set(optarg);
			break;
		case 'q':
			run.quiet = true;
			break;
		default:
			exit(2);
		}
	}
}

/* A crash (of a monitor, say) is a finding like any other; so is a seed that never ends. */
static void crashed(int sig)
{
	signal(sig, SIG_DFL);
	dprintf(2, "sim: seed %llu failed: %s\n", (unsigned long long)options.seed,
		sig == SIGALRM ? "it does not end" : strsignal(sig));
	raise(sig);
}

static void crashes_catch(void)
{
	static char stack[64 << 10];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER };

	sigaltstack(&ss, NULL);
	sigaction(SIGABRT, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
#if !defined(__SANITIZE_ADDRESS__) /* which says more */
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
#endif
}

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

static void one(uint64_t seed, uint64_t *steps)
{
	uint64_t hash, again;

	options.seed = seed;
	alarm(SEED_LIMIT_S);
	seed_run(&hash, steps);
	if (run.seeds == 1)
		printf("sim: seed %llu: %llu events, end state %016llx\n", (unsigned long long)seed,
		       (unsigned long long)*steps, (unsigned long long)hash);
	if (!run.twice)
		return;
	seed_run(&again, steps);
	check(hash == again, "not the same twice: %016llx, then %016llx", (unsigned long long)hash,
	      (unsigned long long)again);
}

int main(int argc, char **argv)
{
	struct timespec begin;
	uint64_t done = 0, steps, total = 0, said = 0;

	options_read(argc, argv);
	crashes_catch();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (; done < run.seeds; done++) {
		double s = seconds_since(&begin);

		if (run.seconds && s >= (double)run.seconds)
			break;
		if (!run.quiet && run.seeds > 1 && s >= (double)(said + 1) * 5) {
			said = (uint64_t)s / 5;
			printf("sim: %llu seeds, %.1f a second\n", (unsigned long long)done, (double)done / s);
			fflush(stdout);
		}
		one(run.first + done, &steps);
		total += steps;
	}
	printf("sim: seeds %llu to %llu passed: %llu in %.1f s, %llu events\n", (unsigned long long)run.first,
	       (unsigned long long)(run.first + done - 1), (unsigned long long)done, seconds_since(&begin),
	       (unsigned long long)total);
	return 0;
}
