/*
 * Work requests of a transfer: as many pieces in each as the device takes, as many bytes as it takes, and a completion for
 * the last one alone. A transfer is posted whole or not at all.
 */
#include <errno.h>
#include "net/verbs/verbs.h"

#define CHAIN 8u /* work requests handed over at once */

/* How far a transfer has been cut into work requests. */
struct cut {
	unsigned piece;
	uint32_t piece_done; /* bytes of it */
	uint64_t done;	     /* bytes of all */
};

/* The next one: its pieces into sge (NULL: only counted); their number, 0 at the end. */
static unsigned cut_next(const struct vb_lane *l, const struct vb_xfer *x, struct cut *c, struct ibv_sge *sge)
{
	uint64_t room = l->link.net->msg_max;
	unsigned n = 0;

	while (n < l->link.spec.sge && c->piece < x->base.n && room) {
		const struct ibv_sge *s = &x->sge[c->piece];
		uint32_t left = s->length - c->piece_done, take = left < room ? left : (uint32_t)room;

		if (sge)
			sge[n] = (struct ibv_sge){ s->addr + c->piece_done, take, s->lkey };
		n++;
		room -= take;
		c->done += take;
		c->piece_done += take;
		if (c->piece_done == s->length) {
			c->piece++;
			c->piece_done = 0;
		}
	}
	return n;
}

static unsigned requests(const struct vb_lane *l, const struct vb_xfer *x)
{
	struct cut c = { 0 };
	unsigned n = 0;

	while (cut_next(l, x, &c, NULL))
		n++;
	return n;
}

int vb_post(struct vb_lane *l, struct vb_xfer *x)
{
	const struct net_key_body *k = &x->base.grant->k;
	struct ibv_sge sge[CHAIN][VB_SGE_MAX];
	struct ibv_send_wr wr[CHAIN], *bad;
	unsigned need = requests(l, x), n = 0;
	struct cut c = { 0 };
	int err;

	if (need > l->link.spec.sq)
		return -ENOSPC;
	if (need > l->link.spec.sq - l->slots)
		return -EAGAIN;
	for (unsigned i = 0; i < need; i++) {
		uint64_t at = k->addr + x->base.off + c.done;

		wr[n] = (struct ibv_send_wr){
			.wr_id = (uintptr_t)x,
			.sg_list = sge[n],
			.num_sge = (int)cut_next(l, x, &c, sge[n]),
			.opcode = x->base.write ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ,
			.send_flags = i + 1 == need ? IBV_SEND_SIGNALED : 0,
			.wr.rdma = { at, (uint32_t)(x->base.write ? k->write_key : k->read_key) },
		};
		if (n)
			wr[n - 1].next = &wr[n];
		if (++n < CHAIN && i + 1 < need)
			continue;
		err = ibv_post_send(l->link.qp, wr, &bad);
		if (err) {
			vb_device_denied(l->link.net, err);
			return -EIO;
		}
		n = 0;
	}
	x->slots = need;
	l->slots += need;
	return 0;
}
