/* The provider's table, and nets of nodes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "net/sim/world.h"

/* A fabric is opened for a node, not by name. */
static int open_by_name(const char *arg, const struct net_options *opt, struct net **out)
{
	(void)arg;
	(void)opt;
	(void)out;
	return -ENODEV;
}

static void net_free(struct net *base)
{
	free(container_of(base, struct sim_net, base));
}

#define SLOTS                                                                                                       \
	.name = "sim", .open = open_by_name, .close = net_free, .listen = sim_listen,                               \
	.listener_addr = sim_listener_addr, .listener_close = sim_listener_close, .connect = sim_connect,           \
	.connect_begin = sim_connect_begin, .connect_cancel = sim_connect_cancel, .conn_close = sim_conn_close,     \
	.conn_start = sim_conn_start, .conn_peer = sim_conn_peer, .send = sim_msg_send, .recv = sim_msg_recv,       \
	.conn_wait = sim_conn_wait, .conn_fd = sim_conn_fd, .conn_kill = sim_conn_kill, .conn_dead = sim_conn_dead, \
	.pd_open = sim_pd_open, .pd_close = sim_pd_close, .mr_alloc = sim_mr_alloc, .mr_addr = sim_mr_addr,         \
	.mr_fd = sim_mr_fd, .mr_grant = sim_mr_grant, .mr_seal = sim_mr_seal, .mr_sealed = sim_mr_sealed,           \
	.mr_share = sim_mr_share, .mr_free = sim_mr_free, .data_open = sim_data_open, .data_close = sim_data_close, \
	.data_start = sim_data_start, .remote_open = sim_remote_open, .remote_close = sim_remote_close,             \
	.read = sim_read, .write = sim_write, .data_poll = sim_data_poll, .data_wait = sim_data_wait

static const struct net_provider registered = { SLOTS, .local_any = false };
static const struct net_provider any_memory = { SLOTS, .local_any = true };

int sim_net_open(struct sim_node *node, bool loop, struct net **out)
{
	struct sim_net *net = calloc(1, sizeof(*net));

	if (!net)
		return -ENOMEM;
	net->base.ops = sim.cfg.local_any ? &any_memory : &registered;
	net->base.opt.loop = loop ? sim_node_loop(node) : NULL;
	strcpy(net->base.name, "sim");
	net->node = node;
	*out = &net->base;
	return 0;
}
