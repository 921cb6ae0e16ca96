/*
 * Lanes, initiator's side. Transfers of a lane are posted in order. When the other side ends the lane while the message
 * connection lives, it refused a transfer (a closed key): with one in flight it is known which, else all are posted again
 * one by one. A transfer has no effect that a second posting would change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

static struct ofi_net *lane_net(const struct ofi_lane *l)
{
	return ofi_net(l->data->base.net);
}

struct ofi_lane *ofi_lane_get(struct ofi_data *d, const uint64_t token[2])
{
	struct ofi_lane *l;

	for (struct list *p = d->lanes.next; p != &d->lanes; p = p->next) {
		l = container_of(p, struct ofi_lane, link);
		if (l->token[0] == token[0] && l->token[1] == token[1])
			return l;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->context.what = OFI_IS_LANE;
	l->data = d;
	memcpy(l->token, token, sizeof(l->token));
	list_init(&l->waiting);
	list_init(&l->queue);
	list_init(&l->flight);
	list_add_tail(&d->lanes, &l->link);
	return l;
}

/* Down with the endpoint: nothing touches the transfers' memory any more. */
static void wire_close(struct ofi_lane *l)
{
	list_del(&l->waiting);
	ofi_lane_unwatch(l);
	if (l->ep) {
		if (!l->data->info) /* one that came by the loop */
			ofi_events_forget(lane_net(l), &l->ep->fid);
		ofi_fid_close(&l->ep->fid);
	}
	ofi_cq_close(&l->cq);
	ofi_eq_close(&l->eq);
	l->ep = NULL;
	l->state = OFI_LANE_CLOSED;
	l->in_flight = 0;
}

void ofi_lane_fail(struct ofi_lane *l, int err)
{
	struct list *lists[] = { &l->flight, &l->queue };

	wire_close(l);
	if (l->suspect)
		ofi_xfer_done(l->data, l->suspect, err);
	l->suspect = NULL;
	l->careful = false;
	for (unsigned i = 0; i < 2; i++) {
		while (!list_empty(lists[i])) {
			struct ofi_xfer *x = container_of(lists[i]->next, struct ofi_xfer, base.link);

			list_del(&x->base.link);
			ofi_xfer_done(l->data, x, err);
		}
	}
}

void ofi_lane_close(struct ofi_lane *l)
{
	ofi_lane_fail(l, -EPIPE);
	list_del(&l->link);
	free(l);
}

static int connect_active(struct ofi_lane *l)
{
	struct ofi_hello hello = { .magic = OFI_MAGIC, .version = OFI_VERSION, .kind = OFI_HELLO_LANE };
	struct ofi_net *net = lane_net(l);
	struct fi_info *info = l->data->info;
	int err;

	memcpy(hello.token, l->token, sizeof(hello.token));
	err = ofi_eq_open(net, &l->eq);
	if (!err)
		err = ofi_cq_open(net, net->domain, &l->cq);
	if (!err)
		err = ofi_ep_open(net->domain, info, l->eq.eq, l->cq.cq, &l->context, &l->ep);
	return err ? err : fi_connect(l->ep, info->dest_addr, &hello, sizeof(hello));
}

static int ask_passive(struct ofi_lane *l)
{
	struct ofi_lane_body b;

	if (!l->data->conn)
		return -EPIPE;
	if (net_random(l->secret, 2))
		return -EIO;
	memcpy(b.token, l->token, sizeof(b.token));
	memcpy(b.secret, l->secret, sizeof(b.secret));
	list_add_tail(&lane_net(l)->waiting, &l->waiting);
	ofi_send_control(l->data->conn, OFI_LANE, &b, sizeof(b));
	return 0;
}

static void lane_open(struct ofi_lane *l)
{
	int err = l->data->info ? connect_active(l) : ask_passive(l);

	l->state = OFI_LANE_CONNECTING;
	if (!err) {
		ofi_lane_watch(l);
		return;
	}
	if (err != -EPIPE)
		log_error("no data connection: %s", strerror(-err));
	ofi_lane_fail(l, err == -EPIPE || err == -ECONNREFUSED ? -EPIPE : -EIO);
}

/* Hand the next pieces of a transfer to libfabric. */
static ssize_t pieces_post(struct ofi_lane *l, struct ofi_xfer *x)
{
	size_t most = lane_net(l)->iov_max, n = 0, bytes = 0;
	struct iovec iov[OFI_IOV_MAX];
	struct fi_rma_iov rma = { .addr = x->base.grant->k.addr + x->base.off };
	struct fi_msg_rma msg = { .msg_iov = iov, .rma_iov = &rma, .rma_iov_count = 1, .context = x };
	ssize_t err;

	while (n < most && x->posted + n < x->base.n) {
		const struct net_sge *s = &x->sge[x->posted + n];

		iov[n++] = (struct iovec){ s->addr, s->bytes };
		bytes += s->bytes;
	}
	msg.iov_count = n;
	rma.len = bytes;
	rma.key = x->base.write ? x->base.grant->k.write_key : x->base.grant->k.read_key;
	/* A write is done when the owner has it. */
	if (x->base.write)
		err = fi_writemsg(l->ep, &msg, FI_COMPLETION | FI_DELIVERY_COMPLETE);
	else
		err = fi_readmsg(l->ep, &msg, FI_COMPLETION);
	if (err)
		return err;
	x->base.off += bytes;
	x->posted += (unsigned)n;
	x->parts++;
	return 0;
}

