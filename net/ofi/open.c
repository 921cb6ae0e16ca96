/* Provider `ofi`: opening it, and the table of its slots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

#define DEFAULT_PROVIDER "tcp"

static int fabric_open(struct ofi_net *net)
{
	struct fi_info *info = net->info;
	int err;

	net->virt_addr = info->domain_attr->mr_mode & FI_MR_VIRT_ADDR;
	net->key32 = info->domain_attr->mr_key_size < sizeof(uint64_t);
	net->iov_max = info->tx_attr->iov_limit < OFI_IOV_MAX ? info->tx_attr->iov_limit : OFI_IOV_MAX;
	if (!net->iov_max)
		net->iov_max = 1;
	err = ofi_lib.fabric(info->fabric_attr, &net->fabric, NULL);
	if (!err)
		err = fi_domain(net->fabric, info, &net->domain, NULL);
	if (!err)
		return 0;
	log_error("libfabric's provider \"%s\" does not open: %s", net->prov, strerror(-err));
	return -ENODEV;
}

static void net_free(struct ofi_net *net)
{
	if (net->eq.eq)
		ofi_events_close(net);
	if (net->domain)
		ofi_fid_close(&net->domain->fid);
	if (net->fabric)
		ofi_fid_close(&net->fabric->fid);
	if (net->info)
		ofi_lib.freeinfo(net->info);
	if (net->hints)
		ofi_lib.freeinfo(net->hints);
	free(net);
}

static int ofi_open(const char *arg, const struct net_options *opt, struct net **out)
{
	struct ofi_net *net;
	int err;

	if (opt->fd_floor) {
		log_error("fabric ofi: libfabric's descriptors cannot be kept above a floor");
		return -EINVAL;
	}
	if (!*arg)
		arg = DEFAULT_PROVIDER;
	if (strlen(arg) >= sizeof(net->prov) || strpbrk(arg, ":;,^ ")) {
		log_error("fabric ofi: \"%s\" is no name of a libfabric provider", arg);
		return -EINVAL;
	}
	err = ofi_lib_load();
	if (err)
		return err;
	net = calloc(1, sizeof(*net));
	if (!net)
		return -ENOMEM;
	strcpy(net->prov, arg);
	net->may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	net->wait_sets = strcmp(arg, "net") == 0;
	list_init(&net->ties);
	list_init(&net->waiting);
	list_init(&net->deferred);
	net->base.opt.loop = opt->loop;
	err = ofi_lib_provider(arg, &net->hints, &net->info);
	if (!err)
		err = fabric_open(net);
	if (!err && opt->loop)
		err = ofi_events_open(net);
	if (err) {
		net_free(net);
		return err;
	}
	*out = &net->base;
	return 0;
}

static void ofi_close(struct net *net)
{
	net_free(ofi_net(net));
}

const struct net_provider net_provider_ofi = {
	.name = "ofi",
	.local_any = true,
	.open = ofi_open,
	.close = ofi_close,
	.listen = ofi_listen,
	.listener_addr = ofi_listener_addr,
	.listener_close = ofi_listener_close,
	.connect = ofi_connect,
	.connect_begin = ofi_connect_begin,
	.connect_cancel = ofi_connect_cancel,
	.conn_close = ofi_conn_close,
	.conn_start = ofi_conn_start,
	.conn_peer = ofi_conn_peer,
	.send = ofi_send,
	.recv = ofi_recv,
	.conn_wait = ofi_conn_wait,
	.conn_fd = ofi_conn_fd,
	.conn_kill = ofi_conn_kill,
	.conn_dead = ofi_conn_dead,
	.pd_open = ofi_pd_open,
	.pd_close = ofi_pd_close,
	.mr_alloc = ofi_mr_alloc,
	.mr_addr = ofi_mr_addr,
	.mr_fd = ofi_mr_fd,
	.mr_grant = ofi_mr_grant,
	.mr_seal = ofi_mr_seal,
	.mr_sealed = ofi_mr_sealed,
	.mr_share = ofi_mr_share,
	.mr_free = ofi_mr_free,
	.data_open = ofi_data_open,
	.data_close = ofi_data_close,
	.data_start = ofi_data_start,
	.remote_open = ofi_remote_open,
	.remote_close = net_keyed_close,
	.read = ofi_read,
	.write = ofi_write,
	.data_poll = ofi_data_poll,
	.data_wait = ofi_data_wait,
};
