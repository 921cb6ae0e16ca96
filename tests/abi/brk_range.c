/* brk: contents over growing and shrinking, what is refused, and a neighbour in the way. */
#include <sys/syscall.h>
#include "tests/abi/abi.h"

int main(void)
{
	char *start = sbrk(0), *at = (char *)(((uintptr_t)start + PAGE - 1) & -PAGE), *now;

	CHECK(brk(at + 64 * PAGE) == 0);
	memset(at, 'b', 64 * PAGE);
	CHECK((char *)syscall(SYS_brk, 0) == at + 64 * PAGE);
	CHECK((char *)syscall(SYS_brk, PAGE) == at + 64 * PAGE); /* below its start: as it was */
	CHECK(brk(at + 10 * PAGE + 1) == 0);
	abi_press();
	CHECK(at[11 * PAGE - 1] == 'b'); /* the page is there to its end */
	CHECK_FAULT(at + 11 * PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	CHECK(brk(at + 64 * PAGE) == 0);
	CHECK(at[11 * PAGE] == 0 && at[64 * PAGE - 1] == 0 && at[0] == 'b');
	now = mmap(at + 100 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	MUST(now == at + 100 * PAGE);
	CHECK_ERR(brk(at + 200 * PAGE), ENOMEM);
	CHECK((char *)syscall(SYS_brk, 0) == at + 64 * PAGE);
	CHECK(munmap(now, PAGE) == 0 && brk(at + 200 * PAGE) == 0);
	CHECK(mprotect(at + 16 * PAGE, PAGE, PROT_READ) == 0 && munmap(at + 32 * PAGE, PAGE) == 0);
	CHECK(brk(at + 8 * PAGE) == 0); /* over holes and other protections */
	CHECK(brk(at + 40 * PAGE) == 0 && at[16 * PAGE] == 0 && at[32 * PAGE] == 0);
	CHECK(brk(start) == 0);
	puts("broken");
	return abi_result();
}
