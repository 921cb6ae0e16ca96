/* See wire.h. */
#include "pcomponent/keep/wire.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int keep_send(int sock, const struct keep_packet *p)
{
	union control control = { { 0 } };
	struct iovec v = { p->bytes, p->n };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (p->fd >= 0) {
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &p->fd, sizeof(int));
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL) == (ssize_t)p->n ? 0 : -EPIPE;
}

int keep_receive(int sock, struct keep_packet *p, bool now)
{
	union control control;
	struct iovec v = { p->bytes, p->n };
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	const struct cmsghdr *c;
	ssize_t n;

	p->fd = -1;
	do
		n = recvmsg(sock, &h, (now ? MSG_DONTWAIT : 0) | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : 0;
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&p->fd, CMSG_DATA(c), sizeof(int));
	if (n == (ssize_t)p->n)
		return 1;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	return 0;
}
