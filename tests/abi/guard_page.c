// also: ofi
/* A guard page below a region: SEGV_ACCERR at that page, nothing lost beside it. */
#include "tests/abi/abi.h"

int main(void)
{
	char *p = abi_map(3 * PAGE);

	memset(p, 'a', 3 * PAGE);
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	abi_press();
	CHECK_FAULT(p + PAGE, ABI_READ, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT(p + 2 * PAGE - 1, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(p[PAGE - 1] == 'a' && p[2 * PAGE] == 'a');
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	CHECK(p[PAGE] == 'a' && p[2 * PAGE - 1] == 'a');
	CHECK_FAULT(p + PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(munmap(p, 3 * PAGE) == 0);
	CHECK_FAULT(p + PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	puts("guarded");
	return abi_result();
}
