/* RLIMIT_AS and RLIMIT_DATA count mappings of the program, and can be lifted again. */
#include <sys/resource.h>
#include "tests/abi/abi.h"

#define MB (1UL << 20)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static uint64_t size_now(const char *name)
{
	char line[256];
	uint64_t kb = 0;
	FILE *f = fopen("/proc/self/status", "r");

	MUST(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kb = strtoul(line + strlen(name), NULL, 10);
	fclose(f);
	return kb << 10;
}

static void limit(int what, uint64_t bytes)
{
	struct rlimit r;

	MUST(getrlimit(what, &r) == 0);
	r.rlim_cur = bytes;
	MUST(setrlimit(what, &r) == 0);
	MUST(getrlimit(what, &r) == 0);
	CHECK(r.rlim_cur == bytes);
}

static void space(void)
{
	char *p = abi_map(4 * MB), *q;

	limit(RLIMIT_AS, size_now("VmSize:") + 16 * MB);
	CHECK_ERR(mmap(NULL, 32 * MB, PROT_NONE, ANON, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, 32 * MB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
	CHECK_ERR(mremap(p, 4 * MB, 32 * MB, MREMAP_MAYMOVE), ENOMEM);
	q = mmap(NULL, 12 * MB, PROT_NONE, ANON, -1, 0);
	CHECK(q != MAP_FAILED);
	CHECK_ERR(mmap(NULL, 12 * MB, PROT_NONE, ANON, -1, 0), ENOMEM);
	CHECK(mmap(q, 12 * MB, PROT_READ, ANON | MAP_FIXED, -1, 0) == q); /* in place of another */
	CHECK(munmap(q, 12 * MB) == 0);
	CHECK(sbrk(32 * MB) == (void *)-1 && errno == ENOMEM);
	limit(RLIMIT_AS, RLIM_INFINITY);
	q = mmap(NULL, 32 * MB, PROT_NONE, ANON, -1, 0);
	CHECK(q != MAP_FAILED);
	munmap(q, 32 * MB);
	munmap(p, 4 * MB);
}

static void data(void)
{
	char *q;

	limit(RLIMIT_DATA, size_now("VmData:") + 16 * MB);
	CHECK_ERR(mmap(NULL, 32 * MB, PROT_READ | PROT_WRITE, ANON, -1, 0), ENOMEM);
	q = mmap(NULL, 32 * MB, PROT_READ, ANON, -1, 0); /* only what is private and writable counts */
	CHECK(q != MAP_FAILED);
	CHECK_ERR(mprotect(q, 32 * MB, PROT_READ | PROT_WRITE), ENOMEM);
	CHECK(mprotect(q, 4 * MB, PROT_READ | PROT_WRITE) == 0);
	munmap(q, 32 * MB);
	CHECK(sbrk(32 * MB) == (void *)-1);
	limit(RLIMIT_DATA, RLIM_INFINITY);
	q = mmap(NULL, 32 * MB, PROT_READ | PROT_WRITE, ANON, -1, 0);
	CHECK(q != MAP_FAILED);
	munmap(q, 32 * MB);
}

int main(void)
{
	sbrk(0);
	space();
	data();
	puts("limited");
	return abi_result();
}
