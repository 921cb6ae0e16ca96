/*
 * One rdmacm identifier and its queue pair. The queue pair is ours, not librdmacm's: so it lies in our context, in the
 * protection domain that we choose, and has our time-outs.
 */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

/* Why a peer's kernel said no (IB specification, 12.6.7.2): nobody listens there; the listener said so. */
#define REJECTED_NO_SERVICE 8
#define REJECTED_BY_LISTENER 28

int vb_event_take(struct rdma_event_channel *channel, struct vb_event *e)
{
	struct rdma_cm_event *from;
	const struct rdma_conn_param *p;

	if (rdma_get_cm_event(channel, &from))
		return 0;
	p = &from->param.conn;
	*e = (struct vb_event){
		.type = from->event, .status = from->status, .id = from->id, .listen = from->listen_id
	};
	if (from->event == RDMA_CM_EVENT_CONNECT_REQUEST || from->event == RDMA_CM_EVENT_CONNECT_RESPONSE) {
		e->depth = p->initiator_depth;
		e->resources = p->responder_resources;
		e->private_len = p->private_data_len < VB_PRIVATE_MAX ? p->private_data_len : VB_PRIVATE_MAX;
		if (p->private_data)
			memcpy(e->private_data, p->private_data, e->private_len);
	}
	rdma_ack_cm_event(from);
	return 1;
}

static unsigned at_most(unsigned n, int limit)
{
	return limit > 0 && (unsigned)limit < n ? (unsigned)limit : n;
}

static int qp_make(struct vb_link *k)
{
	struct vb_net *net = k->net;
	struct ibv_qp_init_attr init = {
		.send_cq = k->spec.cq,
		.recv_cq = k->spec.cq,
		.srq = k->spec.srq,
		.qp_type = IBV_QPT_RC,
		.qp_context = k,
	};
	unsigned inlined = k->spec.inline_bytes;

	/* What a device can send inline it does not tell: asked for less until it agrees. */
	for (;;) {
		init.cap = (struct ibv_qp_cap){
			.max_send_wr = at_most(k->spec.sq, net->attr.max_qp_wr),
			.max_recv_wr = k->spec.srq ? 0 : 1,
			.max_send_sge = k->spec.sge,
			.max_recv_sge = 1,
			.max_inline_data = inlined,
		};
		k->qp = ibv_create_qp(k->spec.pd, &init);
		if (k->qp || !inlined)
			break;
		inlined /= 2;
	}
	if (!k->qp)
		return vb_refused(net, "queue pairs", (uint64_t)net->attr.max_qp, errno);
	k->spec.inline_bytes = k->spec.inline_bytes ? init.cap.max_inline_data : 0;
	k->spec.sq = at_most(k->spec.sq, net->attr.max_qp_wr);
	return 0;
}

static int qp_to(struct vb_link *k, enum ibv_qp_state state)
{
	bool data = k->what == VB_IS_LANE || k->what == VB_IS_END;
	const struct ibv_device_attr *dev = &k->net->attr;
	struct ibv_qp_attr a = { .qp_state = state };
	int mask;

	if (rdma_init_qp_attr(k->id, &a, &mask))
		return -errno;
	if (state == IBV_QPS_INIT) {
		/* A write of nothing tells whether the other side is there: it must be allowed, and needs no key. */
		a.qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
		if (k->spec.reached)
			a.qp_access_flags |= IBV_ACCESS_REMOTE_READ;
	} else if (state == IBV_QPS_RTR) {
		a.min_rnr_timer = VB_RNR_TIMER;
		a.max_dest_rd_atomic = (uint8_t)at_most(a.max_dest_rd_atomic, dev->max_qp_rd_atom);
	} else {
		a.timeout = data ? VB_DATA_TIMEOUT : VB_MSG_TIMEOUT;
		a.retry_cnt = data ? VB_DATA_RETRY : VB_MSG_RETRY;
		a.rnr_retry = VB_RNR_RETRY;
		a.max_rd_atomic = (uint8_t)at_most(a.max_rd_atomic, dev->max_qp_init_rd_atom);
	}
	return -ibv_modify_qp(k->qp, &a, mask);
}

static int qp_ready(struct vb_link *k)
{
	int err = qp_to(k, IBV_QPS_RTR);

	return err ? err : qp_to(k, IBV_QPS_RTS);
}

