// also: 6.1
/* signalfd, eventfd, timerfd, and epoll over them: level, edge, one shot, exclusive. */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include "tests/abi/abi.h"

static char *far; /* not resident when it matters */

static void signals(void)
{
	struct signalfd_siginfo *fi = (struct signalfd_siginfo *)far;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	MUST(fd >= 0);
	CHECK_ERR(read(fd, fi, sizeof(*fi)), EAGAIN);
	raise(SIGUSR1);
	for (int i = 0; i < 3; i++)
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 70 + i });
	kill(getpid(), SIGSEGV);
	abi_press();
	CHECK(read(fd, fi, 10 * sizeof(*fi)) == 5 * (long)sizeof(*fi));
	for (int i = 0; i < 5; i++)
		printf("signal %d code %d value %d\n",
		       (int)fi[i].ssi_signo >= SIGRTMIN ? (int)fi[i].ssi_signo - SIGRTMIN + 100 : (int)fi[i].ssi_signo,
		       fi[i].ssi_code, fi[i].ssi_int);
	CHECK_ERR(read(fd, fi, sizeof(*fi) - 1), EINVAL);
	sigdelset(&set, SIGUSR1);
	CHECK(signalfd(fd, &set, 0) == fd);
	raise(SIGUSR1);
	CHECK_ERR(read(fd, fi, sizeof(*fi)), EAGAIN);
	sigaddset(&set, SIGUSR1);
	CHECK(sigwaitinfo(&set, NULL) == SIGUSR1);
	CHECK_ERR(signalfd(0x7ffff, &set, 0), EBADF);
	CHECK_ERR(signalfd(-1, &set, 0x77), EINVAL);
	close(fd);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void counters(void)
{
	uint64_t *v = (uint64_t *)far;
	int fd = eventfd(3, EFD_NONBLOCK), sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

	abi_press();
	CHECK(read(fd, v, 8) == 8 && *v == 3);
	CHECK_ERR(read(fd, v, 8), EAGAIN);
	*v = 5;
	CHECK(write(fd, v, 8) == 8 && write(fd, v, 8) == 8);
	CHECK(read(fd, v, 8) == 8 && *v == 10);
	*v = UINT64_MAX;
	CHECK_ERR(write(fd, v, 8), EINVAL);
	*v = UINT64_MAX - 1;
	CHECK(write(fd, v, 8) == 8);
	*v = 1;
	CHECK_ERR(write(fd, v, 8), EAGAIN);
	CHECK(read(sem, v, 8) == 8 && *v == 1 && read(sem, v, 8) == 8 && *v == 1);
	CHECK_ERR(read(sem, v, 8), EAGAIN);
	CHECK_ERR(read(sem, v, 4), EINVAL);
	close(fd);
	close(sem);
}

static void timers(void)
{
	struct itimerspec it = { { 0, 5000000 }, { 0, 5000000 } }, *now = (struct itimerspec *)(far + 64);
	uint64_t *v = (uint64_t *)far, sum = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	CHECK(timerfd_settime(fd, 0, &it, now) == 0 && now->it_value.tv_sec == 0);
	abi_press();
	while (sum < 10) {
		CHECK(read(fd, v, 8) == 8);
		sum += *v;
	}
	CHECK(timerfd_gettime(fd, now) == 0 && now->it_interval.tv_nsec == 5000000);
	clock_gettime(CLOCK_MONOTONIC, &it.it_value);
	it.it_value.tv_sec--;
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL) == 0);
	CHECK(read(fd, v, 8) == 8 && *v >= 200);
	CHECK_ERR(timerfd_create(77, 0), EINVAL);
	CHECK_ERR(timerfd_settime(0x7ffff, 0, &it, NULL), EBADF);
	close(fd);
}

static void ep_add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
}

