// also: ofi
/* mmap's arguments: which are refused and how, and where mappings go. */
#include "tests/abi/abi.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static void refused(void)
{
	char *p = abi_map(4 * PAGE);

	CHECK_ERR(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, ANON, -1, 1), EINVAL);
	CHECK_ERR(mmap(NULL, ~0UL, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, 1UL << 62, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERR(mmap((void *)0x7fffffffffff0000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERR(mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_ERR(mmap(p + 3 * PAGE, 8 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	munmap(p, 4 * PAGE);
	CHECK(mmap(p, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p);
	munmap(p, 2 * PAGE);
}

static void placed(void)
{
	char *p = abi_map(16 * PAGE), *q;

	CHECK(munmap(p + 4 * PAGE, 8 * PAGE) == 0);
	q = mmap(p + 4 * PAGE, 8 * PAGE, RW, ANON, -1, 0);
	CHECK(q == p + 4 * PAGE); /* a free wish is fulfilled */
	q = mmap(p + 4 * PAGE, 8 * PAGE, RW, ANON, -1, 0);
	CHECK(q != MAP_FAILED && q != p + 4 * PAGE); /* one that is not goes elsewhere */
	memset(p, 'x', 16 * PAGE);
	CHECK(mmap(p + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + PAGE);
	abi_press();
	CHECK(p[PAGE - 1] == 'x' && p[PAGE] == 0 && p[3 * PAGE - 1] == 0 && p[3 * PAGE] == 'x');
	q = mmap(NULL, PAGE, RW, ANON | MAP_32BIT, -1, 0);
	CHECK(q != MAP_FAILED && (uintptr_t)q < 1UL << 31);
	memset(q, 'y', PAGE);
	abi_press();
	CHECK(q[0] == 'y' && q[PAGE - 1] == 'y');
	q = mmap(NULL, 100, RW, ANON | MAP_STACK | MAP_NORESERVE, -1, 0);
	CHECK(q != MAP_FAILED && q[PAGE - 1] == 0);
	q = mmap(NULL, 64 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	CHECK(q != MAP_FAILED);
	for (int i = 0; i < 64; i++)
		CHECK(q[i * (long)PAGE] == 0);
	CHECK(mmap(NULL, PAGE, PROT_NONE, ANON | MAP_POPULATE, -1, 0) != MAP_FAILED);
}

int main(void)
{
	refused();
	placed();
	puts("mapped");
	return abi_result();
}
