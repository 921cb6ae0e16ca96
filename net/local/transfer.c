/*
 * One-sided transfers: pread and pwrite on the owner's memfd, which need nothing of the owner, not even that it runs.
 * A descriptor outlives its owner, so the connection's dead flag is looked at before and after: what was read while the
 * owner's end was already known is not handed out.
 *
 * Threads: a remote may be used by many threads, each with its own local_data; nothing is written to the remote.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include "net/local/local.h"

/* Nothing queues here, so classes make no difference. */
int local_data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct local_conn *c = container_of(conn, struct local_conn, base);
	struct local_data *d = calloc(1, sizeof(*d));

	(void)class;
	if (!d)
		return -ENOMEM;
	d->life = local_life_get(c->life);
	*out = &d->base;
	return 0;
}

void local_data_close(struct net_data *base)
{
	struct local_data *d = container_of(base, struct local_data, base);

	local_life_put(d->life);
	free(d);
}

int local_remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct local_conn *c = container_of(conn, struct local_conn, base);
	struct local_remote *r = calloc(1, sizeof(*r));
	struct local_key k;
	int err;

	if (!r)
		return -ENOMEM;
	err = local_keys_take(c, key, bytes, &k);
	if (err) {
		free(r);
		return err;
	}
	r->life = local_life_get(c->life);
	r->fd = k.fd;
	r->access = k.access;
	*out = &r->base;
	return 0;
}

void local_remote_close(struct net_remote *base)
{
	struct local_remote *r = container_of(base, struct local_remote, base);

	close(r->fd);
	local_life_put(r->life);
	free(r);
}

static ssize_t move(int fd, uint64_t off, const struct net_sge *sge, unsigned n, bool write)
{
	struct iovec iov[NET_SGE_MAX];

	if (n == 1)
		return write ? pwrite(fd, sge->addr, sge->bytes, (off_t)off)
			     : pread(fd, sge->addr, sge->bytes, (off_t)off);
	for (unsigned i = 0; i < n; i++) {
		iov[i].iov_base = sge[i].addr;
		iov[i].iov_len = sge[i].bytes;
	}
	return write ? pwritev(fd, iov, (int)n, (off_t)off) : preadv(fd, iov, (int)n, (off_t)off);
}

static int move_error(ssize_t done, uint64_t total)
{
	if (done >= 0)
		return (uint64_t)done == total ? 0 : -EIO;
	return errno == EPERM || errno == EBADF ? -EACCES : -EIO; /* EPERM: sealed */
}

static int transfer(struct net_data *data, const struct local_remote *r, uint64_t off, const struct net_sge *sge,
		    unsigned n, uint64_t total, uint64_t cookie, bool write)
{
	struct local_data *d = container_of(data, struct local_data, base);
	int err;

	if (r->life != d->life)
		return -EINVAL;
	if (d->count == LOCAL_CQ_MAX)
		return -EAGAIN;
	if (life_dead(r->life))
		return -EPIPE;
	if (r->access & (write ? NET_WRITE : NET_READ))
		err = move_error(move(r->fd, off, sge, n, write), total);
	else
		err = -EACCES;
	if (life_dead(r->life))
		err = -EPIPE;
	d->cq[(d->first + d->count++) % LOCAL_CQ_MAX] = (struct net_completion){ cookie, err };
	return 0;
}

int local_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	       uint64_t total, uint64_t cookie)
{
	return transfer(d, container_of(r, struct local_remote, base), off, sge, n, total, cookie, false);
}

int local_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		uint64_t total, uint64_t cookie)
{
	return transfer(d, container_of(r, struct local_remote, base), off, sge, n, total, cookie, true);
}

int local_data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct local_data *d = container_of(base, struct local_data, base);
	int taken = 0;

	while (taken < n && d->count) {
		c[taken++] = d->cq[d->first];
		d->first = (d->first + 1) % LOCAL_CQ_MAX;
		d->count--;
	}
	return taken;
}

/* A transfer ends inside its own call: when no completion is there, none will come. */
int local_data_wait(struct net_data *base, uint64_t deadline_ns)
{
	struct local_data *d = container_of(base, struct local_data, base);

	(void)deadline_ns;
	if (d->count)
		return 0;
	return life_dead(d->life) ? -EPIPE : -ETIMEDOUT;
}
