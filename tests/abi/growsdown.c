/* MAP_GROWSDOWN: a mapping that grows to the page touched below it, and stops short of its lower neighbour. */
#include "tests/abi/abi.h"

#define GAP (256 * PAGE)

int main(void)
{
	char *area = mmap(NULL, 2 * GAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *top = area + 2 * GAP, *p;

	MUST(area != MAP_FAILED);
	munmap(area, 2 * GAP);
	p = mmap(top - 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	MUST(p == top - 2 * PAGE);
	memset(p, 'g', 2 * PAGE);
	for (long i = 3; i < 12; i++) {
		CHECK_TOUCH(top - i * (long)PAGE, ABI_READ);
		top[-i * (long)PAGE] = (char)i;
	}
	CHECK_TOUCH(top - 40 * PAGE, ABI_WRITE); /* in one step */
	abi_press();
	for (long i = 3; i < 12; i++)
		CHECK(top[-i * (long)PAGE] == i);
	CHECK(p[0] == 'g' && top[-30 * (long)PAGE] == 0);
	/* A neighbour within the gap stops it */
	MUST(mmap(area, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area);
	CHECK_FAULT(area + 2 * PAGE, ABI_WRITE, SIGSEGV, SEGV_MAPERR);
	CHECK_TOUCH(area + PAGE + GAP + 8 * PAGE, ABI_WRITE);
	/* The same protection over all of it, from any page */
	CHECK(mprotect(top - PAGE, PAGE, PROT_READ | PROT_GROWSDOWN) == 0);
	CHECK_FAULT(top - 20 * PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	puts("grown");
	return abi_result();
}
