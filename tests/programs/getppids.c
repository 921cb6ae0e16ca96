/* getppids N: the cost of a call that does nothing, N times; "call: NS ns", the least of ten parts. */
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/programs/say.h"

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
	uint64_t best = UINT64_MAX, t;

	for (int part = 0; part < 10; part++) {
		t = now_ns();
		for (unsigned i = 0; i < n / 10; i++)
			syscall(SYS_getppid);
		t = now_ns() - t;
		best = t < best ? t : best;
	}
	printf("call: %.1f ns\n", (double)best / (n / 10));
	return 0;
}
