/* Passing on: every slot of a provider, calling net.h's own function on the inner object. See wrap.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "net/hook/wrap.h"

void wrap_net_close(struct net *net)
{
	struct wrap_net *w = wrap_net(net);

	if (w->inner) /* NULL: hook_open failed, and its caller keeps it */
		net_close(w->inner);
	free(w);
}

/* ---- connections ---- */

/* inner's listener: a connection came. Without a wrapper for it, it cannot be served. */
static void accepted(void *arg, struct net_conn *inner)
{
	struct wrap_listener *l = arg;
	struct net_conn *c;

	if (wrap_net(l->base.net)->conn_new(wrap_net(l->base.net), inner, NULL, &c))
		net_conn_close(inner);
	else
		l->accepted(l->arg, c);
}

static int forward_listen(struct net *net, const char *addr, void (*fn)(void *, struct net_conn *), void *arg,
			  struct net_listener **out)
{
	struct wrap_listener *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->base.net = net;
	l->accepted = fn;
	l->arg = arg;
	err = net_listen(wrap_net(net)->inner, addr, accepted, l, &l->inner);
	if (err)
		free(l);
	else
		*out = &l->base;
	return err;
}

static const char *forward_listener_addr(const struct net_listener *l)
{
	return net_listener_addr(container_of(l, const struct wrap_listener, base)->inner);
}

static void forward_listener_close(struct net_listener *base)
{
	struct wrap_listener *l = container_of(base, struct wrap_listener, base);

	net_listener_close(l->inner);
	free(l);
}

/* inner's connection was made, or err says why not: ours, or why not. */
static int connected(struct wrap_net *w, int err, struct net_conn *inner, const char *addr, struct net_conn **out)
{
	if (!err) {
		err = w->conn_new(w, inner, addr, out);
		if (err)
			net_conn_close(inner);
	}
	if (err && w->connect_failed)
		w->connect_failed(w, addr, err);
	return err;
}

static int forward_connect(struct net *net, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	struct wrap_net *w = wrap_net(net);
	struct net_conn *inner = NULL;
	int err = w->connect_check ? w->connect_check(w) : 0;

	if (!err)
		err = net_connect(w->inner, addr, timeout_ms, &inner);
	return connected(w, err, inner, addr, out);
}

static void connecting_done(void *arg, int err, struct net_conn *inner)
{
	struct wrap_connecting *c = arg;
	struct net_connecting base = c->base;
	struct net_conn *conn = NULL;

	err = connected(wrap_net(base.net), err, inner, c->addr, &conn);
	free(c);
	base.done(base.arg, err, conn);
}

static int forward_connect_begin(struct net *net, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
				 struct net_connecting **out)
{
	struct wrap_net *w = wrap_net(net);
	struct wrap_connecting *c;
	int err = w->connect_check ? w->connect_check(w) : 0;

	if (!err && strlen(addr) >= ADDR_BYTES)
		err = -EINVAL;
	if (err)
		return connected(w, err, NULL, addr, NULL);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	strcpy(c->addr, addr);
	err = net_connect_for(w->inner, whom, addr, timeout_ms, connecting_done, c, &c->inner);
	if (err)
		free(c);
	else
		*out = &c->base;
	return err;
}

static void forward_connect_cancel(struct net_connecting *base)
{
	struct wrap_connecting *c = container_of(base, struct wrap_connecting, base);

	net_connect_cancel(c->inner);
	free(c);
}

static int forward_conn_new(struct wrap_net *w, struct net_conn *inner, const char *addr, struct net_conn **out)
{
	struct wrap_conn *c = calloc(1, sizeof(*c));

	(void)addr;
	if (!c)
		return -ENOMEM;
	c->base.net = &w->base;
	c->inner = inner;
	*out = &c->base;
	return 0;
}

void wrap_conn_close(struct net_conn *conn)
{
	struct wrap_conn *c = wrap_conn(conn);

	net_conn_close(c->inner);
	free(c);
}

/* The callee may close the connection, so nothing is touched behind these calls. */
static void on_message(void *arg, const void *buf, size_t len)
{
	net_conn_deliver(arg, buf, len);
}

static void on_closed(void *arg, int err)
{
	struct net_conn *c = arg;

	c->events->closed(c->arg, err);
}

static void on_writable(void *arg)
{
	struct net_conn *c = arg;

	c->events->writable(c->arg);
}

