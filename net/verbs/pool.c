/*
 * Message buffers: registered memory in chunks, shared with no child by copy-on-write (MAP_SHARED). Those to receive into
 * are in a shared receive queue; a net with a loop has one pool for all of its connections, which grows with them up to a
 * bound, and when the device says that the queue runs low (a queue pair that failed in the middle of a message takes its
 * buffer along).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

#define STRIDE ((VB_FRAME_BYTES + 63) / 64 * 64)

struct vb_chunk {
	struct list link;
	void *memory;
	size_t bytes;
	struct ibv_mr *mr;
	struct vb_buf bufs[];
};

static void chunk_free(struct vb_chunk *c)
{
	if (c->mr)
		ibv_dereg_mr(c->mr);
	if (c->memory != MAP_FAILED)
		munmap(c->memory, c->bytes);
	free(c);
}

static int chunk_new(struct vb_pool *p, unsigned n, struct vb_chunk **out)
{
	struct vb_chunk *c = calloc(1, sizeof(*c) + n * sizeof(c->bufs[0]));
	int err;

	if (!c)
		return -ENOMEM;
	c->bytes = n * STRIDE;
	c->memory = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->memory == MAP_FAILED) {
		chunk_free(c);
		return -ENOMEM;
	}
	c->mr = ibv_reg_mr(p->net->pd, c->memory, c->bytes, IBV_ACCESS_LOCAL_WRITE);
	if (!c->mr) {
		err = vb_refused(p->net, "registered memory for messages", (uint64_t)p->net->attr.max_mr, errno);
		chunk_free(c);
		return err;
	}
	for (unsigned i = 0; i < n; i++) {
		c->bufs[i].data = (uint8_t *)c->memory + i * STRIDE;
		c->bufs[i].lkey = c->mr->lkey;
		list_init(&c->bufs[i].link);
	}
	*out = c;
	return 0;
}

/* rx more buffers to receive into, tx more to send from. */
static int pool_grow(struct vb_pool *p, unsigned rx, unsigned tx)
{
	struct vb_chunk *c = NULL;
	int err;

	rx = rx < p->rx_max - p->rx ? rx : p->rx_max - p->rx;
	tx = tx < VB_POOL_TX_MAX - p->tx ? tx : VB_POOL_TX_MAX - p->tx;
	if (!rx && !tx)
		return 0;
	err = chunk_new(p, rx + tx, &c);
	if (err)
		return err;
	list_add_tail(&p->chunks, &c->link);
	for (unsigned i = 0; i < rx + tx; i++) {
		if (i >= rx)
			vb_pool_put(p, &c->bufs[i]);
		else if (!err)
			err = vb_pool_post(p, &c->bufs[i]);
	}
	p->rx += rx;
	p->tx += tx;
	return err;
}

/* The device tells when fewer than this many are left. */
static void limit_set(struct vb_pool *p)
{
	struct ibv_srq_attr attr = { .srq_limit = VB_RX / 2 };

	if (p->net->pool == p && p->rx < p->rx_max && ibv_modify_srq(p->srq, &attr, IBV_SRQ_LIMIT))
		log_warn("verbs: device does not watch its shared receive queue");
}

static int pool_open(struct vb_net *net, unsigned rx_max, struct vb_pool **out)
{
	struct vb_pool *p = calloc(1, sizeof(*p));
	struct ibv_srq_init_attr init = { .attr = { .max_wr = rx_max, .max_sge = 1 } };
	int most = net->attr.max_srq_wr, err;

	if (!p)
		return -ENOMEM;
	if (most > 0 && (unsigned)most < rx_max)
		init.attr.max_wr = (unsigned)most;
	p->net = net;
	p->rx_max = init.attr.max_wr;
	list_init(&p->chunks);
	list_init(&p->free);
	p->srq = ibv_create_srq(net->pd, &init);
	if (p->srq) {
		*out = p;
		return 0;
	}
	err = errno;
	free(p);
	return vb_refused(net, "shared receive queues", (uint64_t)net->attr.max_srq, err);
}

int vb_pool_join(struct vb_net *net, struct vb_pool **out)
{
	struct vb_pool *p = net->pool;
	int err = 0;

	if (!p) {
		err = pool_open(net, net->base.opt.loop ? VB_POOL_RX_MAX : VB_RX, &p);
		if (err)
			return err;
		if (net->base.opt.loop)
			net->pool = p;
		err = pool_grow(p, VB_RX, VB_TX);
		limit_set(p);
	} else if (p->rx < (p->users + 1) * VB_RX) {
		err = pool_grow(p, VB_RX, VB_TX_MORE);
	}
	p->users++;
	*out = p;
	if (!err)
		return 0;
	vb_pool_leave(p);
	*out = NULL;
	return err;
}

void vb_pool_leave(struct vb_pool *p)
{
	p->users--;
	if (p != p->net->pool)
		vb_pool_close(p);
}

void vb_pool_close(struct vb_pool *p)
{
	ibv_destroy_srq(p->srq);
	while (!list_empty(&p->chunks)) {
		struct vb_chunk *c = container_of(p->chunks.next, struct vb_chunk, link);

		list_del(&c->link);
		chunk_free(c);
	}
	free(p);
}

int vb_pool_post(struct vb_pool *p, struct vb_buf *b)
{
	struct ibv_sge sge = { .addr = (uintptr_t)b->data, .length = VB_FRAME_BYTES, .lkey = b->lkey };
	struct ibv_recv_wr wr = { .wr_id = (uintptr_t)b, .sg_list = &sge, .num_sge = 1 }, *bad;

	return -ibv_post_srq_recv(p->srq, &wr, &bad);
}

struct vb_buf *vb_pool_get(struct vb_pool *p)
{
	struct vb_buf *b;

	if (list_empty(&p->free))
		return NULL;
	b = container_of(p->free.next, struct vb_buf, link);
	list_del(&b->link);
	return b;
}

void vb_pool_put(struct vb_pool *p, struct vb_buf *b)
{
	list_add_tail(p->free.next, &b->link); /* the one used last is warm */
}

void vb_pool_low(struct vb_pool *p)
{
	if (pool_grow(p, VB_RX, 0))
		log_warn("verbs: few message buffers are left, and there is no memory for more");
	limit_set(p);
}
