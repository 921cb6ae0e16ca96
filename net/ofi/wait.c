/* Completion and event queues of libfabric with their wait descriptors, and endpoints bound to them. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
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

int ofi_cq_open(struct ofi_net *net, struct fid_domain *domain, struct ofi_cq *q)
{
	struct fi_cq_attr attr = { .size = CQ_ENTRIES, .format = FI_CQ_FORMAT_MSG, .wait_obj = FI_WAIT_FD };
	int err = fi_cq_open(domain, &attr, &q->cq, NULL);

	(void)net;
	if (err)
		return err;
	err = fi_control(&q->cq->fid, FI_GETWAIT, &q->fd);
	if (err)
		ofi_cq_close(q);
	return err;
}

void ofi_cq_close(struct ofi_cq *q)
{
	if (q->cq)
		ofi_fid_close(&q->cq->fid);
	q->cq = NULL;
}

int ofi_eq_open(struct ofi_net *net, struct fid_eq **eq, int *fd)
{
	struct fi_eq_attr attr = { .wait_obj = FI_WAIT_FD };
	int err = fi_eq_open(net->fabric, &attr, eq, NULL);

	if (err)
		return err;
	err = fi_control(&(*eq)->fid, FI_GETWAIT, fd);
	if (err) {
		ofi_fid_close(&(*eq)->fid);
		*eq = NULL;
	}
	return err;
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

bool ofi_may_wait(struct ofi_net *net, struct fid *fid)
{
	return fi_trywait(net->fabric, &fid, 1) == 0;
}

int ofi_poll_until(struct pollfd *p, unsigned n, uint64_t deadline_ns)
{
	uint64_t now = clock_ns(), left = now < deadline_ns ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	int got = ppoll(p, n, &ts, NULL);

	if (got < 0)
		return -errno;
	return got ? 0 : -ETIMEDOUT;
}

int ofi_eq_outcome(struct fid_eq *eq)
{
	struct fi_eq_err_entry e = { 0 };
	struct {
		struct fi_eq_cm_entry cm;
		uint8_t data[256];
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

int ofi_connected(struct ofi_net *net, struct fid_eq *eq, int fd, uint64_t deadline_ns)
{
	int err;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		err = ofi_eq_outcome(eq);
		if (err != -EAGAIN)
			return err;
		if (!ofi_may_wait(net, &eq->fid))
			continue;
		err = ofi_poll_until(&p, 1, deadline_ns);
		if (err && err != -EINTR)
			return err;
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
	}
}
