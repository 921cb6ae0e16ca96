/* Provider `verbs`: opening it, and the table of its slots. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

static void net_free(struct vb_net *net)
{
	vb_linger_end(net);
	if (net->channel)
		vb_events_close(net);
	if (net->pool)
		vb_pool_close(net->pool);
	vb_device_close(net);
	free(net);
}

static int vb_open(const char *arg, const struct net_options *opt, struct net **out)
{
	struct vb_net *net;
	int err;

	if (*arg) {
		log_error("fabric verbs takes no argument (\"%s\"); ASHLAR_VERBS_DEVICE names a device", arg);
		return -EINVAL;
	}
	net = calloc(1, sizeof(*net));
	if (!net)
		return -ENOMEM;
	net->may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	list_init(&net->ties);
	list_init(&net->waiting);
	list_init(&net->deferred);
	list_init(&net->lingering);
	net->base.opt.loop = opt->loop;
	net->base.opt.fd_floor = opt->fd_floor;
	net->has_secret = opt->secret != NULL;
	if (opt->secret)
		net->secret = *opt->secret;
	err = vb_device_open(net);
	if (!err && opt->loop)
		err = vb_events_open(net);
	if (err) {
		net_free(net);
		return err;
	}
	*out = &net->base;
	return 0;
}

static void vb_close(struct net *net)
{
	net_free(vb_net(net));
}

const struct net_provider net_provider_verbs = {
	.name = "verbs",
	.local_any = false,
	.open = vb_open,
	.close = vb_close,
	.listen = vb_listen,
	.listener_addr = vb_listener_addr,
	.listener_close = vb_listener_close,
	.connect = vb_connect,
	.connect_begin = vb_connect_begin,
	.connect_cancel = vb_connect_cancel,
	.conn_close = vb_conn_close,
	.conn_start = vb_conn_start,
	.conn_peer = vb_conn_peer,
	.send = vb_send,
	.recv = vb_recv,
	.conn_wait = vb_conn_wait,
	.conn_fd = vb_conn_fd,
	.conn_kill = vb_conn_kill,
	.conn_dead = vb_conn_dead,
	.pd_open = vb_pd_open,
	.pd_close = vb_pd_close,
	.mr_alloc = vb_mr_alloc,
	.mr_addr = vb_mr_addr,
	.mr_fd = vb_mr_fd,
	.mr_grant = vb_mr_grant,
	.mr_seal = vb_mr_seal,
	.mr_sealed = vb_mr_sealed,
	.mr_share = vb_mr_share,
	.mr_free = vb_mr_free,
	.data_open = vb_data_open,
	.data_close = vb_data_close,
	.data_start = vb_data_start,
	.remote_open = vb_remote_open,
	.remote_close = net_keyed_close,
	.read = vb_read,
	.write = vb_write,
	.data_poll = vb_data_poll,
	.data_wait = vb_data_wait,
};
