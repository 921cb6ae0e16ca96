/*
 * Transfers of the client: a request names where in which region and where in which remote; the daemon moves the bytes
 * between them and answers. The connection's dead flag is looked at before and after, as on every fabric.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/relay/client.h"

static struct relay_data *relay_data(struct net_data *d)
{
	return container_of(d, struct relay_data, base);
}

int relay_data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct relay_life *life = container_of(conn, struct relay_conn, base)->life;
	struct relay_ask ask = { .op = RELAY_DATA, .id = life->id, .arg = class };
	struct relay_data *d = calloc(1, sizeof(*d));
	struct relay_answer answer;
	int err;

	if (!d)
		return -ENOMEM;
	err = relay_ask(conn->net, &ask, RELAY_ANSWER_MS, &answer, &d->fd);
	if (err) {
		free(d);
		return err;
	}
	d->id = answer.id;
	d->life = relay_life_get(life);
	*out = &d->base;
	return 0;
}

/* What is still under way must not touch memory after this: the daemon says when that is sure. */
void relay_data_close(struct net_data *base)
{
	struct relay_data *d = relay_data(base);
	struct relay_ask ask = { .op = RELAY_DATA_STOP, .id = d->id };
	struct relay_answer answer;

	if (d->under_way && relay_ask(base->net, &ask, RELAY_ANSWER_MS, &answer, NULL))
		log_debug("a transfer was left under way: the daemon is gone");
	close(d->fd);
	relay_life_put(d->life);
	free(d);
}

int relay_remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct relay_life *life = container_of(conn, struct relay_conn, base)->life;
	struct relay_ask ask = { .op = RELAY_REMOTE, .id = life->id, .bytes = bytes, .key = *key };
	struct relay_remote *r = calloc(1, sizeof(*r));
	struct relay_answer answer;
	int err;

	if (!r)
		return -ENOMEM;
	err = relay_ask(conn->net, &ask, RELAY_ANSWER_MS, &answer, NULL);
	if (err) {
		free(r);
		return err;
	}
	r->id = answer.id;
	r->life = relay_life_get(life);
	*out = &r->base;
	return 0;
}

void relay_remote_close(struct net_remote *base)
{
	struct relay_remote *r = container_of(base, struct relay_remote, base);
	struct relay_ask ask = { .op = RELAY_REMOTE_CLOSE, .id = r->id };

	relay_tell(base->net, &ask);
	relay_life_put(r->life);
	free(r);
}

static int piece_name(const struct net_sge *sge, struct relay_piece *p)
{
	const struct relay_mr *mr;
	uint64_t off;

	if (!sge->mr)
		return -EINVAL;
	mr = container_of(sge->mr, struct relay_mr, base);
	off = (uint64_t)((char *)sge->addr - mr->addr);
	if (off > mr->base.bytes || sge->bytes > mr->base.bytes - off)
		return -EINVAL;
	*p = (struct relay_piece){ .region = mr->id, .bytes = sge->bytes, .off = off };
	return 0;
}

static int transfer(struct net_data *base, struct net_remote *remote, uint64_t off, const struct net_sge *sge,
		    unsigned n, uint64_t cookie, bool write)
{
	struct relay_remote *r = container_of(remote, struct relay_remote, base);
	struct relay_data *d = relay_data(base);
	struct relay_io io;
	int err = 0;

	if (r->life != d->life)
		return -EINVAL;
	if (d->under_way == RELAY_DEPTH)
		return -EAGAIN;
	if (relay_dead(d->life))
		return -EPIPE;
	io.cookie = cookie;
	io.off = off;
	io.remote = r->id;
	io.write = write;
	io.n = (uint16_t)n;
	for (unsigned i = 0; i < n && !err; i++)
		err = piece_name(&sge[i], &io.piece[i]);
	if (!err)
		err = packet_send(d->fd, &io, RELAY_IO_BYTES(n), -1);
	if (!err)
		d->under_way++;
	return err;
}

int relay_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	       uint64_t total, uint64_t cookie)
{
	(void)total;
	return transfer(d, r, off, sge, n, cookie, false);
}

int relay_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		uint64_t total, uint64_t cookie)
{
	(void)total;
	return transfer(d, r, off, sge, n, cookie, true);
}

/* 1: d->done is the next one; 0: none is there; -EPIPE. */
static int done_take(struct relay_data *d)
{
	long n;

	if (d->has_done)
		return 1;
	if (!d->under_way)
		return 0;
	n = packet_recv(d->fd, &d->done, sizeof(d->done), NULL);
	if (n == -EAGAIN)
		return 0;
	if (n != sizeof(d->done))
		return -EPIPE;
	d->under_way--;
	d->has_done = true;
	return 1;
}

int relay_data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct relay_data *d = relay_data(base);
	int taken = 0;

	while (taken < n && done_take(d) == 1) {
		c[taken].cookie = d->done.cookie;
		c[taken++].err = relay_dead(d->life) ? -EPIPE : d->done.err;
		d->has_done = false;
	}
	return taken;
}

int relay_data_wait(struct net_data *base, uint64_t deadline_ns)
{
	struct relay_data *d = relay_data(base);
	short seen;
	int got, err;

	while ((got = done_take(d)) == 0) {
		if (!d->under_way)
			return relay_dead(d->life) ? -EPIPE : -ETIMEDOUT;
		err = relay_poll(d->fd, POLLIN, deadline_ns, &seen);
		if (err && err != -EINTR)
			return err;
	}
	return got < 0 ? got : 0;
}