static int forward_conn_start(struct net_conn *conn)
{
	static const struct net_conn_events events = { on_message, on_closed, on_writable };

	return net_conn_set_events(wrap_conn(conn)->inner, &events, conn);
}

static void forward_conn_peer(const struct net_conn *c, struct net_peer *peer)
{
	net_conn_peer(wrap_conn(c)->inner, peer);
}

static int forward_conn_groups(const struct net_conn *c, uint32_t *groups, uint32_t max)
{
	return net_conn_groups(wrap_conn(c)->inner, groups, max);
}

static int forward_send(struct net_conn *c, const void *buf, size_t len)
{
	return net_send(wrap_conn(c)->inner, buf, len);
}

static long forward_recv(struct net_conn *c, void *buf, size_t len)
{
	return net_recv(wrap_conn(c)->inner, buf, len);
}

static int forward_conn_wait(struct net_conn *c, uint64_t deadline_ns)
{
	return net_conn_wait(wrap_conn(c)->inner, deadline_ns);
}

static int forward_conn_fd(const struct net_conn *c)
{
	return net_conn_fd(wrap_conn(c)->inner);
}

static void forward_conn_kill(struct net_conn *c)
{
	net_conn_kill(wrap_conn(c)->inner);
}

static bool forward_conn_dead(const struct net_conn *c)
{
	return net_conn_dead(wrap_conn(c)->inner);
}

/* ---- memory ---- */

static int forward_pd_open(struct net *net, struct net_pd **out)
{
	struct wrap_pd *pd = calloc(1, sizeof(*pd));
	int err;

	if (!pd)
		return -ENOMEM;
	err = net_pd_open(wrap_net(net)->inner, &pd->inner);
	if (err)
		free(pd);
	else
		*out = &pd->base;
	return err;
}

static void forward_pd_close(struct net_pd *base)
{
	struct wrap_pd *pd = container_of(base, struct wrap_pd, base);

	net_pd_close(pd->inner);
	free(pd);
}

static struct wrap_mr *wrap_mr(const struct net_mr *mr)
{
	return (struct wrap_mr *)container_of(mr, const struct wrap_mr, base);
}

static int forward_mr_alloc(struct net_pd *pd, uint64_t bytes, bool mapped, struct net_mr **out)
{
	struct wrap_mr *mr = calloc(1, sizeof(*mr));
	int err;

	if (!mr)
		return -ENOMEM;
	err = net_mr_alloc(container_of(pd, struct wrap_pd, base)->inner, bytes, mapped, &mr->inner);
	if (err)
		free(mr);
	else
		*out = &mr->base;
	return err;
}

static void *forward_mr_addr(const struct net_mr *mr)
{
	return net_mr_addr(wrap_mr(mr)->inner);
}

static int forward_mr_fd(const struct net_mr *mr)
{
	return net_mr_fd(wrap_mr(mr)->inner);
}

static int forward_mr_grant(struct net_mr *mr, struct net_conn *to, unsigned access, struct net_key *key)
{
	return net_mr_grant(wrap_mr(mr)->inner, wrap_conn(to)->inner, access, key);
}

static int forward_mr_seal(struct net_mr *mr)
{
	return net_mr_seal(wrap_mr(mr)->inner);
}

static bool forward_mr_sealed(const struct net_mr *mr)
{
	return net_mr_sealed(wrap_mr(mr)->inner);
}

static int forward_mr_share(struct net_mr *from, struct net_pd *to, struct net_mr **out)
{
	struct wrap_mr *mr = calloc(1, sizeof(*mr));
	int err;

	if (!mr)
		return -ENOMEM;
	err = net_mr_share(wrap_mr(from)->inner, container_of(to, struct wrap_pd, base)->inner, &mr->inner);
	if (err)
		free(mr);
	else
		*out = &mr->base;
	return err;
}

static void forward_mr_free(struct net_mr *mr)
{
	net_mr_free(wrap_mr(mr)->inner);
	(void)net_mr_last(mr);
	free(wrap_mr(mr));
}

/* ---- transfers ---- */

static int forward_data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct wrap_data *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	err = net_data_open(wrap_conn(conn)->inner, class, &d->inner);
	if (err)
		free(d);
	else
		*out = &d->base;
	return err;
}

static void forward_data_close(struct net_data *d)
{
	net_data_close(wrap_data(d)->inner);
	free(wrap_data(d));
}

