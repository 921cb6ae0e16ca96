/*
 * One-sided transfers. A write's bytes are taken from the local memory when they arrive, not when they are posted, and a
 * read's are put there at the end: whoever touches memory that is the transfer's sees it. The memory of the owner is
 * reached without its help, as long as its process lives and the connection stands.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "net/sim/world.h"

#define REQUEST_BYTES 64u

struct xfer {
	struct list link; /* connection's */
	struct sim_data *d;
	struct sim_remote *r;
	struct net_sge sge[NET_SGE_MAX];
	unsigned n;
	bool write, over; /* over: its completion is there, or nobody waits for it */
	uint64_t off, total, cookie;
	uint8_t *bytes; /* what was read, on its way back */
	int err;
};

static struct sim_data *data_of(struct net_data *d)
{
	return container_of(d, struct sim_data, base);
}

int sim_data_open(struct net_conn *base, enum net_class class, struct net_data **out)
{
	struct sim_conn *c = container_of(base, struct sim_conn, base);
	struct sim_data *d;

	(void)class;
	BUG_ON(!c->open);
	if (c->dead)
		return -EPIPE;
	d = sim_alloc(sizeof(*d));
	d->conn = c;
	d->open = true;
	sim_count_up(c->node, datas);
	*out = &d->base;
	return 0;
}

void sim_data_close(struct net_data *base)
{
	struct sim_data *d = data_of(base);
	struct list *pos, *next;

	BUG_ON(!d->open);
	d->open = false;
	list_for_each_safe(pos, next, &d->conn->xfers) {
		struct xfer *x = container_of(pos, struct xfer, link);

		if (x->d == d) {
			x->over = true;
			list_del(&x->link);
		}
	}
	sim_count_down(d->conn->node, datas);
}

int sim_remote_open(struct net_conn *base, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct sim_conn *c = container_of(base, struct sim_conn, base);
	struct sim_remote *r;
	struct sim_key *k;

	BUG_ON(!c->open);
	for (k = c->keys; k && memcmp(k->w, key->w, sizeof(k->w)) != 0; k = k->next)
		;
	if (!k || k->taken)
		return -EACCES;
	if (k->mr->base.bytes < bytes)
		return -ERANGE;
	k->taken = true;
	r = sim_alloc(sizeof(*r));
	r->conn = c;
	r->key = k;
	r->open = true;
	sim_count_up(c->node, remotes);
	*out = &r->base;
	return 0;
}

void sim_remote_close(struct net_remote *base)
{
	struct sim_remote *r = container_of(base, struct sim_remote, base);

	BUG_ON(!r->open);
	r->open = false;
	sim_count_down(r->conn->node, remotes);
}

/* ---- a transfer ---- */

static void xfer_free(struct xfer *x)
{
	free(x->bytes);
	free(x);
}

static void data_ready(void *arg, uint64_t v)
{
	struct sim_data *d = arg;

	(void)v;
	d->told = false;
	if (d->open && d->count)
		d->base.ready(d->base.ready_arg);
}

/* From here on completions are told. */
int sim_data_start(struct net_data *base)
{
	(void)base;
	return 0;
}

static void complete(struct xfer *x, int err)
{
	struct sim_data *d = x->d;

	x->over = true;
	list_del(&x->link);
	d->out--;
	d->cq[(d->first + d->count++) % SIM_CQ_MAX] = (struct net_completion){ x->cookie, err };
	sim_note(1, (uint64_t)(unsigned)err);
	sim_wake(&d->wait);
	if (d->base.ready && !d->told) {
		d->told = true;
		sim_node_post(d->conn->node, data_ready, d, 0);
	}
}

static void scatter(const struct xfer *x)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < x->n; i++) {
		memcpy(x->sge[i].addr, x->bytes + at, x->sge[i].bytes);
		at += x->sge[i].bytes;
	}
}

static void gather(const struct xfer *x, uint8_t *to)
{
	for (unsigned i = 0; i < x->n; i++) {
		memcpy(to, x->sge[i].addr, x->sge[i].bytes);
		to += x->sge[i].bytes;
	}
}

/* The answer has come back. */
static void xfer_back(void *arg, uint64_t v)
{
	struct xfer *x = arg;

	(void)v;
	if (!x->over) {
		if (!x->write && !x->err)
			scatter(x);
		complete(x, x->err);
	}
	xfer_free(x);
}

static int xfer_check(const struct xfer *x)
{
	const struct sim_key *k = x->r->key;

	if (!k->mr->open || !(k->access & (x->write ? NET_WRITE : NET_READ)) || (x->write && k->mr->sealed))
		return -EACCES;
	return 0;
}

