/*
 * Processes at work in one segment of shared memory: shared_work MB PROCESSES SECONDS [NAME]. Each counts in words of its own
 * on pages at random, and knows what it must find. Says "at work" and the numbers of the workers; a worker that is killed is
 * no error. NAME: a segment of /dev/shm, which stays, every page of it with the page's number in its last word.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

static int work(char *m, unsigned pages, unsigned k, unsigned seconds)
{
	uint32_t *mine = calloc(pages, sizeof(*mine));
	time_t end = time(NULL) + seconds;
	unsigned seed = k + 1;

	for (uint64_t n = 0; mine && ((n & 63) || time(NULL) < end); n++) {
		unsigned page = (unsigned)rand_r(&seed) % pages;
		volatile uint32_t *word = (void *)(m + page * PAGE + k * 64);

		if (*word != mine[page]) {
			printf("worker %u finds %u on page %u, not %u\n", k, *word, page, mine[page]);
			return 1;
		}
		if (seed & 128)
			*word = ++mine[page];
	}
	return mine ? 0 : 1;
}

static char *segment(size_t bytes, const char *name)
{
	int fd;

	if (!name)
		return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = shm_open(name, O_RDWR | O_CREAT, 0600);
	return fd < 0 || ftruncate(fd, (off_t)bytes) ? MAP_FAILED
						     : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

int main(int argc, char **argv)
{
	unsigned pages = argc > 3 ? (unsigned)atoi(argv[1]) * 256 : 0, n = argc > 3 ? (unsigned)atoi(argv[2]) : 0;
	char *m = pages ? segment(pages * PAGE, argv[4]) : MAP_FAILED;
	int status, bad = 0;

	if (m == MAP_FAILED || n > 32)
		return 2;
	for (unsigned i = 0; i < pages; i++)
		*(uint32_t *)(m + i * PAGE + PAGE - 4) = i;
	for (unsigned k = 0; k < n; k++) {
		pid_t pid = fork();

		if (!pid)
			return work(m, pages, k, (unsigned)atoi(argv[3]));
		printf("worker %d\n", pid);
	}
	printf("at work\n");
	fflush(stdout);
	while (wait(&status) > 0)
		bad |= status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (unsigned i = 0; i < pages; i++)
		bad |= *(uint32_t *)(m + i * PAGE + PAGE - 4) != i;
	printf(bad ? "wrong\n" : "right\n");
	return bad;
}
