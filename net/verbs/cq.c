/* Completion queues: polled while there is something, armed before anybody sleeps. */
#include <errno.h>
#include "net/verbs/verbs.h"

int vb_cq_open(struct vb_net *net, unsigned entries, struct vb_cq *q)
{
	int most = net->attr.max_cqe, err;

	*q = (struct vb_cq){ 0 };
	q->channel = ibv_create_comp_channel(net->ctx);
	if (!q->channel)
		return -errno;
	err = vb_fd_prepare(&q->channel->fd, net->base.opt.fd_floor);
	if (err) {
		vb_cq_close(q);
		return err;
	}
	q->cq = ibv_create_cq(net->ctx, most > 0 && (int)entries > most ? most : (int)entries, NULL, q->channel, 0);
	if (q->cq)
		return 0;
	err = errno;
	vb_cq_close(q);
	return vb_refused(net, "completion queues", (uint64_t)net->attr.max_cq, err);
}

void vb_cq_close(struct vb_cq *q)
{
	if (q->cq)
		ibv_destroy_cq(q->cq);
	if (q->channel)
		ibv_destroy_comp_channel(q->channel);
	*q = (struct vb_cq){ 0 };
}

static bool cq_poll(struct vb_cq *q)
{
	int n = ibv_poll_cq(q->cq, sizeof(q->wc) / sizeof(q->wc[0]), q->wc);

	q->first = 0;
	q->n = n > 0 ? (unsigned)n : 0;
	return q->n;
}

bool vb_cq_take(struct vb_cq *q, struct ibv_wc *wc)
{
	if (q->first == q->n && !cq_poll(q))
		return false;
	*wc = q->wc[q->first++];
	return true;
}

void vb_cq_drain(struct vb_cq *q)
{
	struct ibv_cq *cq;
	void *context;

	/* Armed once, it tells once. */
	if (ibv_get_cq_event(q->channel, &cq, &context))
		return;
	ibv_ack_cq_events(cq, 1);
	q->armed = false;
}

bool vb_cq_may_wait(struct vb_cq *q)
{
	if (q->first < q->n)
		return false;
	if (!q->armed)
		q->armed = ibv_req_notify_cq(q->cq, 0) == 0;
	return !cq_poll(q);
}
