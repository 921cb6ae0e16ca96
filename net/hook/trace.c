/*
 * Wrapper `trace`: a line per operation. A line begins with the microseconds since the fabric was opened and the process;
 * then one of
 *
 *   conn N connect ADDR ERR | accept HOST_PID | closed ERR | close
 *   conn N send ERR BYTES MESSAGE | recv BYTES MESSAGE          as msg_format() tells it
 *   conn N take remote R of BYTES key FIRST_WORD ERR
 *   conn N read|write remote R at OFFSET BYTES class C ERR, NS ns    from its posting until its completion was taken
 *   N lines left out                                            more than rate= in a second
 *   size= is reached                                            the last line
 *
 * ERR is 0 or -errno. A line is one write(2) to a descriptor that appends: processes may share the file, threads the net,
 * and nothing is locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/proto/lists.h"
#include "net/hook/wrap.h"

#define TRACE_LINE 256
#define TRACE_OPS 256u /* transfers of one data connection under way */

struct trace_net {
	struct wrap_net w;
	uint64_t rate, bytes; /* as asked */
	uint64_t opened_ns;
	uint64_t written, second, lines, left_out; /* atomic: bytes; lines and losses of that second */
	uint32_t conns, remotes;		   /* numbers given; atomic */
	int fd;
};

struct trace_conn {
	struct wrap_conn w;
	uint32_t number;
};

struct trace_remote {
	struct wrap_remote w;
	uint32_t number;
};

struct trace_op {
	uint64_t cookie, posted_ns, off, bytes;
	uint32_t remote;
	bool write, busy;
};

struct trace_data {
	struct wrap_data w;
	uint32_t conn, next, count; /* next: where to look for a free op */
	struct trace_op op[TRACE_OPS];
};

static struct trace_net *trace_net(const struct net *n)
{
	return (struct trace_net *)container_of(n, const struct trace_net, w.base);
}
static struct trace_conn *trace_conn(const struct net_conn *c)
{
	return (struct trace_conn *)container_of(c, const struct trace_conn, w.base);
}

static uint64_t trace_now(const struct trace_net *t)
{
	return t->w.base.opt.loop ? loop_now(t->w.base.opt.loop) : clock_ns();
}

/* ---- lines ---- */

/* Whoever finds that a second has begun starts its count, and says what the last one left out. */
static bool rate_allows(struct trace_net *t, uint64_t now_ns, uint64_t *left_out)
{
	uint64_t second = now_ns / NS_PER_S, was = __atomic_load_n(&t->second, __ATOMIC_RELAXED);

	*left_out = 0;
	if (second != was &&
	    __atomic_compare_exchange_n(&t->second, &was, second, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_store_n(&t->lines, 0, __ATOMIC_RELAXED);
		*left_out = __atomic_exchange_n(&t->left_out, 0, __ATOMIC_RELAXED);
	}
	if (__atomic_add_fetch(&t->lines, 1, __ATOMIC_RELAXED) <= t->rate)
		return true;
	__atomic_fetch_add(&t->left_out, 1, __ATOMIC_RELAXED);
	return false;
}

/* A file that takes no more (full disk, closed pipe) must not stop what is traced. */
static void line_put(struct trace_net *t, const char *line, int len)
{
	uint64_t bytes = (uint64_t)len, after = __atomic_add_fetch(&t->written, bytes, __ATOMIC_RELAXED);
	static const char last[] = "size= is reached\n";

	if (after <= t->bytes)
		(void)!write(t->fd, line, (size_t)len);
	else if (after - bytes <= t->bytes)
		(void)!write(t->fd, last, sizeof(last) - 1);
}

static void say(struct trace_net *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct trace_net *t, const char *fmt, ...)
{
	uint64_t now = trace_now(t), left_out;
	char line[TRACE_LINE];
	bool allowed = rate_allows(t, now, &left_out);
	int saved = errno, len;
	va_list args;

	if (left_out) {
		len = snprintf(line, sizeof(line), "%llu lines left out\n", (unsigned long long)left_out);
		line_put(t, line, len);
	}
	if (allowed) {
		now -= t->opened_ns;
		len = snprintf(line, sizeof(line), "%llu.%03llu %d ", (unsigned long long)(now / 1000),
			       (unsigned long long)(now % 1000), getpid());
		va_start(args, fmt);
		len += vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, args);
		va_end(args);
		if (len > TRACE_LINE - 2)
			len = TRACE_LINE - 2;
		line[len++] = '\n';
		line_put(t, line, len);
	}
	errno = saved;
}

