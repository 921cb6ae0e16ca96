/* The main stack grows to its limit, as lowered and raised while the program runs; beyond it there is no mapping. */
#include <sys/resource.h>
#include "tests/abi/abi.h"

static char *base;

/* The address of the first page below `from` that cannot be touched */
static long depth(char *from, long most)
{
	long kb;

	for (kb = 0; kb < most; kb += 4)
		if (abi_touch(from - kb * 1024, ABI_WRITE).sig)
			break;
	return kb;
}

int main(void)
{
	stack_t alt = { .ss_sp = abi_map(64 * PAGE), .ss_size = 64 * PAGE };
	struct rlimit r;
	long kb;

	MUST(getrlimit(RLIMIT_STACK, &r) == 0);
	base = (char *)__builtin_frame_address(0);
	CHECK(sigaltstack(&alt, NULL) == 0);
	r.rlim_cur = 1 << 20;
	MUST(setrlimit(RLIMIT_STACK, &r) == 0);
	kb = depth(base, 16384);
	CHECK(kb > 800 && kb <= 1024);
	CHECK_FAULT((char *)((uintptr_t)base - (2UL << 20)), ABI_WRITE, SIGSEGV, SEGV_MAPERR);
	r.rlim_cur = 12 << 20;
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < r.rlim_cur)
		abi_skip("the stack's limit cannot be raised");
	MUST(setrlimit(RLIMIT_STACK, &r) == 0);
	kb = depth(base, 16384);
	CHECK(kb > 11500 && kb <= 12288);
	abi_press();
	CHECK(depth(base, 11000) == 11000);
	CHECK_FAULT((char *)((uintptr_t)base - (13UL << 20)), ABI_READ, SIGSEGV, SEGV_MAPERR);
	puts("deep");
	return abi_result();
}
