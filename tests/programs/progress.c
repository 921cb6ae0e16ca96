/*
 * progress PAGES FOLDER
 *
 * For tests of fairness: fills PAGES pages and says "ready" in FOLDER (a file ready.PID); when the file go is there,
 * writes and checks pages in random order until the file stop is there, then checks all. Prints
 *
 *   accesses N
 *   wrong N
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define WORDS (4096 / 8)
#define LOOK_EVERY 256 /* accesses between two looks for the file */

static uint64_t *memory;
static uint32_t *version;
static uint64_t wrong;

static uint64_t word(uint64_t page, unsigned k)
{
	return page * 0x9e3779b97f4a7c15ULL + version[page] * 0x100000001ULL + k;
}

static void fill(uint64_t page)
{
	for (unsigned k = 0; k < WORDS; k++)
		memory[page * WORDS + k] = word(page, k);
}

static void check(uint64_t page)
{
	for (unsigned k = 0; k < WORDS; k++)
		wrong += memory[page * WORDS + k] != word(page, k);
}

static int there(const char *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void say_ready(const char *folder)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/ready.%d", folder, getpid());
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		exit(1);
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t pages = argc > 2 ? strtoull(argv[1], NULL, 0) : 0, accesses = 0, x = (uint64_t)getpid() << 20 | 1;
	struct timespec moment = { .tv_nsec = 50000000 };

	if (!pages)
		return 2;
	version = calloc(pages, sizeof(*version));
	memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!version || memory == MAP_FAILED)
		return 1;
	for (uint64_t i = 0; i < pages; i++)
		fill(i);
	say_ready(argv[2]);
	while (!there(argv[2], "go"))
		nanosleep(&moment, NULL);
	do {
		for (unsigned n = 0; n < LOOK_EVERY; n++, accesses++) {
			uint64_t page = random_next(&x) % pages;

			check(page);
			version[page]++;
			fill(page);
		}
	} while (!there(argv[2], "stop"));
	for (uint64_t i = 0; i < pages; i++)
		check(i);
	printf("accesses %llu\nwrong %llu\n", (unsigned long long)accesses, (unsigned long long)wrong);
	return wrong != 0;
}
