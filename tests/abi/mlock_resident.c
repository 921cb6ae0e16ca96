// also: ofi
/* Locked pages stay: written ones, ones read in, ones to come, whatever other memory is used. */
#include "tests/abi/abi.h"

#define PAGES 40

static long resident(char *p, long pages)
{
	unsigned char vec[PAGES];
	long n = 0;

	CHECK(mincore(p, (size_t)pages * PAGE, vec) == 0);
	for (long i = 0; i < pages; i++)
		n += vec[i] & 1;
	return n;
}

int main(void)
{
	char *p = abi_map(PAGES * PAGE), *q = abi_map(PAGES * PAGE), *r, *s;

	for (long i = 0; i < PAGES; i++)
		p[i * (long)PAGE] = (char)(i + 1);
	abi_press();
	MUST(mlock(p, PAGES * PAGE) == 0); /* from afar */
	CHECK(resident(p, PAGES) == PAGES);
	CHECK(mlock(q, PAGES * PAGE) == 0); /* never touched */
	CHECK(resident(q, PAGES) == PAGES);
	abi_press();
	CHECK(resident(p, PAGES) == PAGES && resident(q, PAGES) == PAGES);
	for (long i = 0; i < PAGES; i++)
		CHECK(p[i * (long)PAGE] == i + 1 && q[i * (long)PAGE] == 0);
	CHECK(munlock(q, PAGES * PAGE) == 0);
	r = mremap(p, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	CHECK(r == q);
	abi_press();
	CHECK(resident(r, PAGES) == PAGES); /* the lock moves along */
	CHECK(mlock2(r, 0, MLOCK_ONFAULT) == 0);
	CHECK(mprotect(r + PAGE, PAGE, PROT_NONE) == 0 && mprotect(r, PAGE, PROT_READ) == 0);
	abi_press();
	CHECK(resident(r, PAGES) == PAGES && mprotect(r + PAGE, PAGE, PROT_READ) == 0 && r[PAGE] == 2);
	s = abi_map(4 * PAGE);
	CHECK(mlock2(s, 4 * PAGE, MLOCK_ONFAULT) == 0);
	CHECK(resident(s, 4) == 0);
	s[PAGE] = 's';
	abi_press();
	CHECK(resident(s, 4) == 1 && s[PAGE] == 's');
	CHECK(mlockall(MCL_FUTURE) == 0);
	p = abi_map(2 * PAGE);
	CHECK(resident(p, 2) == 2);
	CHECK(munlockall() == 0 && munmap(p, 2 * PAGE) == 0);
	p = abi_map(2 * PAGE);
	CHECK(resident(p, 2) == 0);
	abi_press();
	CHECK(r[0] == 1 && r[2 * PAGE] == 3);
	puts("stays");
	return abi_result();
}
