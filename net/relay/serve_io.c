/* Requests of transfers on data sockets: checked whole, then queued (schedule.c); and their answers. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/relay/serve.h"

static void rio_free(struct rio *io)
{
	for (uint32_t i = 0; i < io->n; i++) {
		struct rregion *g = io->part[i].region;

		if (--g->users == 0 && g->freed)
			rregion_put(g);
	}
	if (--io->remote->users == 0 && io->remote->freed)
		rremote_put(io->remote);
	list_del(&io->link);
	list_del(&io->mine);
	free(io);
}

void rio_done(struct rio *io)
{
	struct relay_done done = { .cookie = io->cookie, .err = io->err };
	struct rdata *d = io->d;

	rio_free(io);
	if (!d)
		return;
	d->under_way--;
	switch (packet_send(d->fd, &done, sizeof(done), -1)) {
	case 0:
	case -EPIPE: /* its event follows */
		break;
	default:
		rclient_end(d->c, "it does not take its completions");
	}
}

/* NULL, or what is wrong. */
static const char *io_parts(struct rclient *c, const struct relay_io *q, struct rio *io)
{
	for (uint32_t i = 0; i < q->n; i++) {
		const struct relay_piece *p = &q->piece[i];
		struct rregion *g = ids_get(&c->regions, p->region);

		if (!g)
			return "a transfer with a region that it has not";
		if (!p->bytes || p->off > g->bytes || p->bytes > g->bytes - p->off)
			return "a transfer outside of its region";
		io->part[i].region = g;
		io->part[i].off = p->off;
		io->part[i].bytes = p->bytes;
		io->total += p->bytes;
	}
	return NULL;
}

static const char *io_check(struct rdata *d, const struct relay_io *q, struct rio *io)
{
	const char *wrong;

	if (q->write > 1)
		return "a malformed transfer";
	if (d->under_way >= RELAY_DEPTH)
		return "more transfers than its credits";
	io->remote = ids_get(&d->c->remotes, q->remote);
	if (!io->remote || (io->remote->conn && d->conn && io->remote->conn != d->conn))
		return "a transfer with a remote that it has not";
	wrong = io_parts(d->c, q, io);
	if (wrong)
		return wrong;
	if (io->total > io->remote->bytes || q->off > io->remote->bytes - io->total)
		return "a transfer outside of its remote";
	return NULL;
}

static void io_begin(struct rdata *d, const struct relay_io *q, struct rio *io)
{
	io->d = d;
	io->cookie = q->cookie;
	io->off = q->off;
	io->write = q->write;
	io->n = q->n;
	for (uint32_t i = 0; i < io->n; i++)
		io->part[i].region->users++;
	io->remote->users++;
	d->under_way++;
	d->c->r->stats.transfers++;
	list_init(&io->link);
	list_add_tail(&d->ios, &io->mine);
	if (d->conn && io->remote->conn) {
		io->lane = &d->conn->lane[d->class];
		rio_queue(io);
		return;
	}
	io->err = -EPIPE;
	rio_done(io);
}

static void io_take(struct rdata *d, const struct relay_io *q, size_t len)
{
	const char *wrong = "a malformed transfer";
	struct rio *io;

	if (len < offsetof(struct relay_io, piece) || !q->n || q->n > NET_SGE_MAX || len != RELAY_IO_BYTES(q->n)) {
		rclient_end(d->c, wrong);
		return;
	}
	io = calloc(1, sizeof(*io) + q->n * sizeof(io->part[0]));
	wrong = io ? io_check(d, q, io) : "there is no memory for its transfers";
	if (!wrong) {
		io_begin(d, q, io);
		return;
	}
	free(io);
	rclient_end(d->c, wrong);
}

static void data_event(void *arg, uint32_t events)
{
	struct rdata *d = arg;
	struct relay *r = d->c->r;
	struct relay_io q;

	(void)events;
	for (unsigned i = 0; i < RELAY_ROUND && !d->c->over; i++) {
		long n = packet_recv(d->fd, &q, sizeof(q), NULL);

		if (n == -EAGAIN)
			break;
		if (n == -EPIPE) {
			rdata_free(d);
			return;
		}
		if (n < 0) {
			rclient_end(d->c, "a malformed transfer");
			return;
		}
		io_take(d, &q, (size_t)n);
	}
	if (d->conn)
		schedule(r, d->conn->flow->target);
}

int rdata_open(struct rconn *conn, enum net_class class, uint32_t *id, int *client_fd)
{
	struct rclient *c = conn->c;
	struct rdata *d;
	int pair[2], err;

	if (c->n_datas >= RELAY_DATAS_MAX)
		return -EMFILE;
	err = rlane_open(&conn->lane[class]);
	if (err)
		return err;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	err = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ? -errno : 0;
	if (err)
		goto out_free;
	d->c = c;
	d->conn = conn;
	d->class = class;
	d->fd = pair[0];
	d->id = ++c->next_data;
	list_init(&d->ios);
	err = loop_fd_add(c->r->loop, d->fd, EPOLLIN | EPOLLRDHUP, data_event, d);
	if (err)
		goto out_close;
	list_add_tail(&c->datas, &d->link);
	c->n_datas++;
	*id = d->id;
	*client_fd = pair[1];
	return 0;

out_close:
	close(pair[0]);
	close(pair[1]);
out_free:
	free(d);
	return err;
}

struct rdata *rdata_find(struct rclient *c, uint32_t id)
{
	for (struct list *l = c->datas.next; l != &c->datas; l = l->next) {
		struct rdata *d = container_of(l, struct rdata, link);

		if (d->id == id)
			return d;
	}
	return NULL;
}

/* Drop what waits; what the fabric has is waited for by nobody. */
static void ios_leave(struct rdata *d)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &d->ios) {
		struct rio *io = container_of(pos, struct rio, mine);

		io->d = NULL;
		list_del(&io->mine);
	}
	d->under_way = 0;
}

void rdata_stop(struct rdata *d)
{
	if (d->conn && d->under_way)
		rlane_restart(&d->conn->lane[d->class], d);
	d->under_way = 0;
}

void rdata_free(struct rdata *d)
{
	ios_leave(d);
	loop_fd_del(d->c->r->loop, d->fd);
	close(d->fd);
	list_del(&d->link);
	d->c->n_datas--;
	free(d);
}
