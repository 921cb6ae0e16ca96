/*
 * walker MB PASSES [quiet]: writes every page of MB megabytes in each pass, in a scattered order, after it has looked
 * whether each word is as the pass before left it. "pass N" after each; PASSES 0: for ever. On SIGINT "interrupted" and
 * exit status 3; on SIGTERM it dies of it as anyone.
 */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/programs/say.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	return b ? common_divisor(b, a % b) : a;
}

static void pass_walk(uint64_t *at, uint64_t pages, uint64_t pass)
{
	uint64_t step = pages / 3 * 2 + 1;

	while (common_divisor(pages, step) > 1) /* each page once */
		step++;
	for (uint64_t n = 0, page = 0; n < pages && !interrupted; n++, page = (page + step) % pages) {
		uint64_t *p = at + page * WORDS_PER_PAGE;

		if (pass > 1)
			MUST(p[0] < pass);
		if (pass > 1 && p[0])
			MUST(p[1] == page_word(page, p[0], 1) && p[511] == page_word(page, p[0], 511));
		page_fill(p, page, pass);
		p[0] = pass;
	}
}

int main(int argc, char **argv)
{
	uint64_t pages = argc > 1 ? strtoull(argv[1], NULL, 0) * 256 : 256;
	uint64_t passes = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct sigaction action = { .sa_handler = on_interrupt };
	uint64_t *at = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(at != MAP_FAILED);
	sigaction(SIGINT, &action, NULL);
	for (uint64_t pass = 1; !interrupted && (!passes || pass <= passes); pass++) {
		pass_walk(at, pages, pass);
		if (argc < 4) {
			printf("pass %lu\n", pass);
			fflush(stdout);
		}
	}
	if (interrupted) {
		printf("interrupted\n");
		return 3;
	}
	return 0;
}
