/*
 * Wrapper `error`: operations that match its rule fail, the others pass. A transfer that fails does so by its completion,
 * without having been made; -ENOMEM and the rest of the list are what callers must be able to take. One rule a wrapper;
 * several rules are several wrappers.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include "net/hook/wrap.h"

#define FAILED_MAX 64u /* completions of failed transfers that wait to be taken, of one data connection */

struct error_net {
	struct wrap_net w;
	struct error_config c;
	pthread_mutex_t lock; /* cutting and closing a connection; not taken otherwise */
	uint64_t seen;	      /* operations of the kind; atomic */
};

/* A connection as its data connections know it, outliving it. refs is atomic. */
struct error_life {
	unsigned refs;
	struct net_conn *inner; /* NULL: closed; under error_net.lock */
};

struct error_conn {
	struct wrap_conn w;
	struct error_life *life;
};

struct error_data {
	struct wrap_data w;
	struct error_life *life;
	uint32_t first, count;
	uint64_t failed[FAILED_MAX]; /* cookies */
};

static struct error_net *error_net(struct net *n)
{
	return container_of(n, struct error_net, w.base);
}

/* Does the rule hit this operation? */
static bool hit(struct error_net *n, enum error_op op)
{
	uint64_t nth, random;

	if (op != n->c.op)
		return false;
	nth = __atomic_add_fetch(&n->seen, 1, __ATOMIC_RELAXED);
	if (n->c.nth)
		return nth == n->c.nth;
	if (n->c.every)
		return nth % n->c.every == 0;
	random = wrap_random_seed(n->c.seed, nth); /* of the number alone: the same whichever thread draws */
	return wrap_chance(&random, n->c.p);
}

static void life_put(struct error_life *life)
{
	if (__atomic_sub_fetch(&life->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(life);
}

static void cut(struct error_net *n, struct error_life *life)
{
	pthread_mutex_lock(&n->lock);
	if (life->inner)
		net_conn_kill(life->inner);
	pthread_mutex_unlock(&n->lock);
}

static int conn_new(struct wrap_net *w, struct net_conn *inner, const char *addr, struct net_conn **out)
{
	struct error_conn *c = calloc(1, sizeof(*c));
	struct error_life *life = calloc(1, sizeof(*life));

	(void)addr;
	if (!c || !life) {
		free(life);
		free(c);
		return -ENOMEM;
	}
	life->refs = 1;
	life->inner = inner;
	c->w.base.net = &w->base;
	c->w.inner = inner;
	c->life = life;
	*out = &c->w.base;
	return 0;
}

static struct error_conn *error_conn(struct net_conn *c)
{
	return container_of(c, struct error_conn, w.base);
}

static void conn_close(struct net_conn *conn)
{
	struct error_net *n = error_net(conn->net);
	struct error_life *life = error_conn(conn)->life;

	pthread_mutex_lock(&n->lock);
	life->inner = NULL;
	pthread_mutex_unlock(&n->lock);
	life_put(life);
	wrap_conn_close(conn);
}

static int connect_check(struct wrap_net *w)
{
	struct error_net *n = container_of(w, struct error_net, w);

	return hit(n, ERROR_CONNECT) ? n->c.err : 0;
}

static int fail_send(struct net_conn *conn, const void *buf, size_t len)
{
	struct error_net *n = error_net(conn->net);

	if (!hit(n, ERROR_SEND))
		return net_send(wrap_conn(conn)->inner, buf, len);
	if (n->c.cut)
		net_conn_kill(wrap_conn(conn)->inner);
	return n->c.cut ? -EPIPE : n->c.err;
}

static int data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct error_data *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	err = net_data_open(wrap_conn(conn)->inner, class, &d->w.inner);
	if (err) {
		free(d);
		return err;
	}
	d->life = error_conn(conn)->life;
	__atomic_fetch_add(&d->life->refs, 1, __ATOMIC_RELAXED);
	*out = &d->w.base;
	return 0;
}

static struct error_data *error_data(struct net_data *d)
{
	return container_of(d, struct error_data, w.base);
}

static void data_close(struct net_data *d)
{
	net_data_close(wrap_data(d)->inner);
	life_put(error_data(d)->life);
	free(error_data(d));
}

static int post(struct net_data *base, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned count,
		uint64_t cookie, bool write)
{
	struct error_net *n = error_net(base->net);
	struct error_data *d = error_data(base);

	if (d->count == FAILED_MAX)
		return -EAGAIN;
	if (!hit(n, write ? ERROR_WRITE : ERROR_READ))
		return wrap_post(base, r, off, sge, count, cookie, write);
	if (n->c.cut)
		cut(n, d->life);
	d->failed[(d->first + d->count++) % FAILED_MAX] = cookie;
	return 0;
}

static int data_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		     uint64_t total, uint64_t cookie)
{
	(void)total;
	return post(d, r, off, sge, n, cookie, false);
}

static int data_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		      uint64_t total, uint64_t cookie)
{
	(void)total;
	return post(d, r, off, sge, n, cookie, true);
}

static int data_poll(struct net_data *base, struct net_completion *c, int n)
{
	const struct error_net *net = error_net(base->net);
	struct error_data *d = error_data(base);
	int taken = 0;

	while (taken < n && d->count) {
		c[taken++] = (struct net_completion){ d->failed[d->first], net->c.cut ? -EPIPE : net->c.err };
		d->first = (d->first + 1) % FAILED_MAX;
		d->count--;
	}
	return taken < n ? taken + net_data_poll(d->w.inner, c + taken, n - taken) : taken;
}

static int data_wait(struct net_data *base, uint64_t deadline_ns)
{
	return error_data(base)->count ? 0 : net_data_wait(wrap_data(base)->inner, deadline_ns);
}

static void error_close(struct net *net)
{
	pthread_mutex_destroy(&error_net(net)->lock);
	wrap_net_close(net);
}

int error_open(const struct error_config *c, struct net *inner, struct net **out)
{
	struct error_net *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	wrap_net_init(&n->w, inner);
	n->c = *c;
	pthread_mutex_init(&n->lock, NULL);
	n->w.conn_new = conn_new;
	n->w.ops.name = "error";
	n->w.ops.close = error_close;
	n->w.connect_check = connect_check;
	n->w.ops.conn_close = conn_close;
	n->w.ops.send = fail_send;
	n->w.ops.data_open = data_open;
	n->w.ops.data_close = data_close;
	n->w.ops.read = data_read;
	n->w.ops.write = data_write;
	n->w.ops.data_poll = data_poll;
	n->w.ops.data_wait = data_wait;
	*out = &n->w.base;
	return 0;
}