static void polling(void)
{
	struct epoll_event *ev = (struct epoll_event *)(far + PAGE - 6), mod = { .events = EPOLLIN | EPOLLONESHOT };
	uint64_t one = 1;
	int ep = epoll_create1(EPOLL_CLOEXEC), a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK),
	    c = eventfd(0, EFD_NONBLOCK);

	ep_add(ep, a, EPOLLIN, 1);
	ep_add(ep, b, EPOLLIN | EPOLLET, 0x100000002);
	ep_add(ep, c, EPOLLIN | EPOLLONESHOT, 3);
	CHECK(epoll_wait(ep, ev, 8, 0) == 0);
	write(a, &one, 8);
	write(b, &one, 8);
	write(c, &one, 8);
	abi_press();
	CHECK(epoll_wait(ep, ev, 8, -1) == 3);
	CHECK(epoll_wait(ep, ev, 8, 10) == 1 && ev[0].data.u64 == 1 && ev[0].events == EPOLLIN); /* level */
	write(b, &one, 8);
	abi_press();
	CHECK(epoll_wait(ep, ev, 8, 10) == 2);
	CHECK(ev[0].data.u64 + ev[1].data.u64 == 0x100000003);
	write(c, &one, 8);
	CHECK(epoll_wait(ep, ev, 8, 10) == 1);
	mod.data.u64 = 33;
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, c, &mod) == 0);
	CHECK(epoll_wait(ep, ev, 1, 10) == 1);
	CHECK(epoll_wait(ep, ev, 8, 10) >= 1);
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, a, NULL) == 0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, a, NULL), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, b, &mod), EEXIST);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &mod), EINVAL);
	CHECK_ERR(epoll_wait(ep, ev, 0, 0), EINVAL);
	CHECK_ERR(epoll_wait(a, ev, 1, 0), EINVAL);
	CHECK_ERR(epoll_wait(0x7ffff, ev, 1, 0), EBADF);
	close(a);
	close(b);
	close(c);
	close(ep);
}

static int ep_both, turns, quit_fd;
static void *worker(void *arg)
{
	struct epoll_event ev;
	uint64_t v;

	for (;;) {
		if (epoll_wait(ep_both, &ev, 1, -1) != 1)
			continue;
		if (ev.data.fd == quit_fd)
			return NULL;
		if (read(ev.data.fd, &v, 8) == 8)
			__atomic_fetch_add(&turns, (int)v, __ATOMIC_SEQ_CST);
	}
}

static void exclusive(void)
{
	pthread_t id[4];
	uint64_t one = 1;
	int fd = eventfd(0, EFD_NONBLOCK);

	ep_both = epoll_create1(0);
	quit_fd = eventfd(0, 0);
	ep_add(ep_both, fd, EPOLLIN | EPOLLEXCLUSIVE, (uint64_t)fd);
	ep_add(ep_both, quit_fd, EPOLLIN, (uint64_t)quit_fd);
	for (int i = 0; i < 4; i++)
		pthread_create(&id[i], NULL, worker, NULL);
	for (int i = 0; i < 500; i++) {
		write(fd, &one, 8);
		if (i % 100 == 0)
			abi_press();
	}
	for (int i = 0; i < 5000 && __atomic_load_n(&turns, __ATOMIC_SEQ_CST) < 500; i++)
		usleep(1000);
	CHECK(turns == 500);
	write(quit_fd, &one, 8);
	for (int i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	close(fd);
	close(quit_fd);
	close(ep_both);
}

/* The wait whose timeout is a timespec, with a mask of its own. */
static void fine_timeout(void)
{
	struct epoll_event *ev = (struct epoll_event *)far;
	struct timespec *ts = (struct timespec *)(far + PAGE), none = { 0 };
	int ep = epoll_create1(0), a = eventfd(0, EFD_NONBLOCK);
	sigset_t open;

	ep_add(ep, a, EPOLLIN, 7);
	sigemptyset(&open);
	*ts = (struct timespec){ .tv_nsec = 300000 };
	abi_press();
	CHECK(epoll_pwait2(ep, ev, 4, ts, NULL) == 0);
	CHECK(epoll_pwait2(ep, ev, 4, &none, &open) == 0);
	eventfd_write(a, 1);
	CHECK(epoll_pwait2(ep, ev, 4, NULL, NULL) == 1 && ev->data.u64 == 7);
	ts->tv_nsec = -1;
	CHECK_ERR(epoll_pwait2(ep, ev, 4, ts, NULL), EINVAL);
	CHECK_ERR(epoll_pwait2(ep, ev, 0, &none, NULL), EINVAL);
	CHECK_ERR(epoll_pwait2(0x7ffff, ev, 4, &none, NULL), EBADF);
	CHECK_ERR(epoll_pwait2(ep, ev, 4, (struct timespec *)8, NULL), EFAULT);
	close(a);
	close(ep);
}

int main(void)
{
	far = abi_map(4 * PAGE);
	signals();
	counters();
	timers();
	polling();
	exclusive();
	fine_timeout();
	puts("events");
	return abi_result();
}
