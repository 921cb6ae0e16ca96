/*
 * reader MB: fills MB megabytes once and then reads all of it, scattered, again and again, looking at every word; writes
 * to nothing but its stack. "ready" after the first round, "round" after each; on SIGINT it ends with status 0, with 1 when
 * a word was wrong.
 */
#include <signal.h>
#include <sys/mman.h>
#include "tests/programs/say.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	interrupted = 1;
}

int main(int argc, char **argv)
{
	uint64_t pages = argc > 1 ? strtoull(argv[1], NULL, 0) * 256 : 256;
	struct sigaction action = { .sa_handler = on_interrupt };
	uint64_t *at = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(at != MAP_FAILED);
	sigaction(SIGINT, &action, NULL);
	for (uint64_t page = 0; page < pages; page++)
		page_fill(at + page * WORDS_PER_PAGE, page, 1);
	for (int round = 0; !interrupted; round++) {
		for (uint64_t n = 0; n < pages && !interrupted; n++) {
			uint64_t page = n * 10007 % pages;

			if (page_wrong(at + page * WORDS_PER_PAGE, page, 1)) {
				printf("page %lu is wrong\n", page);
				return 1;
			}
		}
		printf(round ? "round\n" : "ready\n");
		fflush(stdout);
	}
	return 0;
}
