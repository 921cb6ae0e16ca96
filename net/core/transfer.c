/*
 * One-sided transfers: the bounds every provider relies on are checked here, once; completions are counted here. The
 * synchronous calls are the asynchronous ones and a wait.
 *
 * This is the path of a miss: no lock, no allocation, no call but into the provider.
 */
#include <errno.h>
#include "ashlar/base/log.h"
#include "net/core/provider.h"

#define NET_TRANSFER_MAX (1ULL << 30) /* bytes of one transfer */

int net_data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	int err = conn->net->ops->data_open(conn, class, out);

	if (!err) {
		(*out)->net = conn->net;
		(*out)->class = class;
	}
	return err;
}

void net_data_close(struct net_data *d)
{
	d->net->ops->data_close(d);
}

int net_data_set_events(struct net_data *d, void (*ready)(void *arg), void *arg)
{
	BUG_ON(!d->net->opt.loop || d->ready);
	d->ready = ready;
	d->ready_arg = arg;
	return d->net->ops->data_start ? d->net->ops->data_start(d) : 0;
}

int net_remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	int err;

	if (!bytes)
		return -EINVAL;
	err = conn->net->ops->remote_open(conn, key, bytes, out);
	if (!err) {
		(*out)->net = conn->net;
		(*out)->bytes = bytes;
	}
	return err;
}

void net_remote_close(struct net_remote *r)
{
	r->net->ops->remote_close(r);
}

/* Sum of the pieces, or -EINVAL, -ERANGE. */
static int64_t transfer_bytes(const struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n)
{
	uint64_t total = 0;

	if (!n || n > NET_SGE_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		if (!sge[i].bytes || !sge[i].addr)
			return -EINVAL;
		total += sge[i].bytes;
	}
	if (total > r->bytes || off > r->bytes - total)
		return -ERANGE;
	return total <= NET_TRANSFER_MAX ? (int64_t)total : -EINVAL;
}

int net_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	     uint64_t cookie)
{
	int64_t total = transfer_bytes(r, off, sge, n);
	int err;

	if (total < 0)
		return (int)total;
	err = d->net->ops->read(d, r, off, sge, n, (uint64_t)total, cookie);
	if (!err) {
		net_count(&d->net->stats.reads, 1);
		net_count(&d->net->stats.read_bytes, (uint64_t)total);
	}
	return err;
}

int net_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	      uint64_t cookie)
{
	int64_t total = transfer_bytes(r, off, sge, n);
	int err;

	if (total < 0)
		return (int)total;
	err = d->net->ops->write(d, r, off, sge, n, (uint64_t)total, cookie);
	if (!err) {
		net_count(&d->net->stats.writes, 1);
		net_count(&d->net->stats.write_bytes, (uint64_t)total);
	}
	return err;
}

int net_data_poll(struct net_data *d, struct net_completion *c, int n)
{
	int taken = d->net->ops->data_poll(d, c, n);

	for (int i = 0; i < taken; i++)
		if (c[i].err)
			net_count(&d->net->stats.failures, 1);
	return taken;
}

int net_data_wait(struct net_data *d, uint64_t deadline_ns)
{
	return d->net->ops->data_wait(d, deadline_ns);
}

/* One that no earlier transfer has which timed out and completes now. */
static uint64_t sync_cookie(struct net_data *d)
{
	return ++d->sync_cookies;
}

static int completion_take(struct net_data *d, uint64_t cookie, uint64_t deadline_ns)
{
	struct net_completion c;
	int err;

	do {
		while (!net_data_poll(d, &c, 1)) {
			err = net_data_wait(d, deadline_ns);
			if (err)
				return err;
		}
	} while (c.cookie != cookie);
	return c.err;
}

int net_read_sync(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		  uint64_t deadline_ns)
{
	uint64_t cookie = sync_cookie(d);
	int err = net_read(d, r, off, sge, n, cookie);

	return err ? err : completion_take(d, cookie, deadline_ns);
}

int net_write_sync(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		   uint64_t deadline_ns)
{
	uint64_t cookie = sync_cookie(d);
	int err = net_write(d, r, off, sge, n, cookie);

	return err ? err : completion_take(d, cookie, deadline_ns);
}
