/* Completion and event queues of libfabric with their wait descriptors, and endpoints bound to them. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

#define CQ_ENTRIES 256u

void ofi_fid_close(struct fid *fid)
{
	int err = fid ? fi_close(fid) : 0;

	if (err)
		log_error("libfabric: an object of class %zu does not close: %s", fid->fclass, strerror(-err));
}

/* A wait object of our own, or none and obj says FI_WAIT_FD. */
static int wait_open(struct ofi_net *net, struct fid_wait **wait, enum fi_wait_obj *obj)
{
	struct fi_wait_attr attr = { .wait_obj = FI_WAIT_FD };

	*wait = NULL;
	*obj = net->wait_sets ? FI_WAIT_SET : FI_WAIT_FD;
	return net->wait_sets ? fi_wait_open(net->fabric, &attr, wait) : 0;
}

static int wait_fd(struct fid *queue, struct fid_wait *wait, int *fd)
{
	return fi_control(wait ? &wait->fid : queue, FI_GETWAIT, fd);
}

int ofi_cq_open(struct ofi_net *net, struct fid_domain *domain, struct ofi_cq *q)
{
	struct fi_cq_attr attr = { .size = CQ_ENTRIES, .format = FI_CQ_FORMAT_MSG };
	int err = wait_open(net, &q->wait, &attr.wait_obj);

	attr.wait_set = q->wait;
	if (!err)
		err = fi_cq_open(domain, &attr, &q->cq, NULL);
	if (!err)
		err = wait_fd(&q->cq->fid, q->wait, &q->fd);
	if (err)
		ofi_cq_close(q);
	return err;
}

void ofi_cq_close(struct ofi_cq *q)
{
	ofi_fid_close(q->cq ? &q->cq->fid : NULL);
	ofi_fid_close(q->wait ? &q->wait->fid : NULL);
	*q = (struct ofi_cq){ .fd = -1 };
}

int ofi_eq_open(struct ofi_net *net, struct ofi_eq *q)
{
	struct fi_eq_attr attr = { 0 };
	int err = wait_open(net, &q->wait, &attr.wait_obj);

	attr.wait_set = q->wait;
	if (!err)
		err = fi_eq_open(net->fabric, &attr, &q->eq, NULL);
	if (!err)
		err = wait_fd(&q->eq->fid, q->wait, &q->fd);
	if (err)
		ofi_eq_close(q);
	return err;
}

void ofi_eq_close(struct ofi_eq *q)
{
	ofi_fid_close(q->eq ? &q->eq->fid : NULL);
	ofi_fid_close(q->wait ? &q->wait->fid : NULL);
	*q = (struct ofi_eq){ .fd = -1 };
}

/*
 * libfabric 1.17's provider net has an empty fi_trywait, which leaves a descriptor readable for ever once its queue had
 * something. Waiting on a wait object for no time at all does there what fi_trywait does elsewhere.
 */
static bool may_wait(struct ofi_net *net, struct fid *queue, struct fid_wait *wait)
{
	return wait ? fi_wait(wait, 0) == -FI_ETIMEDOUT : fi_trywait(net->fabric, &queue, 1) == 0;
}

bool ofi_cq_may_wait(struct ofi_net *net, struct ofi_cq *q)
{
	return may_wait(net, &q->cq->fid, q->wait);
}

bool ofi_eq_may_wait(struct ofi_net *net, struct ofi_eq *q)
{
	return may_wait(net, &q->eq->fid, q->wait);
}

int ofi_ep_open(struct fid_domain *domain, struct fi_info *info, struct fid_eq *eq, struct fid_cq *cq, void *context,
		struct fid_ep **ep)
{
	int err = fi_endpoint(domain, info, ep, context);

	if (err)
		return err;
	err = fi_ep_bind(*ep, &eq->fid, 0);
	if (!err)
		err = fi_ep_bind(*ep, &cq->fid, FI_TRANSMIT | FI_RECV);
	if (!err)
		err = fi_enable(*ep);
	if (err) {
		ofi_fid_close(&(*ep)->fid);
		*ep = NULL;
	}
	return err;
}

int ofi_eq_outcome(struct fid_eq *eq)
{
	struct fi_eq_err_entry e = { 0 };
	union {
		struct fi_eq_cm_entry cm;
		uint8_t bytes[sizeof(struct fi_eq_cm_entry) + OFI_PRIVATE_MAX];
	} buf;
	uint32_t event;
	ssize_t n;

	errno = 0; /* libfabric's tcp takes an old EAGAIN in errno for one of its own */
	n = fi_eq_read(eq, &event, &buf, sizeof(buf), 0);
	if (n == -FI_EAVAIL) {
		n = fi_eq_readerr(eq, &e, 0);
		return n > 0 && e.err ? -e.err : -EPIPE;
	}
	if (n == -FI_EAGAIN)
		return -EAGAIN;
	return n >= 0 && event == FI_CONNECTED ? 0 : -EPIPE;
}

int ofi_connected(struct ofi_net *net, struct ofi_eq *eq, uint64_t deadline_ns)
{
	int err;

	for (;;) {
		struct pollfd p = { .fd = eq->fd, .events = POLLIN };

		err = ofi_eq_outcome(eq->eq);
		if (err != -EAGAIN)
			return err;
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (!ofi_eq_may_wait(net, eq))
			continue;
		err = net_poll_until(&p, 1, deadline_ns);
		if (err && err != -EINTR)
			return err;
	}
}
