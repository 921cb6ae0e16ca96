// also: 6.1
/* Sent signals of all kinds that wait: not a child's after fork, still there after exec; between processes. */
#include <sys/wait.h>
#include "tests/abi/abi.h"

static volatile int count, value;

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	count++;
	value = info->si_pid;
}

static void show(const char *who)
{
	sigset_t set, blocked;

	sigpending(&set);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	printf("%s:", who);
	for (int i = 1; i <= 64; i++)
		if (sigismember(&set, i) == 1 || sigismember(&blocked, i) == 1)
			printf(" %d%s%s", i, sigismember(&set, i) == 1 ? "!" : "",
			       sigismember(&blocked, i) == 1 ? "" : "?");
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGSYS, SIGUSR1 };
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	int status, ends[2];
	sigset_t set;
	pid_t pid;
	char c;

	if (argc > 1) {
		show("after exec");
		return 0;
	}
	sigemptyset(&set);
	for (int i = 0; i < 4; i++)
		sigaddset(&set, sigs[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 4; i++)
		kill(getpid(), sigs[i]);
	show("before");
	if ((pid = fork()) == 0) {
		show("child");
		for (int i = 0; i < 4; i++)
			raise(sigs[i]);
		execl("/proc/self/exe", "sent_trees", "again", NULL);
		_exit(9);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	show("parent");
	for (int i = 0; i < 4; i++)
		sigaction(sigs[i], &act, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK(count == 4);
	/* from the child to the parent, which computes */
	MUST(pipe(ends) == 0);
	for (int i = 0; i < 3; i++) {
		count = 0;
		if ((pid = fork()) == 0) {
			kill(getppid(), sigs[i]);
			read(ends[0], &c, 1);
			_exit(0);
		}
		for (volatile long n = 0; !count && n < 20000000000; n++)
			;
		CHECK(count == 1 && value == pid);
		write(ends[1], "x", 1);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	show("at last");
	return abi_result();
}
