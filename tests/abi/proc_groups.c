/* Process groups, sessions, signals to groups, orphans and who adopts them, a parent's death signal, pidfds, clone3. */
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "abi.h"

static void groups(void)
{
	int status;
	pid_t a = fork(), b;

	if (!a) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(a, a);
	CHECK(getpgid(a) == a);
	b = fork();
	if (!b)
		for (;;)
			pause();
	CHECK(setpgid(b, a) == 0);
	CHECK(kill(-a, SIGTERM) == 0);
	CHECK(waitpid(-a, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
	CHECK(waitpid(-a, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
	CHECK_ERR(waitpid(-a, &status, 0), ECHILD);
	a = fork();
	if (!a)
		_exit(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid() ? 0 : 1);
	CHECK(waitpid(a, &status, 0) == a && status == 0);
}

static void orphan(void)
{
	int ends[2], status;
	pid_t who[2] = { 0, 0 };

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	CHECK(pipe(ends) == 0);
	pid_t a = fork();
	if (!a) {
		pid_t parent = getpid();

		if (!fork()) {
			while (getppid() == parent)
				usleep(1000);
			who[0] = getpid();
			who[1] = getppid();
			_exit(write(ends[1], who, sizeof(who)) != sizeof(who));
		}
		_exit(0);
	}
	CHECK(waitpid(a, &status, 0) == a && status == 0);
	CHECK(read(ends[0], who, sizeof(who)) == sizeof(who));
	CHECK(who[1] == getpid());
	CHECK(waitpid(who[0], &status, 0) == who[0] && status == 0);
	/* killed as its parent ends */
	a = fork();
	if (!a) {
		pid_t c = fork();

		if (!c) {
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			CHECK(write(ends[1], "x", 1) == 1);
			for (;;)
				pause();
		}
		_exit(read(ends[0], &status, 1) != 1);
	}
	CHECK(waitpid(a, &status, 0) == a && status == 0);
	CHECK(wait(&status) > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

static void pidfds(void)
{
	struct clone_args args = { .flags = CLONE_PIDFD, .exit_signal = SIGCHLD };
	int fd = -1;
	siginfo_t info;

	args.pidfd = (uint64_t)&fd;
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		for (;;)
			pause();
	MUST(pid > 0);
	CHECK(fd >= 0);
	CHECK(syscall(SYS_pidfd_send_signal, fd, SIGINT, NULL, 0) == 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	CHECK(poll(&p, 1, 10000) == 1);
	CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_status == SIGINT && info.si_code == CLD_KILLED);
	close(fd);
}

int main(void)
{
	groups();
	orphan();
	pidfds();
	puts("groups");
	return abi_result();
}
