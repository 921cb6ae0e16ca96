/*
 * What goes in and out of a program that the daemon started: one read or write for each message, none of them waits. A
 * descriptor is watched only while there is a message for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "pcomponent/daemon/start.h"

/* ---- out ---- */

void output_open(struct doutput *o, struct daemon *d, int fd)
{
	*o = (struct doutput){ .d = d, .fd = fd };
}

static struct rpc_request *asked_first(struct doutput *o)
{
	struct rpc_request *rq = o->asked[0];

	memmove(o->asked, o->asked + 1, --o->n * sizeof(rq));
	return rq;
}

static void output_unwatch(struct doutput *o)
{
	if (o->watched)
		loop_fd_del(o->d->loop, o->fd);
	o->watched = false;
}

void output_close(struct doutput *o)
{
	struct d2p_read_rep rep = { .ended = 1 };

	output_unwatch(o);
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
	while (o->n)
		rpc_reply_later(asked_first(o), 0, &rep);
}

static void output_ready(void *arg, uint32_t events)
{
	struct doutput *o = arg;
	struct d2p_read_rep rep = { .ended = 0 };
	uint8_t piece[STREAM_PIECE];
	ssize_t n = 1;

	(void)events;
	while (o->n && (n = read(o->fd, piece, sizeof(piece))) > 0) {
		struct rpc_request *rq = asked_first(o);

		rpc_reply_later(rq, rpc_reply_tail(rq, piece, (uint32_t)n), &rep);
	}
	/* A terminal that nobody has open any more says EIO. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		output_close(o);
	else if (!o->n)
		output_unwatch(o);
}

int output_read(struct doutput *o, struct rpc_request *rq)
{
	struct d2p_read_rep rep = { .ended = 1 };
	int err;

	if (o->fd < 0) {
		rpc_reply_later(rq, 0, &rep);
		return RPC_LATER;
	}
	if (o->n == STREAM_PIECES)
		return -EBUSY;
	if (!o->watched) {
		err = loop_fd_add(o->d->loop, o->fd, EPOLLIN, output_ready, o);
		if (err)
			return err;
		o->watched = true;
	}
	o->asked[o->n++] = rq;
	return RPC_LATER;
}

/* ---- in ---- */

void input_open(struct dinput *in, struct daemon *d, int fd, bool terminal)
{
	*in = (struct dinput){ .d = d, .fd = fd, .terminal = terminal };
}

static void piece_end(struct dinput *in, int err)
{
	struct dpiece *p = in->piece[0];

	memmove(in->piece, in->piece + 1, --in->n * sizeof(p));
	rpc_reply_later(p->rq, err, NULL);
	free(p);
}

static void input_unwatch(struct dinput *in)
{
	if (in->watched)
		loop_fd_del(in->d->loop, in->fd);
	in->watched = false;
}

void input_close(struct dinput *in)
{
	input_unwatch(in);
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
	while (in->n)
		piece_end(in, -EPIPE);
}

/* As much as the program's side takes. -EAGAIN: it is full. */
static int input_push(struct dinput *in)
{
	while (in->n) {
		struct dpiece *p = in->piece[0];
		bool end = p->end && !in->terminal;

		while (p->done < p->bytes) {
			ssize_t n = write(in->fd, p->data + p->done, p->bytes - p->done);

			if (n < 0)
				return errno == EINTR ? -EAGAIN : -errno;
			p->done += (uint32_t)n;
		}
		piece_end(in, 0);
		if (end)
			return -EPIPE;
	}
	return 0;
}

static void input_ready(void *arg, uint32_t events)
{
	struct dinput *in = arg;
	int err = input_push(in);

	(void)events;
	if (!err)
		input_unwatch(in);
	else if (err != -EAGAIN)
		input_close(in);
}

int input_write(struct dinput *in, struct rpc_request *rq, bool end, const void *data, uint32_t bytes)
{
	struct dpiece *p;
	int err;

	if (in->fd < 0)
		return -EPIPE;
	if (in->n == STREAM_PIECES)
		return -EBUSY;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->rq = rq;
	p->end = end;
	p->bytes = bytes;
	p->done = 0;
	if (bytes)
		memcpy(p->data, data, bytes);
	in->piece[in->n++] = p;
	if (in->n > 1)
		return RPC_LATER;
	err = input_push(in);
	if (err == -EAGAIN) {
		err = loop_fd_add(in->d->loop, in->fd, EPOLLOUT, input_ready, in);
		in->watched = !err;
	}
	if (err)
		input_close(in);
	return RPC_LATER;
}
