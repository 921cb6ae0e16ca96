/* A signal whose handler finds no stack is a SIGSEGV: its handler runs on the alternate one. */
#include "tests/abi/abi.h"

static sigjmp_buf back;
static volatile int sig_seen, code_seen;

static void on_signal(int sig)
{
	CHECK(0);
}

static void on_segv(int sig, siginfo_t *info, void *uc)
{
	sig_seen = sig;
	code_seen = info->si_code;
	siglongjmp(back, 1);
}

int main(void)
{
	stack_t s = { .ss_sp = abi_map(65536), .ss_size = 65536 };
	struct sigaction act = { .sa_handler = on_signal }, segv = { .sa_sigaction = on_segv };
	char *low = abi_map(4 * PAGE);

	mprotect(low, 2 * PAGE, PROT_NONE);
	segv.sa_flags = SA_SIGINFO | SA_ONSTACK;
	MUST(sigaltstack(&s, NULL) == 0);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	for (int i = 0; i < 3; i++) {
		sig_seen = 0;
		if (!sigsetjmp(back, 1)) {
			/* kill(getpid(), SIGUSR1) where the stack ends */
			register long pid = getpid(), to = (long)(low + 2 * PAGE + 64);

			__asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; mov $62, %%eax; syscall; mov %%rbx, %%rsp"
					 :
					 : "r"(to), "D"(pid), "S"(SIGUSR1)
					 : "rax", "rbx", "rcx", "r11", "memory");
		}
		CHECK(sig_seen == SIGSEGV && code_seen == SI_KERNEL);
		abi_press();
	}
	puts("refused");
	return abi_result();
}
