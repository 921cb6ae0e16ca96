/* clone3 of processes: handlers cleared, ids told, a stack of its own; what makes no sense is refused. */
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "abi.h"

static void handler(int sig)
{
	(void)sig;
}

static long clone3(struct clone_args *a, size_t n)
{
	return syscall(SYS_clone3, a, n);
}

static int on_stack(void *arg)
{
	int here;

	return (char *)&here > (char *)arg && (char *)&here < (char *)arg + 16 * PAGE ? 5 : 6;
}

int main(void)
{
	struct clone_args a = { .flags = CLONE_CLEAR_SIGHAND | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
				.exit_signal = SIGCHLD };
	pid_t parent_tid = 0, child_tid = 0;
	struct sigaction act;
	int status;
	char *stack = abi_map(16 * PAGE);

	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	a.parent_tid = (uint64_t)&parent_tid;
	a.child_tid = (uint64_t)&child_tid;
	long pid = clone3(&a, sizeof(a));
	if (!pid) {
		sigaction(SIGUSR1, NULL, &act);
		CHECK(act.sa_handler == SIG_DFL);
		sigaction(SIGUSR2, NULL, &act);
		CHECK(act.sa_handler == SIG_IGN);
		CHECK(child_tid == getpid());
		_exit(abi_result());
	}
	CHECK(pid > 0 && parent_tid == pid && child_tid == 0);
	CHECK(waitpid((pid_t)pid, &status, 0) == pid && status == 0);
	sigaction(SIGUSR1, NULL, &act);
	CHECK(act.sa_handler == handler);
	pid = clone(on_stack, stack + 16 * PAGE, SIGCHLD, stack);
	CHECK(waitpid((pid_t)pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	pid = clone(on_stack, stack + 16 * PAGE, SIGCHLD | CLONE_VM | CLONE_VFORK, stack);
	CHECK(waitpid((pid_t)pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	CHECK_ERR(clone3(&a, 8), EINVAL);
	CHECK_ERR(clone3((struct clone_args *)8, sizeof(a)), EFAULT);
	a.exit_signal = 65;
	CHECK_ERR(clone3(&a, sizeof(a)), EINVAL);
	a = (struct clone_args){ .exit_signal = SIGCHLD, .stack = (uint64_t)stack };
	CHECK_ERR(clone3(&a, sizeof(a)), EINVAL);
	puts("clone3");
	return abi_result();
}
