/* hostthings: pipes, sockets, timers, epoll and their like, with buffers that were evicted before each step. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define WALK_BYTES (6UL << 20)
#define BIG (3UL << 20)

static char *walked, *big, *again;

static void walk(void)
{
	for (size_t i = 0; i < WALK_BYTES; i += 4096)
		walked[i]++;
}

static void *send_big(void *arg)
{
	int fd = *(int *)arg;

	for (size_t at = 0; at < BIG;) {
		ssize_t n = write(fd, big + at, BIG - at);

		MUST(n > 0);
		at += (size_t)n;
	}
	close(fd);
	return NULL;
}

static void stream(const char *what, int from, int to)
{
	size_t at = 0;
	pthread_t t;
	ssize_t n;

	memset(again, 0, BIG);
	walk();
	MUST(!pthread_create(&t, NULL, send_big, &to));
	while ((n = read(from, again + at, BIG - at)) > 0)
		at += (size_t)n;
	pthread_join(t, NULL);
	close(from);
	printf("%s: %zu bytes, same %d\n", what, at, !memcmp(big, again, BIG));
}

static void streams(void)
{
	int fd[2], listener, client, one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	MUST(!pipe(fd));
	stream("pipe", fd[0], fd[1]);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	stream("unix stream", fd[0], fd[1]);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	walk();
	MUST(!setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	MUST(!bind(listener, (struct sockaddr *)&a, sizeof(a)) && !listen(listener, 1));
	MUST(!getsockname(listener, (struct sockaddr *)&a, &len));
	client = socket(AF_INET, SOCK_STREAM, 0);
	MUST(!connect(client, (struct sockaddr *)&a, sizeof(a)));
	fd[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	MUST(fd[0] >= 0);
	stream("tcp", fd[0], client);
	close(listener);
}

static void datagrams(void)
{
	struct iovec v[2] = { { again, 30000 }, { again + 100000, 30000 } };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd[2], passed = open("/dev/zero", O_RDONLY);
	ssize_t n;

	MUST(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fd));
	for (int i = 0; i < 20; i++) {
		walk();
		MUST(send(fd[0], big + i * 60000, 60000, 0) == 60000);
		walk();
		n = recv(fd[1], again, 60000, 0);
		MUST(n == 60000 && !memcmp(again, big + i * 60000, 60000));
	}
	printf("datagrams: none lost\n");
	MUST(send(fd[0], big, 1000, 0) == 1000);
	printf("cut: %zd\n", recv(fd[1], again, 10, MSG_TRUNC));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &passed, sizeof(int));
	v[0].iov_base = big;
	v[1].iov_base = big + 500000;
	MUST(sendmsg(fd[0], &m, 0) == 60000);
	memset(control, 0, sizeof(control));
	v[0].iov_base = again;
	v[1].iov_base = again + 500000;
	walk();
	n = recvmsg(fd[1], &m, 0);
	memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	printf("message: %zd, same %d %d\n", n, !memcmp(again, big, 30000),
	       !memcmp(again + 500000, big + 500000, 30000));
	n = read(passed, again, 5);
	printf("the descriptor that came reads %zd\n", n);
	close(passed);
	close(fd[0]);
	close(fd[1]);
}

static void events(void)
{
	struct epoll_event e[4] = { { 0 } }, add = { .events = EPOLLIN, .data.u64 = 0x123456789abcdefUL };
	struct itimerspec ms = { .it_value = { 0, 2000000 } }, left;
	uint64_t v = 5;
	struct pollfd p;
	int fd = eventfd(3, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0), ep = epoll_create1(0), n, pipes[2];

	walk();
	MUST(write(fd, &v, 8) == 8);
	walk();
	MUST(read(fd, &v, 8) == 8);
	printf("eventfd: %lu\n", v);
	MUST(!epoll_ctl(ep, EPOLL_CTL_ADD, timer, &add));
	MUST(!timerfd_settime(timer, 0, &ms, NULL));
	walk();
	n = epoll_wait(ep, e, 4, 1000);
	printf("epoll: %d, %d, data right %d\n", n, e[0].events == EPOLLIN, e[0].data.u64 == add.data.u64);
	MUST(read(timer, &v, 8) == 8);
	MUST(!timerfd_gettime(timer, &left));
	printf("timer: %lu, left %ld\n", v, left.it_value.tv_nsec);
	p.fd = timer;
	p.events = POLLIN;
	printf("poll with an end: %d\n", poll(&p, 1, 5));
	MUST(!pipe2(pipes, O_NONBLOCK));
	say("read of an empty pipe", read(pipes[0], again, 10));
	MUST(write(pipes[1], big, 100) == 100);
	walk();
	MUST(!ioctl(pipes[0], FIONREAD, &n));
	printf("bytes waiting: %d\n", n);
	close(pipes[0]);
	signal(SIGPIPE, SIG_IGN);
	say("write to nobody", write(pipes[1], "x", 1));
	close(pipes[1]);
	close(ep);
	close(timer);
	close(fd);
}

int main(void)
{
	uint64_t state = 3;

	walked = mmap(NULL, WALK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	big = malloc(BIG);
	again = malloc(BIG);
	MUST(walked != MAP_FAILED && big && again);
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)random_next(&state);
	streams();
	datagrams();
	events();
	return 0;
}
