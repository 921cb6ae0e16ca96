// also: 6.1
// timeout: 120
/* How a process ends by each signal and by faults, blocked and ignored ones among them: its status, with the core bit. */
#include <sys/resource.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

static volatile int seven = 7, none_at_all;

static void fault(int sig)
{
	if (sig == SIGSEGV)
		*(volatile int *)8 = 1;
	else if (sig == SIGFPE)
		seven = seven / none_at_all;
	else if (sig == SIGILL)
		__asm__ volatile("ud2");
	else
		__asm__ volatile("int3");
}

static void end(const char *what, int sig, void (*how)(int), bool block, bool ignore)
{
	int status = 0;
	sigset_t set;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		sigfillset(&set);
		if (block)
			sigprocmask(SIG_SETMASK, &set, NULL);
		if (ignore)
			signal(sig, SIG_IGN);
		how(sig);
		sigemptyset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		_exit(sig == SIGCHLD ? 70 : 71);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	printf("%s %d%s%s: ", what, sig, block ? " blocked" : "", ignore ? " ignored" : "");
	if (WIFSIGNALED(status))
		printf("ended by %d%s\n", WTERMSIG(status), WCOREDUMP(status) ? ", core" : "");
	else
		printf("exit %d\n", WEXITSTATUS(status));
}

static void sent(int sig)
{
	kill(getpid(), sig);
}

static void raised(int sig)
{
	raise(sig);
}

static void aborts(int sig)
{
	abort();
}

int main(void)
{
	static const int faults[] = { SIGSEGV, SIGFPE, SIGILL, SIGTRAP };
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	for (int sig = 1; sig <= 64; sig++) {
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU || sig == 32 || sig == 33)
			continue;
		end("sent", sig, sent, false, false);
	}
	for (int i = 0; i < 4; i++)
		for (int how = 0; how < 4; how++)
			end("fault", faults[i], fault, how & 1, how & 2);
	for (int how = 0; how < 4; how++) {
		end("raise", SIGSEGV, raised, how & 1, how & 2);
		end("raise", SIGBUS, raised, how & 1, how & 2);
		end("raise", SIGSYS, raised, how & 1, how & 2);
		end("abort", SIGABRT, aborts, how & 1, how & 2);
	}
	return abi_result();
}
