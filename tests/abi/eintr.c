// also: 6.1
// timeout: 120
/*
 * A signal during every blocking call: handled, with SA_RESTART or without it, the call goes on or fails with EINTR just
 * as the kernel has it for that call. Buffers and words are on pages that are not resident.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "tests/abi/abi.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static volatile int handled;
static int pipes[2], full[2], pair[2], listener, efd, epfd, tfd, pty, sfd;
static char *buf;
static uint32_t *word, *locked;

static void on_signal(int sig)
{
	handled++;
	if (handled > 1) /* it went on: let it end now, by another signal that ends it for sure */
		return;
}

static void on_end(int sig)
{
	handled += 100;
}

/* ---- the calls: each blocks for ever, or for seconds ---- */

static long c_read_pipe(void)
{
	return read(pipes[0], buf, 100);
}
static long c_readv_pipe(void)
{
	return readv(pipes[0], &(struct iovec){ buf, 9 }, 1);
}
static long c_write_pipe(void)
{
	return write(full[1], buf, 100000);
}
static long c_read_sock(void)
{
	return read(pair[0], buf, 100);
}
static long c_recv(void)
{
	return recv(pair[0], buf, 100, 0);
}
static long c_recvmsg(void)
{
	struct iovec v = { buf, 50 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return recvmsg(pair[0], &m, 0);
}
static long c_recv_timeo(void)
{
	struct timeval tv = { 5, 0 };
	long r;
	int e;

	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	r = recv(pair[0], buf, 100, 0);
	e = errno;
	tv.tv_sec = 0;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	errno = e;
	return r;
}
static long c_accept(void)
{
	return accept(listener, NULL, NULL);
}
static long c_read_event(void)
{
	return read(efd, buf, 8);
}
static long c_read_timer(void)
{
	return read(tfd, buf, 8);
}
static long c_read_signalfd(void)
{
	return read(sfd, buf, 128);
}
static long c_read_tty(void)
{
	return read(pty, buf, 10);
}
static long c_poll(void)
{
	struct pollfd *p = (struct pollfd *)buf;

	*p = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
	return poll(p, 1, 5000);
}
static long c_poll_ever(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	return poll(&p, 1, -1);
}
static long c_ppoll(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&p, 1, &(struct timespec){ 5, 0 }, &none);
}
static long c_select(void)
{
	struct timeval tv = { 5, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pipes[0], &set);
	return select(pipes[0] + 1, &set, NULL, NULL, &tv);
}
static long c_pselect(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pipes[0], &set);
	return pselect(pipes[0] + 1, &set, NULL, NULL, &(struct timespec){ 5, 0 }, NULL);
}
static long c_epoll(void)
{
	return epoll_wait(epfd, (struct epoll_event *)buf, 3, 5000);
}
static long c_epoll_pwait(void)
{
	sigset_t none;

	sigemptyset(&none);
	return epoll_pwait(epfd, (struct epoll_event *)buf, 3, -1, &none);
}
static long c_nanosleep(void)
{
	return nanosleep(&(struct timespec){ 5, 0 }, (struct timespec *)buf);
}
static long c_clock_rel(void)
{
	errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ 5, 0 }, (struct timespec *)buf);
	return errno ? -1 : 0;
}
static long c_clock_abs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 5;
	errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL);
	return errno ? -1 : 0;
}
static long c_pause(void)
{
	return pause();
}
static long c_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigsuspend(&none);
}
static long c_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	return sigtimedwait(&set, NULL, &(struct timespec){ 5, 0 });
}
static long c_futex_wait(void)
{
	return syscall(SYS_futex, word, FUTEX_WAIT, *word, NULL, NULL, 0);
}
static long c_futex_timed(void)
{
	return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, *word, &(struct timespec){ 5, 0 }, NULL, 0);
}
static long c_futex_abs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += 5;
	return syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, *word, &ts, NULL, ~0u);
}
static long c_lock_pi(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += 2;
	return syscall(SYS_futex, locked, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &ts, NULL, 0);
}
static long c_fcntl_lock(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(pipes[0], F_OFD_SETLKW, &l) < 0 && errno == EBADF ? (errno = EINTR, -1) : 0;
}
static long c_getrandom(void)
{
	return syscall(SYS_getrandom, buf, 16, 0) == 16 ? (errno = EINTR, -1) : 0;
}

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
	{ "read of a pipe", c_read_pipe },
	{ "readv of a pipe", c_readv_pipe },
	{ "write to a pipe", c_write_pipe },
	{ "read of a socket", c_read_sock },
	{ "recv", c_recv },
	{ "recvmsg", c_recvmsg },
	{ "recv with SO_RCVTIMEO", c_recv_timeo },
	{ "accept", c_accept },
	{ "read of an eventfd", c_read_event },
	{ "read of a timerfd", c_read_timer },
	{ "read of a signalfd", c_read_signalfd },
	{ "read of a terminal", c_read_tty },
	{ "poll", c_poll },
	{ "poll for ever", c_poll_ever },
	{ "ppoll", c_ppoll },
	{ "select", c_select },
	{ "pselect", c_pselect },
	{ "epoll_wait", c_epoll },
	{ "epoll_pwait", c_epoll_pwait },
	{ "nanosleep", c_nanosleep },
	{ "clock_nanosleep", c_clock_rel },
	{ "clock_nanosleep until", c_clock_abs },
	{ "pause", c_pause },
	{ "sigsuspend", c_sigsuspend },
	{ "sigtimedwait", c_sigtimedwait },
	{ "futex wait", c_futex_wait },
	{ "futex wait for a time", c_futex_timed },
	{ "futex wait until", c_futex_abs },
	{ "futex lock with inheritance", c_lock_pi },
	{ "fcntl", c_fcntl_lock },
	{ "getrandom", c_getrandom },
};