static void say_message(struct net_conn *c, const char *what, const void *buf, size_t len)
{
	char text[MSG_FORMAT_BYTES];

	say(trace_net(c->net), "conn %u %s %zu %s", trace_conn(c)->number, what, len,
	    msg_format(buf, len, text, sizeof(text)));
}

/* ---- connections ---- */

static int conn_new(struct wrap_net *w, struct net_conn *inner, const char *addr, struct net_conn **out)
{
	struct trace_net *t = container_of(w, struct trace_net, w);
	struct trace_conn *c = calloc(1, sizeof(*c));
	struct net_peer peer;

	if (!c)
		return -ENOMEM;
	c->w.base.net = &w->base;
	c->w.inner = inner;
	c->number = __atomic_add_fetch(&t->conns, 1, __ATOMIC_RELAXED);
	net_conn_peer(inner, &peer);
	if (addr)
		say(t, "conn %u connect %s 0", c->number, addr);
	else
		say(t, "conn %u accept %d", c->number, peer.host_pid);
	*out = &c->w.base;
	return 0;
}

static void connect_failed(struct wrap_net *w, const char *addr, int err)
{
	say(container_of(w, struct trace_net, w), "conn 0 connect %.*s %d", (int)ADDR_BYTES, addr, err);
}

static void conn_close(struct net_conn *c)
{
	say(trace_net(c->net), "conn %u close", trace_conn(c)->number);
	wrap_conn_close(c);
}

static int trace_send(struct net_conn *c, const void *buf, size_t len)
{
	int err = net_send(wrap_conn(c)->inner, buf, len);
	char what[24];

	snprintf(what, sizeof(what), "send %d", err);
	say_message(c, what, buf, len);
	return err;
}

static long trace_recv(struct net_conn *c, void *buf, size_t len)
{
	long n = net_recv(wrap_conn(c)->inner, buf, len);

	if (n > 0)
		say_message(c, "recv", buf, (size_t)n);
	else if (n != -EAGAIN)
		say(trace_net(c->net), "conn %u closed %ld", trace_conn(c)->number, n);
	return n;
}

static void on_message(void *arg, const void *buf, size_t len)
{
	say_message(arg, "recv", buf, len);
	net_conn_deliver(arg, buf, len);
}

static void on_closed(void *arg, int err)
{
	struct net_conn *c = arg;

	say(trace_net(c->net), "conn %u closed %d", trace_conn(c)->number, err);
	c->events->closed(c->arg, err);
}

static void on_writable(void *arg)
{
	struct net_conn *c = arg;

	c->events->writable(c->arg);
}

static int conn_start(struct net_conn *c)
{
	static const struct net_conn_events events = { on_message, on_closed, on_writable };

	return net_conn_set_events(wrap_conn(c)->inner, &events, c);
}

/* ---- transfers ---- */

static int remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct trace_net *t = trace_net(conn->net);
	struct trace_remote *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = net_remote_open(wrap_conn(conn)->inner, key, bytes, &r->w.inner);
	r->number = err ? 0 : __atomic_add_fetch(&t->remotes, 1, __ATOMIC_RELAXED);
	say(t, "conn %u take remote %u of %llu key %llx %d", trace_conn(conn)->number, r->number,
	    (unsigned long long)bytes, (unsigned long long)key->w[0], err);
	if (err)
		free(r);
	else
		*out = &r->w.base;
	return err;
}

static int data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct trace_data *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	err = net_data_open(wrap_conn(conn)->inner, class, &d->w.inner);
	if (err) {
		free(d);
		return err;
	}
	d->conn = trace_conn(conn)->number;
	*out = &d->w.base;
	return 0;
}

