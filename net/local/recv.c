/*
 * Receiving. A peer may send anything: every descriptor that arrives is either put into the table of keys or closed
 * here, whatever the frame around it looks like; what is not a well-formed frame ends the connection.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/local/local.h"

struct arrival {
	struct local_frame frame;
	long len;	  /* bytes behind the frame */
	int fd;		  /* the one descriptor, or -1 */
	bool cut;	  /* more bytes than room */
	bool cut_control; /* descriptors were lost, or there was more than one */
};

/* Keep the first descriptor, close all others. */
static void descriptors_collect(struct msghdr *m, struct arrival *a)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (a->fd < 0) {
				a->fd = fd;
			} else {
				a->cut_control = true;
				close(fd);
			}
		}
	}
}

/* One datagram. 0, -EAGAIN, -EPIPE, -EPROTO (shorter than a frame). */
static int datagram_take(struct local_conn *c, void *buf, size_t len, struct arrival *a)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov[2] = { { &a->frame, sizeof(a->frame) }, { buf, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.bytes };
	ssize_t n;

	m.msg_controllen = CMSG_LEN(sizeof(int));
	n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return -EAGAIN;
		if (errno != ECONNRESET || c->reset_seen)
			return -EPIPE;
		/* The peer went without reading all of ours; what it sent before is still there. */
		c->reset_seen = true;
		return datagram_take(c, buf, len, a);
	}
	a->fd = -1;
	a->cut = m.msg_flags & MSG_TRUNC;
	a->cut_control = m.msg_flags & MSG_CTRUNC;
	descriptors_collect(&m, a);
	if (n == 0 && a->fd < 0)
		return -EPIPE;
	a->len = n - (long)sizeof(a->frame);
	return a->len < 0 ? -EPROTO : 0;
}

static int key_take(struct local_conn *c, struct arrival *a)
{
	if (a->len || a->cut || (a->cut_control && a->fd >= 0))
		return -EPROTO;
	if (a->fd < 0) {
		if (!a->cut_control)
			return -EPROTO;
		/* We are out of descriptors: no fault of the peer's. Taking up this key will fail. */
		log_error("a key was lost: too many open files");
		net_count(&c->base.net->stats.failures, 1);
		return 0;
	}
	a->fd = local_fd_place(c->base.net, a->fd);
	if (a->fd < 0)
		return a->fd;
	return local_keys_add(c, &a->frame, a->fd);
}

static long message_take(const struct arrival *a, size_t room)
{
	const struct local_frame *f = &a->frame;

	if (a->fd >= 0 || a->cut_control || !a->len || f->access || f->id[0] || f->id[1] || f->bytes)
		return -EPROTO;
	if (a->cut)
		return room < MSG_BYTES_MAX ? -EMSGSIZE : -EPROTO;
	return a->len;
}

static long breach(struct local_conn *c, const struct arrival *a)
{
	if (a->fd >= 0)
		close(a->fd);
	net_count(&c->base.net->stats.failures, 1);
	log_warn("process %d of user %u broke the frame protocol: connection ended", c->peer.host_pid, c->peer.uid);
	local_conn_kill(&c->base);
	return -EPROTO;
}

long local_recv(struct net_conn *conn, void *buf, size_t len)
{
	struct local_conn *c = container_of(conn, struct local_conn, base);
	struct arrival a;
	long n;
	int err;

	for (unsigned i = 0; i < LOCAL_ROUND_MAX; i++) {
		a.fd = -1;
		err = datagram_take(c, buf, len < MSG_BYTES_MAX ? len : MSG_BYTES_MAX, &a);
		if (err == -EPROTO)
			return breach(c, &a);
		if (err == -EPIPE)
			local_conn_kill(conn); /* also without a loop: who reads the end need not watch for it */
		if (err)
			return err;
		if (a.frame.kind == LOCAL_MESSAGE) {
			n = message_take(&a, len);
			return n == -EPROTO ? breach(c, &a) : n;
		}
		err = a.frame.kind == LOCAL_KEY ? key_take(c, &a) : -EPROTO;
		if (err)
			return breach(c, &a);
	}
	return -EAGAIN;
}
