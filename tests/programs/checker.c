/*
 * checker MB FILE: the workload under which others are killed. In each pass it writes every page of MB megabytes in a
 * scattered order and every block of FILE, after it has looked whether each word is as the pass before left it; "pass N"
 * after each. On SIGINT it looks at everything once more, says "right" and ends with 3; whatever is wrong ends it with 1.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define BLOCKS 16u

static volatile sig_atomic_t interrupted;
static uint64_t block[WORDS_PER_PAGE];

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void memory_pass(uint64_t *at, uint64_t pages, uint64_t pass, bool write)
{
	for (uint64_t n = 0; n < pages; n++) {
		uint64_t page = n * 10007 % pages; /* prime to pages: each once */
		uint64_t *p = at + page * WORDS_PER_PAGE;

		if (pass > 1)
			MUST(!page_wrong(p, page, pass - 1));
		if (write)
			page_fill(p, page, pass);
	}
}

static void file_pass(int fd, uint64_t pass, bool write)
{
	for (uint64_t b = 0; b < BLOCKS; b++) {
		if (pass > 1) {
			MUST(pread(fd, block, sizeof(block), (off_t)(b * sizeof(block))) == sizeof(block));
			MUST(!page_wrong(block, b, pass - 1));
		}
		page_fill(block, b, pass);
		if (write)
			MUST(pwrite(fd, block, sizeof(block), (off_t)(b * sizeof(block))) == sizeof(block));
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };
	uint64_t pages, *at, pass;
	int fd;

	MUST(argc == 3);
	pages = strtoull(argv[1], NULL, 0) * 256;
	at = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(at != MAP_FAILED);
	fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
	MUST(fd >= 0);
	sigaction(SIGINT, &action, NULL);
	for (pass = 1; !interrupted; pass++) {
		memory_pass(at, pages, pass, true);
		file_pass(fd, pass, true);
		printf("pass %lu\n", pass);
		fflush(stdout);
	}
	memory_pass(at, pages, pass, false);
	file_pass(fd, pass, false);
	printf("right\n");
	return 3;
}
