// also: ofi
/* Shared anonymous memory: /dev/zero, a second view by mremap, advice, and that it is no private memory. */
#include <fcntl.h>
#include "tests/abi/abi.h"

#define RW (PROT_READ | PROT_WRITE)

int main(void)
{
	char *p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q, *r;
	int zero = open("/dev/zero", O_RDWR);

	MUST(p != MAP_FAILED && zero >= 0);
	memset(p, 's', 8 * PAGE);
	abi_press();
	CHECK(p[0] == 's' && p[8 * PAGE - 1] == 's');
	q = mremap(p + 2 * PAGE, 0, 4 * PAGE, MREMAP_MAYMOVE); /* the same memory once more */
	MUST(q != MAP_FAILED);
	q[0] = 'q';
	CHECK(p[2 * PAGE] == 'q' && q[PAGE] == 's');
	p[3 * PAGE] = 'p';
	CHECK(q[PAGE] == 'p');
	CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0);
	CHECK(p[0] == 's'); /* only this view of it */
	CHECK(madvise(p, PAGE, MADV_REMOVE) == 0);
	CHECK(p[0] == 0 && p[PAGE] == 's');
	CHECK_ERR(madvise(p, PAGE, MADV_FREE), EINVAL);
	CHECK_ERR(madvise(p, PAGE, MADV_WIPEONFORK), EINVAL);
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	CHECK_FAULT(p, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECK_FAULT(p + PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	r = mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 4 * PAGE);
	CHECK(r == p + 4 * PAGE && r[0] == 'q' && r[PAGE] == 'p' && p[3 * PAGE] == 'p');
	CHECK_FAULT(q, ABI_READ, SIGSEGV, SEGV_MAPERR);
	CHECK(msync(r, 4 * PAGE, MS_SYNC) == 0);
	q = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, zero, 0);
	r = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, zero, 0);
	MUST(q != MAP_FAILED && r != MAP_FAILED);
	memset(q, 1, 2 * PAGE);
	memset(r, 2, 2 * PAGE);
	abi_press();
	CHECK(q[PAGE] == 1 && r[PAGE] == 2);
	CHECK(close(zero) == 0 && munmap(q, 2 * PAGE) == 0 && munmap(r, 2 * PAGE) == 0);
	puts("shared");
	return abi_result();
}