static void param_fill(const struct vb_link *k, struct rdma_conn_param *p)
{
	const struct ibv_device_attr *dev = &k->net->attr;

	*p = (struct rdma_conn_param){
		.responder_resources = (uint8_t)at_most(16, dev->max_qp_rd_atom),
		.initiator_depth = (uint8_t)at_most(16, dev->max_qp_init_rd_atom),
		.retry_count = VB_MSG_RETRY,
		.rnr_retry_count = VB_RNR_RETRY,
		.srq = k->spec.srq != NULL,
		.qp_num = k->qp->qp_num,
	};
}

int vb_link_connect(struct vb_link *k, struct rdma_event_channel *channel, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage to = *peer;

	if (vb_gone(k->net))
		return -ENODEV;
	k->up = false;
	if (rdma_create_id(channel, &k->id, k, RDMA_PS_TCP))
		return -errno;
	if (rdma_resolve_addr(k->id, NULL, (struct sockaddr *)&to, VB_RESOLVE_MS) == 0)
		return 0;
	return errno == ENODEV ? -EHOSTUNREACH : -errno;
}

static int request_send(struct vb_link *k)
{
	struct rdma_conn_param p;
	int err = qp_make(k);

	if (!err)
		err = qp_to(k, IBV_QPS_INIT);
	if (err)
		return err;
	param_fill(k, &p);
	p.private_data = &k->hello;
	p.private_data_len = sizeof(k->hello);
	return rdma_connect(k->id, &p) ? -errno : -EAGAIN;
}

static int rejected(int status)
{
	return status == REJECTED_NO_SERVICE || status == REJECTED_BY_LISTENER ? -ECONNREFUSED : -EHOSTUNREACH;
}

int vb_link_step(struct vb_link *k, const struct vb_event *e)
{
	int err;

	switch (e->type) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		if (!vb_device_same(k->net, k->id))
			return -ENODEV;
		return rdma_resolve_route(k->id, VB_RESOLVE_MS) ? -errno : -EAGAIN;
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		return request_send(k);
	case RDMA_CM_EVENT_CONNECT_RESPONSE:
		err = qp_ready(k);
		if (!err && rdma_establish(k->id))
			err = -errno;
		k->up = !err;
		return err;
	case RDMA_CM_EVENT_ESTABLISHED:
		k->up = true;
		return 0;
	case RDMA_CM_EVENT_REJECTED:
		return rejected(e->status);
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		vb_device_gone(k->net, "it was removed");
		return -ENODEV;
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
		return -EHOSTUNREACH;
	case RDMA_CM_EVENT_DISCONNECTED:
		return -EPIPE;
	default:
		return -EAGAIN;
	}
}

int vb_link_accept(struct vb_link *k, const struct vb_event *e)
{
	struct rdma_conn_param p;
	int err;

	k->id = e->id;
	k->id->context = k;
	k->up = false;
	err = vb_device_same(k->net, k->id) ? qp_make(k) : -ENODEV;
	if (!err)
		err = qp_to(k, IBV_QPS_INIT);
	if (!err)
		err = qp_ready(k);
	if (!err) {
		param_fill(k, &p);
		p.responder_resources = e->resources < p.responder_resources ? e->resources : p.responder_resources;
		p.initiator_depth = e->depth < p.initiator_depth ? e->depth : p.initiator_depth;
		p.private_data = &k->answer;
		p.private_data_len = k->what == VB_IS_CONN ? sizeof(k->answer) : 0;
		err = rdma_accept(k->id, &p) ? -errno : 0;
	}
	if (!err)
		return 0;
	rdma_reject(k->id, NULL, 0);
	vb_link_close(k);
	return err;
}

void vb_link_close(struct vb_link *k)
{
	if (k->qp)
		ibv_destroy_qp(k->qp);
	k->qp = NULL;
	k->up = false;
	if (!k->id)
		return;
	vb_events_forget(k->net, k->id);
	rdma_destroy_id(k->id);
	k->id = NULL;
}

bool vb_link_refused(const struct vb_link *k)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr a;

	return k->qp && ibv_query_qp(k->qp, &a, IBV_QP_STATE, &init) == 0 && a.qp_state == IBV_QPS_ERR;
}
