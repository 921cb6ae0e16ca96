// also: 6.1
/* RLIMIT_NOFILE that is lowered binds every call that makes a descriptor; what is open above stays open. */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include "tests/abi/abi.h"

int main(void)
{
	struct rlimit r, old;
	int pair[2], high, last = -1, fd;
	struct pollfd p[30] = { { 0 } };
	sigset_t set;
	char c;

	MUST(getrlimit(RLIMIT_NOFILE, &old) == 0);
	MUST(pipe(pair) == 0);
	high = dup2(pair[0], 50);
	CHECK(high == 50);
	r = old;
	r.rlim_cur = 20;
	CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 20 && r.rlim_max == old.rlim_max);
	CHECK(sysconf(_SC_OPEN_MAX) == 20 && getdtablesize() == 20);
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	CHECK(errno == EMFILE && last == 19);
	CHECK_ERR(open("/proc/self/exe", O_RDONLY), EMFILE);
	CHECK_ERR(dup(0), EMFILE);
	CHECK_ERR(dup2(0, 20), EBADF);
	CHECK_ERR(dup3(0, 4000, 0), EBADF);
	CHECK_ERR(fcntl(0, F_DUPFD, 0), EMFILE);
	CHECK_ERR(fcntl(0, F_DUPFD, 20), EINVAL);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), EMFILE);
	CHECK_ERR(eventfd(0, 0), EMFILE);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 0), EMFILE);
	CHECK_ERR(epoll_create1(0), EMFILE);
	CHECK_ERR(memfd_create("x", 0), EMFILE);
	sigemptyset(&set);
	CHECK_ERR(signalfd(-1, &set, 0), EMFILE);
	close(last);
	CHECK_ERR(pipe(p[0].fd ? NULL : (int *)&p[0]), EMFILE);
	CHECK(dup2(0, 19) == 19);
	CHECK(dup2(0, 0) == 0);
	/* above: still open */
	CHECK(fcntl(high, F_GETFD) == 0);
	fcntl(high, F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(high, &c, 1), EAGAIN);
	CHECK(close(high) == 0);
	CHECK_ERR(poll(p, 21, 0), EINVAL);
	CHECK(poll(p, 20, 0) >= 0);
	r.rlim_cur = 60;
	CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
	CHECK(dup2(0, 59) == 59);
	CHECK_ERR(dup2(0, 60), EBADF);
	r.rlim_cur = r.rlim_max;
	r.rlim_cur++;
	if (r.rlim_max != RLIM_INFINITY)
		CHECK_ERR(setrlimit(RLIMIT_NOFILE, &r), EINVAL);
	r.rlim_cur = r.rlim_max = 30;
	CHECK(syscall(SYS_prlimit64, getpid(), RLIMIT_NOFILE, &r, NULL) == 0);
	if (getuid()) {
		r.rlim_max = 31;
		CHECK_ERR(setrlimit(RLIMIT_NOFILE, &r), EPERM);
	}
	CHECK(dup2(0, 29) == 29);
	CHECK_ERR(dup2(0, 30), EBADF);
	CHECK_ERR(setrlimit(99, &r), EINVAL);
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, (void *)8), EFAULT);
	CHECK_ERR(getrlimit(RLIMIT_NOFILE, (void *)8), EFAULT);
	puts("bound");
	return abi_result();
}
