// also: 6.1
/* siglongjmp out of handlers, of sent signals and of faults of every kind, again and again. */
#include "tests/abi/abi.h"

static sigjmp_buf back;
static volatile int code, signo;
static void *volatile addr;

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	signo = sig;
	code = info->si_code;
	addr = info->si_addr;
	siglongjmp(back, 1);
}

static char *none;

static volatile int seven = 7, none_at_all;

static void fault(int sig)
{
	switch (sig) {
	case SIGSEGV:
		*(volatile char *)none = 1;
		break;
	case SIGFPE:
		seven = seven / none_at_all;
		break;
	case SIGILL:
		__asm__ volatile("ud2");
		break;
	case SIGTRAP:
		__asm__ volatile("int3");
		break;
	default:
		raise(sig);
	}
}

static void jumps(int sig, int flags, int want)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };
	volatile int rounds = 0;
	sigset_t now;

	sigaction(sig, &act, NULL);
	while (rounds < 200) {
		if (sigsetjmp(back, 1)) {
			CHECK(signo == sig);
			CHECK(code == want);
			rounds++;
			if (rounds == 100)
				abi_press();
			continue;
		}
		fault(sig);
		CHECK(0);
		break;
	}
	sigprocmask(SIG_BLOCK, NULL, &now);
	for (int i = 1; i <= 64; i++)
		CHECK(sigismember(&now, i) != 1);
	signal(sig, SIG_DFL);
	printf("%d: %d jumps\n", sig, rounds);
}

int main(void)
{
	stack_t s = { .ss_sp = abi_map(65536), .ss_size = 65536 };

	none = abi_map(PAGE);
	mprotect(none, PAGE, PROT_NONE);
	MUST(sigaltstack(&s, NULL) == 0);
	for (int flags = 0; flags <= SA_ONSTACK; flags += SA_ONSTACK) {
		jumps(SIGUSR1, flags, SI_TKILL);
		jumps(SIGSEGV, flags, SEGV_ACCERR);
		CHECK(addr == none);
		jumps(SIGBUS, flags, SI_TKILL);
		jumps(SIGFPE, flags, FPE_INTDIV);
		jumps(SIGILL, flags, ILL_ILLOPN);
		jumps(SIGTRAP, flags, SI_KERNEL);
		jumps(SIGRTMIN, flags, SI_TKILL);
		jumps(SIGSYS, flags, SI_TKILL);
	}
	return abi_result();
}
