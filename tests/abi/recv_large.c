/* Sockets with large buffers: what comes at once, MSG_WAITALL, MSG_TRUNC, datagrams whole, large sends. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "tests/abi/abi.h"

#define BIG (20UL << 20)

static int pair[2];

static unsigned char byte(size_t i)
{
	return (unsigned char)(i * 7 + (i >> 13));
}

static bool is_right(const char *p, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] != byte(from + i))
			return false;
	return true;
}

static void *sender(void *arg)
{
	char *p = abi_map(BIG);
	bool whole = arg != NULL;

	for (size_t i = 0; i < BIG; i++)
		p[i] = (char)byte(i);
	abi_press();
	if (whole)
		CHECK(send(pair[1], p, BIG, 0) == (long)BIG);
	for (size_t at = 0; !whole && at < BIG; at += BIG / 5)
		CHECK(send(pair[1], p + at, BIG / 5, 0) == (long)BIG / 5);
	munmap(p, BIG);
	return NULL;
}

/* Room for all of it in each call: it comes in parts */
static void streams(bool whole, bool vector)
{
	char *p = abi_map(BIG + PAGE);
	size_t n = 0;
	pthread_t t;
	long got;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	MUST(pthread_create(&t, NULL, sender, whole ? &t : NULL) == 0);
	while (n < BIG) {
		struct iovec v[2] = { { p + n, 1 }, { p + n + 1, BIG - n } };
		struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

		got = vector ? recvmsg(pair[0], &m, 0) : recv(pair[0], p + n, BIG - n, 0);
		MUST(got > 0);
		n += (size_t)got;
	}
	pthread_join(t, NULL);
	CHECK(n == BIG && is_right(p, 0, BIG) && !p[BIG]);
	close(pair[0]);
	close(pair[1]);
	munmap(p, BIG + PAGE);
}

static void wait_all(void)
{
	char *p = abi_map(BIG);
	pthread_t t;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	MUST(pthread_create(&t, NULL, sender, NULL) == 0);
	CHECK(recv(pair[0], p, BIG - 1000, MSG_WAITALL) == (long)BIG - 1000);
	CHECK(is_right(p, 0, BIG - 1000));
	pthread_join(t, NULL);
	shutdown(pair[1], SHUT_WR);
	CHECK(recv(pair[0], p, BIG, MSG_WAITALL) == 1000 && is_right(p, BIG - 1000, 1000));
	close(pair[0]);
	close(pair[1]);
	munmap(p, BIG);
}

static void datagrams(void)
{
	char *p = abi_map(BIG);

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	for (size_t i = 0; i < 100000; i++)
		p[i] = (char)byte(i);
	CHECK(send(pair[1], p, 100000, 0) == 100000 && send(pair[1], p, 300, 0) == 300);
	CHECK_ERR(send(pair[1], p, BIG, 0), EMSGSIZE);
	memset(p, 0, 100000);
	CHECK(recv(pair[0], p, BIG, 0) == 100000 && is_right(p, 0, 100000));
	p[100] = 99;
	CHECK(recv(pair[0], p, 100, MSG_TRUNC) == 300 && is_right(p, 0, 100) && p[100] == 99);
	CHECK_ERR(recv(pair[0], p, BIG, MSG_DONTWAIT), EAGAIN);
	close(pair[0]);
	close(pair[1]);
	munmap(p, BIG);
}

int main(void)
{
	streams(false, false);
	streams(true, false);
	streams(true, true);
	wait_all();
	datagrams();
	puts("received");
	return abi_result();
}