static int forward_remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes,
			       struct net_remote **out)
{
	struct wrap_remote *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = net_remote_open(wrap_conn(conn)->inner, key, bytes, &r->inner);
	if (err)
		free(r);
	else
		*out = &r->base;
	return err;
}

static void forward_remote_close(struct net_remote *r)
{
	net_remote_close(wrap_remote(r)->inner);
	free(wrap_remote(r));
}

/* The local pieces as inner knows them: sge itself where no region is named, else a copy in room. */
static const struct net_sge *wrap_sge(const struct net_sge *sge, unsigned n, struct net_sge *room)
{
	bool any = false;

	for (unsigned i = 0; i < n; i++)
		any |= sge[i].mr != NULL;
	if (!any)
		return sge;
	for (unsigned i = 0; i < n; i++) {
		room[i] = sge[i];
		if (sge[i].mr)
			room[i].mr = wrap_mr(sge[i].mr)->inner;
	}
	return room;
}

int wrap_post(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	      uint64_t cookie, bool write)
{
	struct net_sge room[NET_SGE_MAX];
	const struct net_sge *s = wrap_sge(sge, n, room);

	return write ? net_write(wrap_data(d)->inner, wrap_remote(r)->inner, off, s, n, cookie)
		     : net_read(wrap_data(d)->inner, wrap_remote(r)->inner, off, s, n, cookie);
}

static int forward_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
			uint64_t total, uint64_t cookie)
{
	(void)total;
	return wrap_post(d, r, off, sge, n, cookie, false);
}

static int forward_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
			 uint64_t total, uint64_t cookie)
{
	(void)total;
	return wrap_post(d, r, off, sge, n, cookie, true);
}

/* The callee may close the data connection. */
static void on_ready(void *arg)
{
	struct net_data *d = arg;

	d->ready(d->ready_arg);
}

static int forward_data_start(struct net_data *d)
{
	return net_data_set_events(wrap_data(d)->inner, on_ready, d);
}

static int forward_data_poll(struct net_data *d, struct net_completion *c, int n)
{
	return net_data_poll(wrap_data(d)->inner, c, n);
}

static int forward_data_wait(struct net_data *d, uint64_t deadline_ns)
{
	return net_data_wait(wrap_data(d)->inner, deadline_ns);
}

/* A wrapper opens no fabric by itself: hook_open puts it in front of one. */
static int no_open(const char *arg, const struct net_options *opt, struct net **out)
{
	(void)arg;
	(void)opt;
	(void)out;
	return -EINVAL;
}

static const struct net_provider forward = {
	.name = "hook",
	.open = no_open,
	.close = wrap_net_close,
	.listen = forward_listen,
	.listener_addr = forward_listener_addr,
	.listener_close = forward_listener_close,
	.connect = forward_connect,
	.connect_begin = forward_connect_begin,
	.connect_cancel = forward_connect_cancel,
	.conn_close = wrap_conn_close,
	.conn_start = forward_conn_start,
	.conn_peer = forward_conn_peer,
	.conn_groups = forward_conn_groups,
	.send = forward_send,
	.recv = forward_recv,
	.conn_wait = forward_conn_wait,
	.conn_fd = forward_conn_fd,
	.conn_kill = forward_conn_kill,
	.conn_dead = forward_conn_dead,
	.pd_open = forward_pd_open,
	.pd_close = forward_pd_close,
	.mr_alloc = forward_mr_alloc,
	.mr_addr = forward_mr_addr,
	.mr_fd = forward_mr_fd,
	.mr_grant = forward_mr_grant,
	.mr_seal = forward_mr_seal,
	.mr_sealed = forward_mr_sealed,
	.mr_share = forward_mr_share,
	.mr_free = forward_mr_free,
	.data_open = forward_data_open,
	.data_close = forward_data_close,
	.data_start = forward_data_start,
	.remote_open = forward_remote_open,
	.remote_close = forward_remote_close,
	.read = forward_read,
	.write = forward_write,
	.data_poll = forward_data_poll,
	.data_wait = forward_data_wait,
};

void wrap_net_init(struct wrap_net *w, struct net *inner)
{
	w->ops = forward;
	w->ops.local_any = net_local_any(inner);
	w->conn_new = forward_conn_new;
	w->inner = inner;
	w->base.ops = &w->ops;
	w->base.opt.loop = inner->opt.loop;
	w->base.opt.fd_floor = inner->opt.fd_floor;
	strcpy(w->base.name, inner->name);
}
