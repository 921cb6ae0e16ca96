// also: ofi
/* mremap: errors, shrinking over several mappings, moves onto others, and that all contents come along. */
#include "tests/abi/abi.h"

static char *numbered(size_t pages)
{
	char *p = abi_map(pages * PAGE);

	for (size_t i = 0; i < pages; i++)
		memset(p + i * PAGE, (int)(i + 1), PAGE);
	return p;
}

static int wrong(const char *p, size_t from, size_t pages)
{
	int n = 0;

	for (size_t i = 0; i < pages * PAGE; i++)
		n += (unsigned char)p[i] != (unsigned char)(from + i / PAGE + 1);
	return n;
}

static void refused(void)
{
	char *p = numbered(8);

	CHECK_ERR(mremap(p + 1, PAGE, PAGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR(mremap(p, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, 64), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_FIXED, p + 4 * PAGE), EINVAL);
	CHECK_ERR(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 4 * PAGE + 1), EINVAL);
	CHECK_ERR(mremap(p, 0, PAGE, MREMAP_MAYMOVE), EINVAL); /* private: not duplicated */
	CHECK_ERR(mremap(p, PAGE, 3 * PAGE, 0), ENOMEM);       /* no room, and may not move */
	CHECK_ERR(mremap(p, 2 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), EINVAL);
	CHECK(munmap(p + 4 * PAGE, PAGE) == 0);
	CHECK_ERR(mremap(p, 6 * PAGE, 12 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERR(mremap(p + 4 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK(wrong(p, 0, 4) == 0);
}

static void resized(void)
{
	char *p = numbered(16), *q;

	CHECK(mprotect(p + 8 * PAGE, 4 * PAGE, PROT_READ) == 0); /* three mappings */
	CHECK(mremap(p, 16 * PAGE, 6 * PAGE, 0) == p);
	CHECK_FAULT(p + 6 * PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT(p + 15 * PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	abi_press();
	CHECK(wrong(p, 0, 6) == 0);
	CHECK(mremap(p, 6 * PAGE, 10 * PAGE, 0) == p);
	CHECK(p[6 * PAGE] == 0 && p[10 * PAGE - 1] == 0 && wrong(p, 0, 6) == 0);
	q = mremap(p, 10 * PAGE, 2000 * PAGE, MREMAP_MAYMOVE);
	MUST(q != MAP_FAILED);
	abi_press();
	CHECK(wrong(q, 0, 6) == 0 && q[6 * PAGE] == 0 && q[1999 * PAGE] == 0);
	munmap(q, 2000 * PAGE);
}

static void moved(void)
{
	char *p = numbered(8), *q = numbered(8), *r;

	abi_press();
	CHECK(mremap(p + 2 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	abi_press();
	CHECK(wrong(q, 2, 4) == 0 && wrong(q + 4 * PAGE, 4, 4) == 0 && wrong(p, 0, 2) == 0 &&
	      wrong(p + 6 * PAGE, 6, 2) == 0);
	CHECK_FAULT(p + 2 * PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	r = mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	MUST(r != MAP_FAILED);
	CHECK(wrong(r, 2, 4) == 0 && q[0] == 0 && q[4 * PAGE - 1] == 0);
	CHECK(mprotect(r, PAGE, PROT_NONE) == 0);
	r = mremap(r, PAGE, 2 * PAGE, MREMAP_MAYMOVE); /* with its protection */
	MUST(r != MAP_FAILED);
	CHECK_FAULT(r, ABI_READ, SIGSEGV, SEGV_ACCERR);
	CHECK(mprotect(r, 2 * PAGE, PROT_READ) == 0);
	CHECK(wrong(r, 2, 1) == 0 && r[PAGE] == 0);
}

int main(void)
{
	refused();
	resized();
	moved();
	puts("moved");
	return abi_result();
}
