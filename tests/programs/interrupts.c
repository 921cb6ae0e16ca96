/*
 * interrupts: calls that block, met by a signal: EINTR, or restarted where the handler says SA_RESTART. A second thread
 * sends the signal once the first sleeps in the call (as /proc tells), so nothing depends on time.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/programs/say.h"

static volatile sig_atomic_t seen;
static int pipe_fd[2], pair_fd[2], epoll_fd;
static sem_t go, done;
static pthread_t main_thread;
static bool feed; /* after the signal: give the blocked call what it waits for */

static void on_signal(int sig)
{
	seen++;
}

/* State of the main thread: R runs, S sleeps. */
static char state(void)
{
	char path[64], text[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	fd = open(path, O_RDONLY);
	MUST(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	MUST(n > 0);
	text[n] = 0;
	return strrchr(text, ')')[2];
}

/* It sleeps in the call when it does so ten times in a row. */
static void until_asleep(void)
{
	for (int n = 0; n < 10;) {
		n = state() == 'S' ? n + 1 : 0;
		usleep(1000);
	}
}

static void *sender(void *arg)
{
	for (;;) {
		int before;

		sem_wait(&go);
		until_asleep();
		before = seen;
		pthread_kill(main_thread, SIGUSR1);
		while (seen == before)
			usleep(1000);
		if (feed) {
			until_asleep();
			MUST(write(pipe_fd[1], "x", 1) == 1);
			MUST(write(pair_fd[1], "y", 1) == 1);
		}
		sem_post(&done);
	}
	return arg;
}

static long call_read(void)
{
	char c;

	return read(pipe_fd[0], &c, 1);
}
static long call_recv(void)
{
	char c;

	return recv(pair_fd[0], &c, 1, 0);
}
static long call_recvmsg(void)
{
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return recvmsg(pair_fd[0], &m, 0);
}
static long call_poll(void)
{
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };

	return poll(&p, 1, -1);
}
static long call_ppoll(void)
{
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&p, 1, NULL, &none);
}
static long call_select(void)
{
	fd_set f;

	FD_ZERO(&f);
	FD_SET(pipe_fd[0], &f);
	return select(pipe_fd[0] + 1, &f, NULL, NULL, NULL);
}
static long call_epoll(void)
{
	struct epoll_event e;

	return epoll_wait(epoll_fd, &e, 1, -1);
}
static struct timespec left;
static long call_nanosleep(void)
{
	struct timespec t = { 1000, 0 };

	return nanosleep(&t, &left);
}
static long call_clock_nanosleep(void)
{
	struct timespec t = { 1000, 0 };
	int err = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left);

	errno = err;
	return err ? -1 : 0;
}
static long call_pause(void)
{
	return pause();
}
static long call_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigsuspend(&none);
}
static long call_sem(void)
{
	static sem_t never;

	sem_init(&never, 0, 0);
	return sem_wait(&never);
}
static long call_sigtimedwait(void)
{
	struct timespec t = { 1000, 0 };
	sigset_t other;

	sigemptyset(&other);
	sigaddset(&other, SIGUSR2);
	return sigtimedwait(&other, NULL, &t);
}

static const struct {
	const char *name;
	long (*call)(void);
	bool restarts; /* with SA_RESTART: waits on, until it is fed */
} calls[] = {
	{ "read", call_read, true },
	{ "recv", call_recv, true },
	{ "recvmsg", call_recvmsg, true },
	{ "poll", call_poll, false },
	{ "ppoll", call_ppoll, false },
	{ "select", call_select, false },
	{ "epoll_wait", call_epoll, false },
	{ "nanosleep", call_nanosleep, false },
	{ "clock_nanosleep", call_clock_nanosleep, false },
	{ "pause", call_pause, false },
	{ "sigsuspend", call_sigsuspend, false },
	{ "sigtimedwait", call_sigtimedwait, false },
};

static void drain(void)
{
	char rest[16];

	while (read(pipe_fd[0], rest, sizeof(rest)) > 0)
		;
	while (recv(pair_fd[0], rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
}

static void try(const char *name, long (*call)(void), int flags, bool fed)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = flags };
	long ret;
	int err;

	sigemptyset(&a.sa_mask);
	MUST(!sigaction(SIGUSR1, &a, NULL));
	left.tv_sec = 0;
	seen = 0;
	feed = fed;
	sem_post(&go);
	errno = 0;
	ret = call();
	err = errno;
	while (sem_wait(&done))
		;
	printf("%s%s: returned %ld, %s, seen %d", name, flags ? " with restart" : "", ret,
	       error_name(ret < 0 ? err : 0), seen);
	if (left.tv_sec)
		printf(", time left %d", left.tv_sec > 900 && left.tv_sec < 1000);
	printf("\n");
	if (fed) {
		fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
		drain();
		fcntl(pipe_fd[0], F_SETFL, 0);
	}
}

int main(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	pthread_t t;

	MUST(!pipe(pipe_fd) && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair_fd));
	epoll_fd = epoll_create1(0);
	MUST(epoll_fd >= 0 && !epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fd[0], &e));
	sem_init(&go, 0, 0);
	sem_init(&done, 0, 0);
	main_thread = pthread_self();
	MUST(!pthread_create(&t, NULL, sender, NULL));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		try(calls[i].name, calls[i].call, 0, false);
		try(calls[i].name, calls[i].call, SA_RESTART, calls[i].restarts);
	}
	try("sem_wait", call_sem, 0, false);
	return 0;
}
