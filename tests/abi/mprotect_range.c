/* mprotect over holes, over several mappings, and its errors: what lies before a hole is changed. */
#include "tests/abi/abi.h"

int main(void)
{
	char *p = abi_map(8 * PAGE);

	memset(p, 'a', 8 * PAGE);
	CHECK(munmap(p + 4 * PAGE, PAGE) == 0);
	CHECK_ERR(mprotect(p, 8 * PAGE, PROT_READ), ENOMEM);
	CHECK_FAULT(p + PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT(p + 4 * PAGE, ABI_WRITE, SIGSEGV, SEGV_MAPERR);
	CHECK_TOUCH(p + 5 * PAGE, ABI_WRITE);
	CHECK_ERR(mprotect(p + 4 * PAGE, 2 * PAGE, PROT_READ), ENOMEM);
	CHECK_TOUCH(p + 5 * PAGE, ABI_WRITE);
	CHECK_ERR(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, 0x40000000), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	CHECK(mprotect(p + 4 * PAGE, 0, PROT_READ) == 0);
	CHECK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(mprotect(p, 1, PROT_NONE) == 0); /* to the page's end */
	CHECK_FAULT(p + 4095, ABI_READ, SIGSEGV, SEGV_ACCERR);
	abi_press();
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
	for (long i = 0; i < 8; i++)
		if (i != 4)
			CHECK(p[i * (long)PAGE] == 'a');
	puts("protected");
	return abi_result();
}
