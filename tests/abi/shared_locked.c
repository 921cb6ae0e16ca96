/* mlock of a part of shared memory that is larger than a tiny ExCache: it holds, also when all else goes. */
#include <sys/resource.h>
#include "tests/abi/abi.h"

#define PAGES 1024UL
#define PINNED 16UL

int main(void)
{
	char *m = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rlimit l;

	MUST(m != MAP_FAILED && !getrlimit(RLIMIT_MEMLOCK, &l));
	if (l.rlim_cur < PINNED * PAGE)
		abi_skip("so much cannot be locked");
	for (unsigned i = 0; i < PAGES; i++)
		m[i * PAGE] = (char)(i * 7);
	CHECK(!mlock(m + 100 * PAGE, PINNED * PAGE));
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < PAGES; i++)
			CHECK(m[i * PAGE] == (char)(i * 7));
	CHECK(!munlock(m + 104 * PAGE, 2 * PAGE));
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(m[i * PAGE] == (char)(i * 7));
	CHECK(!mlock2(m + 200 * PAGE, PINNED * PAGE, MLOCK_ONFAULT));
	CHECK(m[203 * PAGE] == (char)(203 * 7));
	CHECK(!munlock(m, PAGES * PAGE));
	CHECK(!munmap(m + 90 * PAGE, 40 * PAGE) && m[500 * PAGE] == (char)(500 * 7));
	CHECK(!munmap(m, 90 * PAGE) && !munmap(m + 130 * PAGE, (PAGES - 130) * PAGE));
	printf("locked\n");
	return abi_result();
}
