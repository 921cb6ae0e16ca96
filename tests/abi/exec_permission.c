// also: ofi
/* Code in memory: what may not be executed is not, with the right code and address; written code runs, evicted or not. */
#include "tests/abi/abi.h"

static const unsigned char answer[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */

static int call(void *at)
{
	return ((int (*)(void))at)();
}

int main(void)
{
	char *p = abi_map(2 * PAGE);

	memcpy(p, answer, sizeof(answer));
	memcpy(p + PAGE, answer, sizeof(answer));
	abi_press();
	CHECK_FAULT(p, ABI_CALL, SIGSEGV, SEGV_ACCERR);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	abi_press();
	CHECK(call(p) == 42);
	CHECK_FAULT(p, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT(p + PAGE, ABI_CALL, SIGSEGV, SEGV_ACCERR);
	CHECK(mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	for (int i = 0; i < 100; i++) {
		p[1] = (char)i; /* code that writes code */
		CHECK(call(p) == i);
		p[PAGE + 1] = (char)i;
		if (i % 25 == 0)
			abi_press();
		CHECK(call(p + PAGE) == i);
	}
	CHECK(mprotect(p, PAGE, PROT_NONE) == 0);
	CHECK_FAULT(p, ABI_CALL, SIGSEGV, SEGV_ACCERR);
	munmap(p, PAGE);
	CHECK_FAULT(p, ABI_CALL, SIGSEGV, SEGV_MAPERR);
	puts("executed");
	return abi_result();
}
