/*
 * Waiting for locks of files (fcntl, of processes and of open files, and flock): signals with and without SA_RESTART, the end
 * of the one in the way, and two that would wait for each other.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

enum how { POSIX, OFD, FLOCK, HOWS };
static const char *const names[] = { "posix", "ofd", "flock" };

#define MANY 10

static char path[64];
static volatile sig_atomic_t signals;
static int enough[2]; /* a pipe: the child hears that it may go */

static void on_signal(int sig)
{
	(void)sig;
	if (++signals == MANY)
		(void)!write(enough[1], "e", 1);
}

static int lock(enum how how, int fd, int type, bool wait, int start)
{
	struct flock fl = { .l_type = (short)type, .l_start = start, .l_len = 1 };

	switch (how) {
	case POSIX:
		return fcntl(fd, wait ? F_SETLKW : F_SETLK, &fl);
	case OFD:
		return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &fl);
	default:
		return flock(fd, (type == F_WRLCK ? LOCK_EX : LOCK_UN) | (wait ? 0 : LOCK_NB));
	}
}

static void catch (int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	MUST(sigaction(SIGUSR1, &sa, NULL) == 0);
	signals = 0;
}

static int opened(void)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	MUST(fd >= 0);
	return fd;
}

/* A child that has the lock, and goes after a while; or that sends its parent signals until that has had enough. */
static pid_t holder(enum how how, int sig)
{
	int ready[2];
	struct pollfd p;
	pid_t child;
	char c;

	MUST(pipe(ready) == 0 && pipe(enough) == 0);
	child = fork();
	MUST(child >= 0);
	if (!child) {
		int fd = opened();

		if (lock(how, fd, F_WRLCK, false, 0) || write(ready[1], "r", 1) != 1)
			_exit(1);
		p = (struct pollfd){ .fd = enough[0], .events = POLLIN };
		while (!poll(&p, 1, sig ? 20 : 200) && sig) /* time is the subject: the parent waits meanwhile */
			kill(getppid(), sig);
		_exit(0);
	}
	close(ready[1]);
	MUST(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	return child;
}

static void end(pid_t child)
{
	int status;

	CHECK(write(enough[1], "e", 1) == 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	close(enough[0]);
	close(enough[1]);
}

static void waits(enum how how)
{
	int fd = opened(), before;
	pid_t child = holder(how, 0);

	before = lock(how, fd, F_WRLCK, false, 0) ? errno : 0;
	CHECK(before == EAGAIN);
	CHECK(lock(how, fd, F_WRLCK, true, 0) == 0);
	end(child);
	CHECK(lock(how, fd, F_UNLCK, false, 0) == 0);

	catch (0);
	child = holder(how, SIGUSR1);
	CHECK_ERR(lock(how, fd, F_WRLCK, true, 0), EINTR);
	CHECK(signals > 0);
	catch (SA_RESTART);
	end(child);
	signals = 0;

	child = holder(how, SIGUSR1);
	CHECK(lock(how, fd, F_WRLCK, true, 0) == 0);
	CHECK(signals >= MANY);
	end(child);
	close(fd);
	printf("%s: waits\n", names[how]);
}

/* Each has a byte and wants the other's: whoever comes second is told. */
static void deadlock(void)
{
	int fd = opened(), ready[2], status, err;
	pid_t child;
	char c;

	MUST(pipe(ready) == 0);
	MUST(lock(POSIX, fd, F_WRLCK, false, 0) == 0);
	child = fork();
	MUST(child >= 0);
	if (!child) {
		if (lock(POSIX, fd, F_WRLCK, false, 1) || write(ready[1], "r", 1) != 1)
			_exit(2);
		_exit(lock(POSIX, fd, F_WRLCK, true, 0) ? errno == EDEADLK ? 1 : 3 : 0);
	}
	close(ready[1]);
	MUST(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	err = lock(POSIX, fd, F_WRLCK, true, 1) ? errno : 0;
	CHECK(lock(POSIX, fd, F_UNLCK, false, 0) == 0);
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == (err ? 0 : 1) && (!err || err == EDEADLK));
	close(fd);
	puts("deadlock found");
}

int main(void)
{
	snprintf(path, sizeof(path), "lock_wait.%d", (int)getpid());
	for (enum how how = 0; how < HOWS; how++)
		waits(how);
	deadlock();
	unlink(path);
	return abi_result();
}
