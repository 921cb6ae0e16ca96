// also: 6.1
/* SA_NODEFER, SA_RESETHAND, SA_SIGINFO, sa_mask, and what sigaction says of them. */
#include <sys/syscall.h>
#include "tests/abi/abi.h"

static volatile int depth, most, calls;
static volatile sigset_t inside;

static void on_signal(int sig)
{
	sigset_t now;

	calls++;
	if (++depth > most)
		most = depth;
	sigprocmask(SIG_BLOCK, NULL, &now);
	inside = now;
	if (depth < 3 && calls < 10)
		raise(sig);
	depth--;
}

static void install(int sig, int flags, int also)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = flags };

	sigemptyset(&act.sa_mask);
	if (also)
		sigaddset(&act.sa_mask, also);
	CHECK(sigaction(sig, &act, NULL) == 0);
	depth = most = calls = 0;
}

static bool blocked_inside(int sig)
{
	sigset_t set = inside;

	return sigismember(&set, sig);
}

static void once(int sig)
{
	struct sigaction now;

	install(sig, 0, SIGUSR2);
	raise(sig);
	CHECK(most == 1 && calls > 1);
	CHECK(blocked_inside(sig) && blocked_inside(SIGUSR2) && !blocked_inside(SIGHUP));
	install(sig, SA_NODEFER, 0);
	raise(sig);
	CHECK(most == 3 && !blocked_inside(sig));
	install(sig, SA_NODEFER, sig);
	raise(sig);
	CHECK(most == 1 && blocked_inside(sig));
	install(sig, (int)SA_RESETHAND | SA_RESTART, SIGHUP);
	CHECK(sigaction(sig, NULL, &now) == 0 && now.sa_handler == on_signal);
	calls = 10; /* not a second time */
	raise(sig);
	CHECK(calls == 11);
	CHECK(sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	CHECK((now.sa_flags & (int)SA_RESETHAND) && sigismember(&now.sa_mask, SIGHUP));
	signal(sig, SIG_IGN);
	CHECK(sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
	raise(sig);
	signal(sig, SIG_DFL);
}

static void mistakes(void)
{
	struct sigaction act = { .sa_handler = SIG_IGN };

	CHECK_ERR(sigaction(SIGKILL, &act, NULL), EINVAL);
	CHECK_ERR(sigaction(SIGSTOP, &act, NULL), EINVAL);
	CHECK(sigaction(SIGKILL, NULL, &act) == 0);
	CHECK_ERR(sigaction(65, NULL, &act), EINVAL);
	CHECK_ERR(sigaction(0, NULL, &act), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &act, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, 7, &act, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &act, NULL, 16), EINVAL);
	CHECK(syscall(SYS_rt_sigprocmask, 7, NULL, &act, 8) == 0);
}

/* KILL and STOP are never blocked. */
static void masks(void)
{
	sigset_t set, now;
	int n = 0;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigprocmask(SIG_SETMASK, NULL, &now);
	for (int i = 1; i <= 64; i++)
		n += sigismember(&now, i) == 1;
	CHECK(!sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP));
	CHECK(sigismember(&now, SIGSEGV) && sigismember(&now, SIGBUS) && sigismember(&now, SIGSYS));
	printf("%d blocked\n", n);
	abi_press(); /* misses with everything blocked */
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

int main(void)
{
	const int sigs[] = { SIGUSR1, SIGRTMIN + 1, SIGSEGV, SIGBUS, SIGSYS, SIGFPE, SIGILL, SIGTRAP, SIGCHLD };

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		once(sigs[i]);
	mistakes();
	masks();
	return abi_result();
}
