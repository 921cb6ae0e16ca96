/*
 * Connecting without holding the loop. Where a provider's connect never waits, it is made at once, and the result is
 * told by a timer, as done must not be called from inside the call.
 */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "net/core/provider.h"

struct at_once {
	struct net_connecting base;
	struct loop_timer timer;
	struct net_conn *conn;
	int err;
};

static void at_once_tell(void *arg)
{
	struct at_once c = *(struct at_once *)arg;

	free(arg);
	c.base.done(c.base.arg, c.err, c.conn);
}

static int at_once_begin(struct net *net, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
			 struct net_connecting **out)
{
	struct at_once *c = calloc(1, sizeof(*c));

	(void)whom;
	if (!c)
		return -ENOMEM;
	c->err = net->ops->connect(net, addr, timeout_ms, &c->conn);
	if (c->err)
		c->conn = NULL;
	c->timer.fn = at_once_tell;
	c->timer.arg = c;
	loop_timer_set(net->opt.loop, &c->timer, loop_now(net->opt.loop));
	*out = &c->base;
	return 0;
}

static void at_once_cancel(struct net_connecting *base)
{
	struct at_once *c = container_of(base, struct at_once, base);

	loop_timer_del(base->net->opt.loop, &c->timer);
	if (c->conn)
		net_conn_close(c->conn);
	free(c);
}

int net_connect_for(struct net *net, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		    net_connected_fn *done, void *arg, struct net_connecting **out)
{
	int err;

	BUG_ON(!net->opt.loop);
	err = (net->ops->connect_begin ? net->ops->connect_begin : at_once_begin)(net, whom, addr, timeout_ms, out);
	if (err)
		return err;
	(*out)->net = net;
	(*out)->done = done;
	(*out)->arg = arg;
	return 0;
}

int net_connect_begin(struct net *net, const char *addr, uint32_t timeout_ms, net_connected_fn *done, void *arg,
		      struct net_connecting **out)
{
	return net_connect_for(net, NULL, addr, timeout_ms, done, arg, out);
}

void net_connect_cancel(struct net_connecting *c)
{
	(c->net->ops->connect_cancel ? c->net->ops->connect_cancel : at_once_cancel)(c);
}