/* ---- the other thread sends signals when the first one sleeps ---- */

static pthread_t first;
static int first_tid;
static volatile int call_now = -1, call_done;

static bool sleeps(void)
{
	char name[64], text[512], *p;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", first_tid);
	if (!(f = fopen(name, "r")))
		return true;
	p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	return p && p[2] == 'S';
}

static void until_asleep(int n)
{
	for (int i = 0; i < 2000 && call_done < n && !sleeps(); i++)
		usleep(1000);
	usleep(15000); /* and really in the call, not in some lock on the way */
}

static void *sends(void *arg)
{
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int n = 0; n < 2 * (int)(sizeof(calls) / sizeof(calls[0])); n++) {
		while (call_now < n)
			usleep(200);
		until_asleep(n + 1);
		if (call_done <= n)
			pthread_kill(first, SIGUSR1);
		until_asleep(n + 1);
		while (call_done <= n) { /* it went on */
			pthread_kill(first, SIGUSR2);
			usleep(20000);
		}
	}
	return NULL;
}

static void *owns(void *arg)
{
	CHECK(syscall(SYS_futex, locked, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0) == 0);
	handled = 1;
	pause();
	return NULL;
}

static void install(int sig, void (*fn)(int), int flags)
{
	struct sigaction act = { .sa_handler = fn, .sa_flags = flags };

	sigaction(sig, &act, NULL);
}

static void prepare(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t set;
	pthread_t id;
	int master;

	MUST(pipe(pipes) == 0 && pipe(full) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	fcntl(full[1], F_SETPIPE_SZ, 4096);
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], buf, 4096) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	MUST(bind(listener, (void *)&sa, sizeof(sa_family_t)) == 0 && listen(listener, 3) == 0);
	efd = eventfd(0, 0);
	tfd = timerfd_create(CLOCK_MONOTONIC, 0);
	epfd = epoll_create1(0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pipes[0], &ev) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sfd = signalfd(-1, &set, 0);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	MUST(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	pty = open(ptsname(master), O_RDWR | O_NOCTTY);
	MUST(pty >= 0);
	handled = 0;
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&id, NULL, owns, NULL);
	while (!handled)
		usleep(1000);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

int main(void)
{
	int n = 0;
	pthread_t id;

	buf = abi_map(64 << 10);
	word = (uint32_t *)abi_map(PAGE);
	locked = (uint32_t *)abi_map(PAGE);
	prepare();
	first = pthread_self();
	first_tid = (int)syscall(SYS_gettid);
	install(SIGUSR2, on_end, 0);
	pthread_create(&id, NULL, sends, NULL);
	for (int restart = 0; restart < 2; restart++) {
		install(SIGUSR1, on_signal, restart ? SA_RESTART : 0);
		for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
			long ret;
			int err;

			abi_press();
			handled = 0;
			call_now = n;
			ret = calls[i].call();
			err = errno;
			call_done = ++n;
			printf("%-28s %s %s", calls[i].name,
			       restart ? "SA_RESTART:" : "plain:     ", handled >= 100 ? "went on" : "ended");
			printf(", %ld %s\n", ret, ret < 0 ? strerrorname_np(err) : "");
		}
	}
	pthread_join(id, NULL);
	return abi_result();
}