/* It has come to the owner's memory. */
static void xfer_arrives(void *arg, uint64_t v)
{
	struct xfer *x = arg;
	struct sim_conn *far = x->d->conn->peer;
	struct sim_mr *mr = x->r->key->mr;

	(void)v;
	if (x->over && !x->bytes) {
		xfer_free(x);
		return;
	}
	x->err = far->dead ? -EPIPE : xfer_check(x);
	if (!x->err && x->write && x->bytes) { /* the planted bug: long acknowledged */
		memcpy((uint8_t *)mr->mem + x->off, x->bytes, x->total);
	} else if (!x->err && x->write) {
		gather(x, (uint8_t *)mr->mem + x->off);
	} else if (!x->err) {
		x->bytes = malloc(x->total);
		BUG_ON(!x->bytes);
		memcpy(x->bytes, (uint8_t *)mr->mem + x->off, x->total);
	}
	sim_send(far->out, REQUEST_BYTES + (x->write || x->err ? 0 : (uint32_t)x->total), x->d->base.class, &x->d->back,
		 0, xfer_back, x, 0);
}

/* A planted bug: the write is acknowledged at once, and done some time later. */
static uint64_t acknowledge_early(struct xfer *x)
{
	x->bytes = malloc(x->total);
	BUG_ON(!x->bytes);
	gather(x, x->bytes);
	complete(x, 0);
	return sim_below(5 * NS_PER_MS);
}

/* Where memory must be registered, it must lie in the region that is named, and that region be ours. */
static bool sge_fits(const struct sim_conn *c, const struct net_sge *s)
{
	const struct sim_mr *mr = s->mr ? container_of(s->mr, struct sim_mr, base) : NULL;

	if (!mr)
		return sim.cfg.local_any;
	return mr->open && mr->pd->node == c->node && (char *)s->addr >= (char *)mr->mem &&
	       (char *)s->addr + s->bytes <= (char *)mr->mem + mr->base.bytes;
}

static int xfer_post(struct net_data *base, struct net_remote *remote, uint64_t off, const struct net_sge *sge,
		     unsigned n, uint64_t total, uint64_t cookie, bool write)
{
	struct sim_remote *r = container_of(remote, struct sim_remote, base);
	struct sim_data *d = data_of(base);
	struct sim_conn *c = d->conn;
	uint64_t extra_ns = 0;
	struct xfer *x;

	BUG_ON(!d->open || !r->open);
	if (r->conn != c)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		if (!sge_fits(c, &sge[i]))
			return -EINVAL;
	if (d->out + d->count >= SIM_CQ_MAX)
		return -EAGAIN;
	if (c->dead)
		return -EPIPE;
	x = calloc(1, sizeof(*x));
	BUG_ON(!x);
	*x = (struct xfer){ .d = d, .r = r, .n = n, .write = write, .off = off, .total = total, .cookie = cookie };
	memcpy(x->sge, sge, n * sizeof(*sge));
	list_add_tail(&c->xfers, &x->link);
	d->out++;
	sim_note(off, total);
	if (write && sim.cfg.early_write_ack)
		extra_ns = acknowledge_early(x);
	sim_send(c->out, REQUEST_BYTES + (write ? (uint32_t)total : 0), base->class, &d->order, extra_ns, xfer_arrives,
		 x, 0);
	return 0;
}

int sim_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	     uint64_t total, uint64_t cookie)
{
	return xfer_post(d, r, off, sge, n, total, cookie, false);
}

int sim_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	      uint64_t total, uint64_t cookie)
{
	return xfer_post(d, r, off, sge, n, total, cookie, true);
}

int sim_data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct sim_data *d = data_of(base);
	int taken = 0;

	BUG_ON(!d->open);
	for (; taken < n && d->count; d->count--) {
		c[taken++] = d->cq[d->first];
		d->first = (d->first + 1) % SIM_CQ_MAX;
	}
	return taken;
}

int sim_data_wait(struct net_data *base, uint64_t deadline_ns)
{
	struct sim_data *d = data_of(base);

	while (!d->count) {
		int err = d->conn->dead ? -EPIPE : sim_wait(&d->wait, deadline_ns);

		if (err)
			return err;
	}
	return 0;
}

/* The connection is over: nothing of it touches local memory from here on. */
void sim_xfers_fail(struct sim_conn *c, int err)
{
	while (!list_empty(&c->xfers)) {
		struct xfer *x = container_of(c->xfers.next, struct xfer, link);

		complete(x, err);
	}
}
