/*
 * The component object: what it is called, where it listens, how it is made and taken down. Joining is in join.c, the
 * gmm's requests are in serve.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "component/internal.h"

int component_open(struct loop *loop, struct net *net, const struct component_config *config,
		   const struct component_ops *ops, void *ctx, struct component **out)
{
	struct component *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->net = net;
	c->config = *config;
	c->ops = ops;
	c->ctx = ctx;
	*out = c;
	return 0;
}

void component_set_bytes(struct component *c, uint64_t bytes)
{
	c->config.bytes = bytes;
}

void component_set_ctx(struct component *c, void *ctx)
{
	c->ctx = ctx;
}

static void accepted(void *arg, struct net_conn *conn)
{
	struct component *c = arg;

	c->ops->accepted(c->ctx, conn);
}

int component_start(struct component *c, void (*failed)(void *arg, int err), void *arg)
{
	int err = net_listen(c->config.node ? c->config.node : c->net, c->config.listen, accepted, c, &c->listener);

	if (err) {
		log_error("cannot listen at %s: %s", c->config.listen, strerror(-err));
		return err;
	}
	c->failed = failed;
	c->failed_arg = arg;
	if (c->ops->listening) {
		err = c->ops->listening(c->ctx);
		if (err)
			return err;
	}
	if (c->config.kind != KIND_GMM)
		join_begin(c);
	return 0;
}

void component_close(struct component *c)
{
	if (!c)
		return;
	join_end(c);
	if (c->listener)
		net_listener_close(c->listener);
	free(c);
}

const char *component_name(const struct component *c)
{
	return c->config.name;
}

const char *component_addr(const struct component *c)
{
	return net_listener_addr(c->listener);
}

struct rpc *component_gmm(const struct component *c)
{
	return c->joined ? c->gmm : NULL;
}

uint32_t component_id(const struct component *c)
{
	return c->id;
}

struct rpc_counters *component_counters(struct component *c)
{
	return &c->counters;
}