static void say_op(struct net_data *base, const struct trace_op *op, int err)
{
	struct trace_net *t = trace_net(base->net);
	const struct trace_data *d = container_of(base, struct trace_data, w.base);

	say(t, "conn %u %s remote %u at %llu %llu class %d %d, %llu ns", d->conn, op->write ? "write" : "read",
	    op->remote, (unsigned long long)op->off, (unsigned long long)op->bytes, (int)base->class, err,
	    (unsigned long long)(trace_now(t) - op->posted_ns));
}

static int post(struct net_data *base, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		uint64_t total, uint64_t cookie, bool write)
{
	struct trace_data *d = container_of(base, struct trace_data, w.base);
	struct trace_op *op;
	int err;

	if (d->count == TRACE_OPS)
		return -EAGAIN;
	while (d->op[d->next].busy)
		d->next = (d->next + 1) % TRACE_OPS;
	op = &d->op[d->next];
	*op = (struct trace_op){ .cookie = cookie,
				 .posted_ns = trace_now(trace_net(base->net)),
				 .off = off,
				 .bytes = total,
				 .remote = container_of(r, struct trace_remote, w.base)->number,
				 .write = write };
	err = wrap_post(base, r, off, sge, n, d->next, write);
	if (err) {
		say_op(base, op, err);
		return err;
	}
	op->busy = true;
	d->count++;
	return 0;
}

static int data_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		     uint64_t total, uint64_t cookie)
{
	return post(d, r, off, sge, n, total, cookie, false);
}

static int data_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		      uint64_t total, uint64_t cookie)
{
	return post(d, r, off, sge, n, total, cookie, true);
}

static int data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct trace_data *d = container_of(base, struct trace_data, w.base);
	int taken = net_data_poll(d->w.inner, c, n);

	for (int i = 0; i < taken; i++) {
		struct trace_op *op = &d->op[c[i].cookie % TRACE_OPS];

		say_op(base, op, c[i].err);
		c[i].cookie = op->cookie;
		op->busy = false;
		d->count--;
	}
	return taken;
}

/* ---- opening ---- */

static void trace_close(struct net *net)
{
	struct trace_net *t = trace_net(net);
	uint64_t left_out = __atomic_exchange_n(&t->left_out, 0, __ATOMIC_RELAXED);
	char line[TRACE_LINE];

	if (left_out)
		line_put(t, line, snprintf(line, sizeof(line), "%llu lines left out\n", (unsigned long long)left_out));
	close(t->fd);
	wrap_net_close(net);
}

/* A descriptor of our own, out of the way of the program's; also of stderr, which the program may close. */
static int file_open(const char *file, int floor)
{
	int fd = strcmp(file, "-") == 0 ? STDERR_FILENO
					: open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	int high, err;

	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, floor);
	err = errno;
	if (fd != STDERR_FILENO)
		close(fd);
	return high < 0 ? -err : high;
}

int trace_open(const struct trace_config *c, struct net *inner, struct net **out)
{
	struct trace_net *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	wrap_net_init(&t->w, inner);
	t->fd = file_open(c->file, inner->opt.fd_floor);
	if (t->fd < 0) {
		int err = t->fd;

		log_error("cannot trace to %s: %s", c->file, strerror(-err));
		free(t);
		return err;
	}
	t->rate = c->rate;
	t->bytes = c->bytes;
	t->opened_ns = trace_now(t);
	t->w.conn_new = conn_new;
	t->w.ops.name = "trace";
	t->w.ops.close = trace_close;
	t->w.connect_failed = connect_failed;
	t->w.ops.conn_close = conn_close;
	t->w.ops.conn_start = conn_start;
	t->w.ops.send = trace_send;
	t->w.ops.recv = trace_recv;
	t->w.ops.data_open = data_open;
	t->w.ops.remote_open = remote_open;
	t->w.ops.read = data_read;
	t->w.ops.write = data_write;
	t->w.ops.data_poll = data_poll;
	*out = &t->w.base;
	return 0;
}
