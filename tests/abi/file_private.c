/*
 * Private mappings of a file that are touched late: by several threads at once, after mprotect, mremap, MADV_DONTNEED and
 * fork, as an argument of a system call, and after the file has lost its name and its descriptor, or its end.
 */
// also: ofi 6.1
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define PAGES 700u /* no multiple of what may be brought in together */
#define THREADS 6

static char *map;
static pthread_barrier_t together;

static uint64_t word_of(unsigned page)
{
	return page * 0x9e3779b97f4a7c15ULL + 1;
}

static int fresh(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	static uint64_t page[PAGE / 8];

	MUST(fd >= 0);
	for (unsigned i = 0; i < PAGES; i++) {
		page[0] = page[PAGE / 8 - 1] = word_of(i);
		MUST(write(fd, page, PAGE) == (ssize_t)PAGE);
	}
	return fd;
}

static bool right(const char *at, unsigned page)
{
	return *(const uint64_t *)at == word_of(page) && *(const uint64_t *)(at + PAGE - 8) == word_of(page);
}

static bool all_right(const char *at, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (!right(at + (i - from) * PAGE, i))
			return false;
	return true;
}

static void *toucher(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg * 37u, wrong = 0;

	pthread_barrier_wait(&together);
	for (unsigned n = 0; n < PAGES; n++) {
		unsigned page = (seed + n * 11) % PAGES;

		wrong += !right(map + page * PAGE, page);
	}
	return (void *)(uintptr_t)wrong;
}

static void threads(void)
{
	pthread_t id[THREADS];
	void *wrong;

	pthread_barrier_init(&together, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++)
		MUST(pthread_create(&id[i], NULL, toucher, (void *)(uintptr_t)i) == 0);
	for (unsigned i = 0; i < THREADS; i++) {
		MUST(pthread_join(id[i], &wrong) == 0);
		CHECK(!wrong);
	}
}

static char *mapped(int fd, int prot)
{
	char *p = mmap(NULL, PAGES * PAGE, prot, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	return p;
}

int main(void)
{
	int fd = fresh("file_private"), status;
	char *p, *q, *far;
	pid_t pid;

	map = mapped(fd, PROT_READ);
	threads();
	puts("by threads");

	/* The descriptor and the name are gone before it is touched */
	p = mapped(fd, PROT_READ | PROT_WRITE);
	q = mapped(fd, PROT_NONE);
	far = mapped(fd, PROT_READ);
	MUST(close(fd) == 0 && unlink("file_private") == 0);
	p[3 * PAGE + 8] = 'w';
	CHECK(all_right(p, 0, PAGES) && p[3 * PAGE + 8] == 'w');
	CHECK_FAULT(q + 5 * PAGE, ABI_READ, SIGSEGV, SEGV_ACCERR);
	CHECK(mprotect(q + 5 * PAGE, 100 * PAGE, PROT_READ) == 0 && all_right(q + 5 * PAGE, 5, 105));
	CHECK_FAULT(q + 105 * PAGE, ABI_READ, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT(q + 50 * PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(write(open("/dev/null", O_WRONLY), far + 600 * PAGE, 100 * PAGE) == (ssize_t)(100 * PAGE));
	puts("without a name");

	/* Written pages are the file's again; what was never written as well */
	CHECK(madvise(p, 10 * PAGE, MADV_DONTNEED) == 0 && p[3 * PAGE + 8] == 0 && all_right(p, 0, PAGES));
	CHECK(madvise(map, PAGES * PAGE, MADV_DONTNEED) == 0 && all_right(map, 0, PAGES));
	puts("dropped");

	/* Moved, cut and grown before it is touched */
	CHECK(munmap(far + 100 * PAGE, 50 * PAGE) == 0);
	CHECK_FAULT(far + 120 * PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	q = mremap(far + 150 * PAGE, 450 * PAGE, 500 * PAGE, MREMAP_MAYMOVE);
	MUST(q != MAP_FAILED);
	CHECK(all_right(q, 150, 650) && all_right(far, 0, 100));
	puts("moved");

	/* Parent and child each touch what the other has not */
	fd = fresh("file_private");
	p = mapped(fd, PROT_READ | PROT_WRITE);
	p[PAGE + 8] = 1;
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		p[PAGE + 8]++;
		_exit(all_right(p, 0, PAGES) && p[PAGE + 8] == 2 ? 7 : 8);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(all_right(p, 0, PAGES) && p[PAGE + 8] == 1);
	puts("forked");

	/* The file ends before what is touched */
	q = mapped(fd, PROT_READ);
	MUST(ftruncate(fd, 400 * PAGE + 10) == 0);
	CHECK(all_right(q, 0, 400));
	CHECK_TOUCH(q + 400 * PAGE, ABI_READ);
	CHECK_FAULT(q + 500 * PAGE, ABI_READ, SIGBUS, BUS_ADRERR);
	puts("cut off");
	MUST(unlink("file_private") == 0);
	return abi_result();
}
