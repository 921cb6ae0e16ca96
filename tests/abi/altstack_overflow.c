// status: 139
/* An alternate stack without room for the frame is the end by SIGSEGV, handler or not. */
#include "tests/abi/abi.h"

static void on_signal(int sig)
{
	puts("not reached");
}

int main(void)
{
	char *p = abi_map(4 * PAGE);
	stack_t s = { .ss_sp = p + PAGE, .ss_size = 2048 };
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

	mprotect(p, PAGE, PROT_NONE);
	mprotect(p + PAGE, 3 * PAGE, PROT_NONE);
	MUST(sigaltstack(&s, NULL) == 0);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	puts("before");
	fflush(stdout);
	raise(SIGUSR1);
	return 0;
}
