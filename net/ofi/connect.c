/* Connecting a message connection: waiting for it, or on the loop. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "ashlar/base/clock.h"
#include "net/ofi/ofi.h"

/* Send the request; the outcome comes to the connection's event queue. */
static int connect_start(struct ofi_net *net, const char *addr, struct ofi_conn **out)
{
	const struct ofi_hello hello = { .magic = OFI_MAGIC, .version = OFI_VERSION, .kind = OFI_HELLO_CONN };
	struct fi_info *info;
	struct ofi_conn *c;
	int err = ofi_address_info(net, addr, false, &info);

	if (err)
		return err;
	err = ofi_conn_new(net, info, true, &c);
	if (err) {
		ofi_lib.freeinfo(info);
		return err;
	}
	c->info = info;
	err = fi_connect(c->ep, info->dest_addr, &hello, sizeof(hello));
	if (err)
		ofi_conn_close(&c->base);
	else
		*out = c;
	return err;
}

/* One who hangs up, or answers with what is no libfabric of ours, is nobody for the caller. */
static int outcome(int err)
{
	switch (err) {
	case -EPIPE:
	case -ECONNRESET:
	case -ENOTCONN:
	case -ENOPROTOOPT:
	case -EIO:
		return -ECONNREFUSED;
	default:
		return err;
	}
}

int ofi_connect(struct net *base, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	uint64_t deadline = clock_ns() + timeout_ms * NS_PER_MS;
	struct ofi_net *net = ofi_net(base);
	struct ofi_conn *c;
	int err = connect_start(net, addr, &c);

	if (err)
		return outcome(err);
	err = ofi_connected(net, &c->eq, deadline);
	if (err)
		ofi_conn_close(&c->base);
	else
		*out = &c->base;
	return outcome(err);
}

/* ---- without holding the loop ---- */

struct connecting {
	struct net_connecting base;
	struct ofi_conn *conn;
	struct loop_timer limit, again;
};

static struct ofi_conn *connecting_free(struct connecting *k)
{
	struct loop *loop = k->conn->base.net->opt.loop;
	struct ofi_conn *c = k->conn;

	loop_fd_del(loop, c->eq.fd);
	loop_timer_del(loop, &k->limit);
	loop_timer_del(loop, &k->again);
	free(k);
	return c;
}

static void connecting_end(struct connecting *k, int err)
{
	struct net_connecting base = k->base;
	struct ofi_conn *c = connecting_free(k);

	if (err)
		ofi_conn_close(&c->base);
	base.done(base.arg, outcome(err), err ? NULL : &c->base);
}

static void connecting_look(void *arg)
{
	struct connecting *k = arg;
	struct loop *loop = k->conn->base.net->opt.loop;
	int err = ofi_eq_outcome(k->conn->eq.eq);

	if (err != -EAGAIN)
		connecting_end(k, err);
	else if (!ofi_eq_may_wait(ofi_net(k->conn->base.net), &k->conn->eq))
		loop_timer_set(loop, &k->again, loop_now(loop));
}

static void connecting_event(void *arg, uint32_t events)
{
	(void)events;
	connecting_look(arg);
}

static void connecting_late(void *arg)
{
	connecting_end(arg, -ETIMEDOUT);
}

int ofi_connect_begin(struct net *net, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		      struct net_connecting **out)
{
	struct connecting *k = calloc(1, sizeof(*k));
	struct loop *loop = net->opt.loop;
	int err;

	(void)whom;
	if (!k)
		return -ENOMEM;
	err = connect_start(ofi_net(net), addr, &k->conn);
	if (err) {
		free(k);
		return outcome(err);
	}
	err = loop_fd_add(loop, k->conn->eq.fd, EPOLLIN, connecting_event, k);
	if (err) {
		ofi_conn_close(&k->conn->base);
		free(k);
		return err;
	}
	k->limit = (struct loop_timer){ .fn = connecting_late, .arg = k };
	k->again = (struct loop_timer){ .fn = connecting_look, .arg = k };
	loop_timer_set(loop, &k->limit, loop_now(loop) + timeout_ms * NS_PER_MS);
	loop_timer_set(loop, &k->again, loop_now(loop));
	*out = &k->base;
	return 0;
}

void ofi_connect_cancel(struct net_connecting *base)
{
	ofi_conn_close(&connecting_free(container_of(base, struct connecting, base))->base);
}
