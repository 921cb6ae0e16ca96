/*
 * Sending. With a loop, what a full socket does not take is queued, in order, up to a bound; keys have a bound of their
 * own, so that a service that has accepted a request can always grant what it asks for. Without a loop there is no
 * queue: the caller waits (net_conn_wait).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/local/local.h"

static int frame_send(struct local_conn *c, const struct local_frame *frame, const void *data, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)frame, sizeof(*frame) },
		{ (void *)(uintptr_t)data, len },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };

	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_LEN(sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	while (sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
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

static int frame_queue(struct local_conn *c, const struct local_frame *frame, const void *data, size_t len, int fd)
{
	struct local_tx *t = malloc(sizeof(*t) + len);
	int err;

	if (!t)
		return -ENOMEM;
	t->frame = *frame;
	t->len = (uint32_t)len;
	t->fd = -1;
	if (len)
		memcpy(t->data, data, len);
	if (fd >= 0) {
		t->fd = fcntl(fd, F_DUPFD_CLOEXEC, c->base.net->opt.fd_floor);
		if (t->fd < 0) {
			err = -errno;
			free(t);
			return err;
		}
		c->tx_keys++;
	}
	c->tx_bytes += t->len;
	list_add_tail(&c->tx, &t->link);
	local_conn_poll_out(c);
	return 0;
}

static void tx_free(struct local_conn *c, struct local_tx *t)
{
	list_del(&t->link);
	c->tx_bytes -= t->len;
	if (t->fd >= 0) {
		c->tx_keys--;
		close(t->fd);
	}
	free(t);
}

static int frame_post(struct local_conn *c, const struct local_frame *frame, const void *data, size_t len, int fd)
{
	int err;

	if (life_dead(c->life))
		return -EPIPE;
	if (list_empty(&c->tx)) {
		err = frame_send(c, frame, data, len, fd);
		if (err != -EAGAIN)
			return err;
	}
	if (c->base.net->opt.loop && c->tx_bytes + len <= LOCAL_TX_BYTES_MAX && c->tx_keys < LOCAL_TX_KEYS_MAX)
		return frame_queue(c, frame, data, len, fd);
	c->tx_refused = true;
	local_conn_poll_out(c);
	return -EAGAIN;
}

int local_send(struct net_conn *conn, const void *buf, size_t len)
{
	static const struct local_frame frame = { .kind = LOCAL_MESSAGE };

	return frame_post(container_of(conn, struct local_conn, base), &frame, buf, len, -1);
}

int local_send_key(struct local_conn *c, const struct local_frame *frame, int fd)
{
	return frame_post(c, frame, NULL, 0, fd);
}

int local_flush(struct local_conn *c)
{
	while (!list_empty(&c->tx)) {
		struct local_tx *t = container_of(c->tx.next, struct local_tx, link);
		int err = frame_send(c, &t->frame, t->data, t->len, t->fd);

		if (err == -EAGAIN)
			return err;
		if (err) {
			/* Nothing may be left out of the sequence. The hang-up that follows tells the user. */
			if (err != -EPIPE)
				log_error("connection given up: %s", strerror(-err));
			local_conn_kill(&c->base);
			local_tx_drop(c);
			return -EPIPE;
		}
		tx_free(c, t);
	}
	return 0;
}

void local_tx_drop(struct local_conn *c)
{
	while (!list_empty(&c->tx))
		tx_free(c, container_of(c->tx.next, struct local_tx, link));
}
