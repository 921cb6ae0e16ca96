/* Provider `local`: opening it, and the table of its slots. */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/log.h"
#include "net/local/local.h"

static int local_open(const char *arg, const struct net_options *opt, struct net **out)
{
	struct local_net *net = calloc(1, sizeof(*net));

	(void)opt;
	if (*arg) {
		log_error("the fabric \"local\" takes no argument, got \"%s\"", arg);
		free(net);
		return -EINVAL;
	}
	if (!net)
		return -ENOMEM;
	list_init(&net->users);
	*out = &net->base;
	return 0;
}

static void local_close(struct net *net)
{
	free(container_of(net, struct local_net, base));
}

const struct net_provider net_provider_local = {
	.name = "local",
	.local_any = true,
	.open = local_open,
	.close = local_close,
	.listen = local_listen,
	.listener_addr = local_listener_addr,
	.listener_close = local_listener_close,
	.connect = local_connect,
	.conn_close = local_conn_close,
	.conn_start = local_conn_start,
	.conn_peer = local_conn_peer,
	.conn_groups = local_conn_groups,
	.send = local_send,
	.recv = local_recv,
	.conn_wait = local_conn_wait,
	.conn_fd = local_conn_fd,
	.conn_kill = local_conn_kill,
	.conn_dead = local_conn_dead,
	.pd_open = local_pd_open,
	.pd_close = local_pd_close,
	.mr_alloc = local_mr_alloc,
	.mr_addr = local_mr_addr,
	.mr_fd = local_mr_fd,
	.mr_grant = local_mr_grant,
	.mr_seal = local_mr_seal,
	.mr_sealed = local_mr_sealed,
	.mr_share = local_mr_share,
	.mr_free = local_mr_free,
	.data_open = local_data_open,
	.data_close = local_data_close,
	.remote_open = local_remote_open,
	.remote_close = local_remote_close,
	.read = local_read,
	.write = local_write,
	.data_poll = local_data_poll,
	.data_wait = local_data_wait,
};