static void lane_lost(struct ofi_lane *l);

static void lane_post(struct ofi_lane *l)
{
	while (!list_empty(&l->queue)) {
		struct ofi_xfer *x = container_of(l->queue.next, struct ofi_xfer, base.link);
		ssize_t err = 0;

		if (!x->posted && !net_grant_allows(x->base.grant, x->base.write)) {
			list_del(&x->base.link);
			ofi_xfer_done(l->data, x, -EACCES);
			continue;
		}
		if (!x->posted && l->careful && l->in_flight)
			return;
		l->in_flight += !x->posted;
		while (x->posted < x->base.n && !err)
			err = pieces_post(l, x);
		if (err) {
			l->in_flight -= !x->posted;
			if (err != -FI_EAGAIN)
				lane_lost(l);
			return;
		}
		list_del(&x->base.link);
		list_add_tail(&l->flight, &x->base.link);
	}
	if (!l->in_flight)
		l->careful = false;
}

static void lane_up(struct ofi_lane *l)
{
	l->state = OFI_LANE_UP;
	ofi_lane_watch(l);
	if (l->suspect) {
		/* The other side lives and lets us in: it was the transfer that it did not like. */
		ofi_xfer_done(l->data, l->suspect, -EACCES);
		l->suspect = NULL;
	}
	lane_post(l);
}

/* To the front of the queue, in order, as if never posted. */
static void flight_back(struct ofi_lane *l)
{
	while (!list_empty(&l->flight)) {
		struct ofi_xfer *x = container_of(l->flight.prev, struct ofi_xfer, base.link);

		list_del(&x->base.link);
		list_add_tail(l->queue.next, &x->base.link);
	}
	for (struct list *p = l->queue.next; p != &l->queue; p = p->next) {
		struct ofi_xfer *x = container_of(p, struct ofi_xfer, base.link);

		while (x->posted)
			x->base.off -= x->sge[--x->posted].bytes;
		x->parts = 0;
	}
}

static void lane_lost(struct ofi_lane *l)
{
	bool one = l->in_flight == 1;

	wire_close(l);
	flight_back(l);
	if (list_empty(&l->queue))
		return;
	if (net_life_dead(l->data->xfers.life)) {
		ofi_lane_fail(l, -EPIPE);
		return;
	}
	if (one) {
		l->suspect = container_of(l->queue.next, struct ofi_xfer, base.link);
		list_del(&l->suspect->base.link);
	}
	l->careful = true;
	lane_open(l);
}

/* Not let in, or nobody there: the peer has closed the connection or is gone. */
static void lane_refused(struct ofi_lane *l)
{
	net_life_kill(l->data->xfers.life);
	ofi_lane_fail(l, -EPIPE);
}

static void lane_take(struct ofi_lane *l)
{
	struct fi_cq_msg_entry e[16];

	for (;;) {
		ssize_t n = fi_cq_read(l->cq.cq, e, 16);

		if (n == -FI_EAGAIN)
			return;
		if (n <= 0) {
			lane_lost(l);
			return;
		}
		for (ssize_t i = 0; i < n; i++) {
			struct ofi_xfer *x = e[i].op_context;

			if (--x->parts || x->posted < x->base.n)
				continue;
			l->in_flight--;
			list_del(&x->base.link);
			ofi_xfer_done(l->data, x, 0);
		}
	}
}

void ofi_lane_run(struct ofi_lane *l)
{
	int err;

	if (l->state == OFI_LANE_CONNECTING && l->eq.eq) {
		err = ofi_eq_outcome(l->eq.eq);
		if (!err)
			lane_up(l);
		else if (err != -EAGAIN)
			lane_refused(l);
	}
	if (l->state != OFI_LANE_UP)
		return;
	lane_take(l);
	if (l->state == OFI_LANE_UP && !list_empty(&l->queue))
		lane_post(l);
	if (l->state == OFI_LANE_UP && list_empty(&l->queue) && !l->in_flight)
		l->careful = false;
}

void ofi_lane_submit(struct ofi_lane *l, struct ofi_xfer *x)
{
	list_add_tail(&l->queue, &x->base.link);
	if (l->state == OFI_LANE_CLOSED)
		lane_open(l);
	else if (l->state == OFI_LANE_UP && l->queue.next == &x->base.link)
		lane_post(l);
}

struct ofi_lane *ofi_lane_waiting(struct ofi_net *net, const uint64_t secret[2])
{
	for (struct list *p = net->waiting.next; p != &net->waiting; p = p->next) {
		struct ofi_lane *l = container_of(p, struct ofi_lane, waiting);

		if (l->secret[0] == secret[0] && l->secret[1] == secret[1])
			return l;
	}
	return NULL;
}

int ofi_lane_accept(struct ofi_lane *l, struct fi_info *info)
{
	struct ofi_net *net = lane_net(l);
	int err = ofi_cq_open(net, net->domain, &l->cq);

	list_del(&l->waiting);
	if (!err)
		err = ofi_ep_open(net->domain, info, net->eq.eq, l->cq.cq, &l->context, &l->ep);
	if (!err)
		err = fi_accept(l->ep, NULL, 0);
	if (err)
		ofi_lane_fail(l, -EIO);
	return err;
}

void ofi_lane_event(struct ofi_lane *l, bool up)
{
	if (up)
		lane_up(l);
	else if (l->state == OFI_LANE_UP)
		lane_lost(l);
	else
		lane_refused(l);
}
