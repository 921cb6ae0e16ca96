// also: ofi 6.1
/* What a child has of its own and what of its parent: ids, descriptors, offsets, signals, limits; the wait family. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "abi.h"

static volatile sig_atomic_t got;

static void on_usr1(int sig)
{
	got += sig == SIGUSR1;
}

static void ids(void)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid) {
		CHECK(getppid() == parent);
		CHECK(getpid() != parent && getpid() == syscall(SYS_gettid));
		CHECK(getpgid(0) == getpgid(parent) && getsid(0) == getsid(parent));
		_exit(abi_result() ? 1 : 42);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
}

static void shared_offset(void)
{
	char name[] = "/tmp/abi-offset-XXXXXX", buf[64];
	int fd = mkstemp(name), status;

	MUST(fd >= 0);
	CHECK(write(fd, "one ", 4) == 4);
	if (!fork()) {
		CHECK(write(fd, "two ", 4) == 4);
		CHECK(lseek(fd, 0, SEEK_CUR) == 8);
		_exit(abi_result());
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 8);
	CHECK(write(fd, "three", 5) == 5);
	CHECK(pread(fd, buf, sizeof(buf), 0) == 13 && !memcmp(buf, "one two three", 13));
	/* The child's own descriptors are its own: closing them changes nothing here. */
	if (!fork()) {
		close(fd);
		_exit(0);
	}
	wait(&status);
	CHECK(write(fd, ".", 1) == 1);
	/* Status flags belong to what is shared, close-on-exec to the number. */
	if (!fork()) {
		fcntl(fd, F_SETFL, O_APPEND);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		_exit(0);
	}
	wait(&status);
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
	CHECK(fcntl(fd, F_GETFD) == 0);
	unlink(name);
	close(fd);
}

static void signals(void)
{
	struct sigaction act = { .sa_handler = on_usr1 };
	sigset_t set, old;
	int status, pending;
	pid_t pid;

	sigaction(SIGUSR1, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1); /* waits here; the child does not inherit that */
	pid = fork();
	if (!pid) {
		sigset_t waits;

		sigpending(&waits);
		pending = sigismember(&waits, SIGUSR1);
		sigprocmask(SIG_SETMASK, &old, NULL);
		_exit(pending * 2 + (got != 0));
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK(got == 1);
	pid = fork();
	if (!pid) { /* the handler is inherited */
		raise(SIGUSR1);
		_exit(got == 2 ? 7 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
}

static void ends(void)
{
	int status, go[2];
	siginfo_t info;
	struct rusage use;
	pid_t pid = fork();

	if (!pid) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		raise(SIGKILL);
	}
	CHECK(wait4(pid, &status, 0, &use) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	MUST(pipe(go) == 0);
	pid = fork();
	if (!pid) {
		raise(SIGSTOP);
		_exit(read(go[0], &status, 1) == 1 ? 3 : 4);
	}
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGCONT);
	CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_status == 3);
	CHECK(info.si_code == CLD_EXITED && info.si_pid == pid && info.si_signo == SIGCHLD);
	CHECK(waitpid(-1, &status, 0) == pid && WEXITSTATUS(status) == 3);
	CHECK_ERR(waitpid(-1, &status, WNOHANG), ECHILD);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	kill(pid, SIGTERM);
	CHECK(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGTERM);
}

int main(void)
{
	ids();
	shared_offset();
	signals();
	ends();
	puts("basics");
	return abi_result();
}
