/* See relay.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ashlar/rpc.h"
#include "cli/relay.h"

#define FOREVER_MS UINT32_MAX
#define WRITE_MAX 4096u /* a pipe that is ready has room for so much */

/* ---- out ---- */

static void out_ask(struct relay_out *o);

static void out_unwatch(struct relay_out *o)
{
	if (o->watched)
		loop_fd_del(o->relay->loop, o->fd);
	o->watched = false;
}

static void close_done(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)arg, (void)err, (void)rep, (void)tail, (void)tail_bytes;
}

/* Nobody reads it: the program shall hear of it as if it wrote there itself. */
static void out_broken(struct relay_out *o)
{
	struct d2p_read_req req = { .stream = o->stream, .close = 1 };

	out_unwatch(o);
	o->n = 0;
	if (!o->ended && o->relay->rpc)
		rpc_call(o->relay->rpc, D2P_READ, o->relay->pid, &req, NULL, 0, FOREVER_MS, close_done, NULL);
	o->ended = true;
	o->relay->changed(o->relay->arg);
}

static void out_shift(struct relay_out *o)
{
	memmove(o->piece, o->piece + 1, --o->n * sizeof(o->piece[0]));
	out_ask(o);
}

/* One write: the descriptor was ready for that. False: it is broken. */
static bool out_write(struct relay_out *o)
{
	uint32_t left = o->piece[0].bytes - o->piece[0].done;
	ssize_t n = write(o->fd, o->piece[0].data + o->piece[0].done, left < WRITE_MAX || o->plain ? left : WRITE_MAX);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	o->piece[0].done += (uint32_t)n;
	if (o->piece[0].done == o->piece[0].bytes)
		out_shift(o);
	return true;
}

static void out_ready(void *arg, uint32_t events)
{
	struct relay_out *o = arg;

	(void)events;
	if (!out_write(o)) {
		out_broken(o);
		return;
	}
	if (o->n)
		return;
	out_unwatch(o);
	if (o->ended)
		o->relay->changed(o->relay->arg);
}

static void out_begin(struct relay_out *o)
{
	if (o->watched)
		return;
	if (!o->plain && !loop_fd_add(o->relay->loop, o->fd, EPOLLOUT, out_ready, o)) {
		o->watched = true;
		return;
	}
	o->plain = true; /* a file */
	while (o->n)
		if (!out_write(o)) {
			out_broken(o);
			return;
		}
}

static void out_came(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	const struct d2p_read_rep *r = rep;
	struct relay_out *o = arg;

	o->asked--;
	if (err == -ECANCELED || err == -EPIPE || (o->ended && o->n == 0))
		return;
	if (err || r->ended || bytes > STREAM_PIECE || o->n == RELAY_PIECES) {
		o->ended = true;
		if (!o->n)
			o->relay->changed(o->relay->arg);
		return;
	}
	o->piece[o->n].bytes = bytes;
	o->piece[o->n].done = 0;
	memcpy(o->piece[o->n].data, tail, bytes);
	o->n++;
	if (bytes)
		out_begin(o);
	else
		out_shift(o);
}

/* As many messages as there is room for what they bring. */
static void out_ask(struct relay_out *o)
{
	struct d2p_read_req req = { .stream = o->stream };

	while (!o->ended && o->relay->rpc && o->asked + o->n < RELAY_PIECES) {
		if (rpc_call(o->relay->rpc, D2P_READ, o->relay->pid, &req, NULL, 0, FOREVER_MS, out_came, o))
			return;
		o->asked++;
	}
}

/* ---- in ---- */

static void in_ready(void *arg, uint32_t events);

static void in_unwatch(struct relay *r)
{
	if (r->in.watched)
		loop_fd_del(r->loop, STDIN_FILENO);
	r->in.watched = false;
}

/* The program reads it no more: who writes to us shall hear of it. */
static void in_close(struct relay *r)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	in_unwatch(r);
	r->in.ended = true;
	if (null >= 0 && !r->terminal)
		dup2(null, STDIN_FILENO);
	if (null >= 0)
		close(null);
}

static void in_look(struct relay *r);

static void in_taken(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct relay *r = arg;

	(void)rep, (void)tail, (void)tail_bytes;
	r->in.sent--;
	if (err == -ECANCELED)
		return;
	if (err)
		in_close(r);
	else
		in_look(r);
}

static void in_send(struct relay *r, const char *data, size_t n)
{
	struct d2p_write_req req = { .end = n == 0 };

	if (n == 0) {
		in_unwatch(r);
		r->in.ended = true;
	}
	if (!rpc_call(r->rpc, D2P_WRITE, r->pid, &req, data, (uint32_t)n, FOREVER_MS, in_taken, r))
		r->in.sent++;
	if (r->in.sent == RELAY_PIECES)
		in_unwatch(r);
}

static void in_ready(void *arg, uint32_t events)
{
	struct relay *r = arg;
	char typed[STREAM_PIECE - 1], out[STREAM_PIECE];
	ssize_t n = read(STDIN_FILENO, r->terminal ? typed : out, sizeof(typed));
	size_t m;

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0 && errno == EIO && isatty(STDIN_FILENO)) {
		r->in.paused = true; /* a background job: until it is in the foreground again */
		in_unwatch(r);
		return;
	}
	m = n > 0 ? (size_t)n : 0;
	if (n > 0 && r->terminal) {
		if (escape_filter(&r->in.escape, typed, (size_t)n, out, &m)) {
			r->escape(r->arg);
			return;
		}
		if (!m)
			return;
	}
	in_send(r, out, m);
}

/* Watch stdin while messages may go out; a file is always ready. */
static void in_look(struct relay *r)
{
	if (r->in.ended || r->in.paused || r->in.watched || !r->rpc || r->in.sent == RELAY_PIECES)
		return;
	if (!r->in.plain && !loop_fd_add(r->loop, STDIN_FILENO, EPOLLIN, in_ready, r)) {
		r->in.watched = true;
		return;
	}
	r->in.plain = true;
	while (!r->in.ended && r->in.sent < RELAY_PIECES)
		in_ready(r, 0);
}

void relay_resume(struct relay *r)
{
	r->in.paused = false;
	in_look(r);
}

/* ---- all ---- */

void relay_begin(struct relay *r)
{
	for (unsigned i = 0; i < 2; i++) {
		r->out[i].relay = r;
		r->out[i].stream = i + 1;
		r->out[i].fd = i ? STDERR_FILENO : STDOUT_FILENO;
		out_ask(&r->out[i]);
	}
	in_look(r);
}

bool relay_done(const struct relay *r)
{
	return r->out[0].ended && r->out[1].ended && !r->out[0].n && !r->out[1].n;
}

void relay_end(struct relay *r)
{
	r->rpc = NULL;
	in_unwatch(r);
	r->in.ended = true;
	for (unsigned i = 0; i < 2; i++)
		out_unwatch(&r->out[i]);
}
