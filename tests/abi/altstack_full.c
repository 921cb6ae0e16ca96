// status: 139
/* A frame that goes beyond the alternate stack is the end, also where there is memory. */
#include "tests/abi/abi.h"

static volatile int depth;

static void on_signal(int sig)
{
	if (++depth == 1) {
		puts("once");
		fflush(stdout);
	}
	raise(sig);
}

int main(void)
{
	char *p = abi_map(1 << 20);
	stack_t s = { .ss_sp = p + (1 << 19), .ss_size = 1 << 16 };
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER };

	MUST(sigaltstack(&s, NULL) == 0);
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	return 0;
}
