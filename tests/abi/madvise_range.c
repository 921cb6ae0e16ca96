// also: ofi
/* madvise: contents after DONTNEED and FREE, advice over holes, and what is refused. */
#include "tests/abi/abi.h"
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static char *filled(size_t pages)
{
	char *p = abi_map(pages * PAGE);

	memset(p, 'm', pages * PAGE);
	return p;
}

static void dropped(void)
{
	char *p = filled(16);

	abi_press();
	CHECK(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
	CHECK(p[2 * PAGE] == 0 && p[4 * PAGE - 1] == 0 && p[2 * PAGE - 1] == 'm' && p[4 * PAGE] == 'm');
	CHECK(madvise(p, 1, MADV_DONTNEED) == 0); /* whole pages */
	CHECK(p[PAGE - 1] == 0 && p[PAGE] == 'm');
	CHECK(munmap(p + 8 * PAGE, PAGE) == 0);
	CHECK_ERR(madvise(p, 16 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK(p[7 * PAGE] == 0 && p[9 * PAGE] == 0 && p[15 * PAGE] == 0); /* beyond the hole too */
	CHECK(mprotect(p, PAGE, PROT_NONE) == 0);
	CHECK(madvise(p, 2 * PAGE, MADV_DONTNEED) == 0);
}

static void freed(void)
{
	char *p = filled(64);
	int neither = 0;

	CHECK(madvise(p, 64 * PAGE, MADV_FREE) == 0);
	for (size_t i = 0; i < 64 * PAGE; i++)
		neither += p[i] != 0 && p[i] != 'm';
	CHECK(neither == 0);
	memset(p, 'n', 64 * PAGE);
	abi_press();
	for (size_t i = 0; i < 64 * PAGE; i++)
		neither += p[i] != 'n';
	CHECK(neither == 0);
}

static void populated(void)
{
	char *p = filled(8), *none = abi_map(4 * PAGE);

	CHECK(madvise(p, 8 * PAGE, MADV_POPULATE_READ) == 0);
	CHECK(madvise(p, 8 * PAGE, MADV_POPULATE_WRITE) == 0);
	CHECK(p[0] == 'm' && p[8 * PAGE - 1] == 'm');
	CHECK(mprotect(p, 4 * PAGE, PROT_READ) == 0);
	CHECK(madvise(p, 8 * PAGE, MADV_POPULATE_READ) == 0);
	CHECK_ERR(madvise(p, 8 * PAGE, MADV_POPULATE_WRITE), EINVAL);
	CHECK(mprotect(none, 4 * PAGE, PROT_NONE) == 0);
	CHECK_ERR(madvise(none, 4 * PAGE, MADV_POPULATE_READ), EINVAL);
	CHECK(munmap(none, PAGE) == 0);
	CHECK_ERR(madvise(none, PAGE, MADV_POPULATE_READ), ENOMEM);
}

static void told(void)
{
	static const int advice[] = { MADV_NORMAL,   MADV_RANDOM,  MADV_SEQUENTIAL, MADV_WILLNEED,
				      MADV_COLD,     MADV_PAGEOUT, MADV_DONTFORK,   MADV_DOFORK,
				      MADV_DONTDUMP, MADV_DODUMP,  MADV_WIPEONFORK, MADV_KEEPONFORK };
	char *p = filled(4);

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		CHECK(madvise(p, 4 * PAGE, advice[i]) == 0);
	CHECK(p[0] == 'm' && p[4 * PAGE - 1] == 'm');
	CHECK_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p, PAGE, 12345), EINVAL);
	CHECK_ERR(madvise(p, PAGE, MADV_REMOVE), EINVAL); /* private memory */
	CHECK_ERR(madvise(p, (size_t)-PAGE, MADV_NORMAL), EINVAL);
	CHECK(madvise(p, 0, MADV_DONTNEED) == 0);
	CHECK_ERR(madvise(p, 0, 12345), EINVAL);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECK_ERR(madvise(p + PAGE, PAGE, MADV_NORMAL), ENOMEM);
}

int main(void)
{
	dropped();
	freed();
	populated();
	told();
	puts("advised");
	return abi_result();
}
