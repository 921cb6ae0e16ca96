/*
 * The device. A net has one, chosen when it is opened: the one that ASHLAR_VERBS_DEVICE names, else the first with a port
 * that is up. librdmacm keeps contexts of its own, of all devices, for the life of the process; ours lies beside it, so
 * that a fork's child can leave all of its parent's descriptors alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

static unsigned least(unsigned a, int b)
{
	return b > 0 && (unsigned)b < a ? (unsigned)b : a;
}

/* Of its ports: is one up? *msg_max: bytes that fit one work request on all of them. */
static bool ports_read(struct ibv_context *ctx, unsigned ports, uint64_t *msg_max)
{
	struct ibv_port_attr p;
	bool up = false;

	*msg_max = 1ULL << 30;
	for (uint8_t i = 1; i <= ports; i++) {
		if (ibv_query_port(ctx, i, &p))
			continue;
		up |= p.state == IBV_PORT_ACTIVE;
		if (p.max_msg_sz && p.max_msg_sz < *msg_max)
			*msg_max = p.max_msg_sz;
	}
	return up;
}

/* Open it; true when it can be used. */
static bool device_try(struct vb_net *net, struct ibv_device *dev)
{
	bool up;

	net->ctx = ibv_open_device(dev);
	if (!net->ctx) {
		log_error("RDMA device %s does not open: %s", ibv_get_device_name(dev), strerror(errno));
		return false;
	}
	up = ibv_query_device(net->ctx, &net->attr) == 0 &&
	     ports_read(net->ctx, net->attr.phys_port_cnt, &net->msg_max);
	if (up)
		return true;
	ibv_close_device(net->ctx);
	net->ctx = NULL;
	return false;
}

static int device_choose(struct vb_net *net)
{
	const char *wanted = getenv("ASHLAR_VERBS_DEVICE");
	struct ibv_device **list;
	int n = 0;

	vb_drivers();
	list = ibv_get_device_list(&n);
	for (int i = 0; list && i < n && !net->ctx; i++)
		if (!wanted || strcmp(ibv_get_device_name(list[i]), wanted) == 0)
			device_try(net, list[i]);
	if (list)
		ibv_free_device_list(list);
	if (net->ctx)
		return 0;
	if (!n)
		log_error("no verbs fabric here: no RDMA device (no /dev/infiniband/uverbs*, or no driver for it)");
	else if (wanted)
		log_error("no verbs fabric here: no RDMA device \"%s\" with a port that is up", wanted);
	else
		log_error("no verbs fabric here: none of %d RDMA devices has a port that is up", n);
	return -ENODEV;
}

/* librdmacm opens its contexts now, not when a connection is made, and they go where they belong. */
static int manager_open(struct vb_net *net)
{
	struct rdma_event_channel *channel;
	struct ibv_context **list;
	int n = 0, err;

	err = vb_channel_open(net, &channel);
	if (err) {
		log_error("no verbs fabric here: no /dev/infiniband/rdma_cm (%s; kernel module rdma_ucm)",
			  strerror(-err));
		return -ENODEV;
	}
	vb_channel_close(&channel);
	list = rdma_get_devices(&n);
	if (!list) {
		log_error("no verbs fabric here: librdmacm has no device");
		return -ENODEV;
	}
	for (int i = 0; i < n && !err; i++)
		err = vb_context_raise(list[i], net->base.opt.fd_floor);
	rdma_free_devices(list);
	return err;
}

int vb_device_open(struct vb_net *net)
{
	int err = device_choose(net);

	if (err)
		return err;
	err = vb_context_raise(net->ctx, net->base.opt.fd_floor);
	if (!err)
		err = manager_open(net);
	if (err)
		return err;
	net->sge_max = least(least(VB_SGE_MAX, net->attr.max_sge), net->attr.max_sge_rd);
	net->pd = ibv_alloc_pd(net->ctx);
	if (!net->pd)
		return vb_refused(net, "protection domains", (uint64_t)net->attr.max_pd, errno);
	net->sink = ibv_create_cq(net->ctx, 1, NULL, NULL, 0);
	if (!net->sink)
		return vb_refused(net, "completion queues", (uint64_t)net->attr.max_cq, errno);
	return 0;
}

void vb_device_close(struct vb_net *net)
{
	if (net->sink)
		ibv_destroy_cq(net->sink);
	if (net->pd && ibv_dealloc_pd(net->pd))
		log_error("verbs: something is left in the protection domain of the net");
	if (net->ctx)
		ibv_close_device(net->ctx);
}

bool vb_device_same(const struct vb_net *net, const struct rdma_cm_id *id)
{
	if (id->verbs && ibv_get_device_guid(id->verbs->device) == ibv_get_device_guid(net->ctx->device))
		return true;
	log_error("verbs: the address belongs to RDMA device %s, this fabric was opened on %s (ASHLAR_VERBS_DEVICE)",
		  id->verbs ? ibv_get_device_name(id->verbs->device) : "?", ibv_get_device_name(net->ctx->device));
	return false;
}

void vb_device_gone(struct vb_net *net, const char *why)
{
	if (!__atomic_exchange_n(&net->gone, true, __ATOMIC_RELAXED))
		log_error("verbs: RDMA device %s: %s; its connections end", ibv_get_device_name(net->ctx->device), why);
}

void vb_device_denied(struct vb_net *net, int err)
{
	if (err == EACCES)
		vb_device_gone(net, "it takes nothing from this process any more, which has changed its user, group or "
				    "capabilities");
}

int vb_refused(struct vb_net *net, const char *what, uint64_t limit, int err)
{
	if (!net->limit_logged)
		log_error("verbs: no more %s: %s (the limit of device %s is %llu; locked memory has one of its own)",
			  what, strerror(err), ibv_get_device_name(net->ctx->device), (unsigned long long)limit);
	net->limit_logged = true;
	return -ENOSPC;
}

int vb_device_host(struct vb_net *net, char *host, size_t len)
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };
	struct ibv_port_attr p;
	union ibv_gid gid;

	for (uint8_t port = 1; port <= net->attr.phys_port_cnt; port++) {
		if (ibv_query_port(net->ctx, port, &p))
			continue;
		for (int i = 0; i < p.gid_tbl_len; i++)
			if (ibv_query_gid(net->ctx, port, i, &gid) == 0 && memcmp(gid.raw, v4, sizeof(v4)) == 0 &&
			    inet_ntop(AF_INET, gid.raw + sizeof(v4), host, (socklen_t)len))
				return 0;
	}
	log_error("verbs: device %s has no IPv4 address: \"verbs:auto\" means nothing here",
		  ibv_get_device_name(net->ctx->device));
	return -ENODEV;
}
