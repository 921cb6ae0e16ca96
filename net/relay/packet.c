/* Datagrams of the relay's sockets. Descriptors that come unasked are closed here, whatever came with them. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "net/relay/wire.h"

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int packet_send(int socket, const void *buf, size_t len, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };

	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_LEN(sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	while (sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		switch (errno) {
		case EINTR:
			break;
		case EAGAIN:
		case ENOBUFS:
			return -EAGAIN;
		case EPIPE:
		case ECONNRESET:
		case ENOTCONN:
			return -EPIPE;
		default:
			return -errno;
		}
	}
	return 0;
}

/* The control buffer has room for one descriptor (CMSG_SPACE may fit a second one by its padding). */
static int descriptor_take(struct msghdr *m, bool *extra)
{
	int kept = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS
				   ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
				   : 0;

		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (kept < 0) {
				kept = fd;
				continue;
			}
			close(fd);
			*extra = true;
		}
	}
	*extra |= (m->msg_flags & MSG_CTRUNC) != 0;
	return kept;
}

long packet_recv(int socket, void *buf, size_t len, int *fd)
{
	struct iovec iov = { buf, len };
	union control control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool extra = false, reset = false;
	int got = -1;
	ssize_t n;

	if (fd) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
	}
	while ((n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
		/* A reset is told once: the peer went without reading all of ours; what it sent before is still there. */
		if (errno == ECONNRESET && !reset)
			reset = true;
		else if (errno != EINTR)
			break;
	}
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	if (fd)
		got = descriptor_take(&m, &extra);
	else
		extra = (m.msg_flags & MSG_CTRUNC) != 0;
	if (n > 0 && !extra && !(m.msg_flags & MSG_TRUNC)) {
		if (fd)
			*fd = got;
		return n;
	}
	if (got >= 0)
		close(got);
	if (m.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	return n == 0 && !extra ? -EPIPE : -EPROTO;
}
