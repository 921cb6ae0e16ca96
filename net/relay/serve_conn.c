/*
 * Connections of clients: one on the rack's fabric and the client's message socket. Messages pass unread. Towards the
 * fabric one message is held when it has no room, and the client is not read meanwhile; towards the client messages are
 * queued up to a bound, as the fabric cannot be told to wait. The end of either side is the end of the other, at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/relay/serve.h"

struct rconn *rconn_find(struct rclient *c, uint32_t id)
{
	for (struct list *l = c->conns.next; l != &c->conns; l = l->next) {
		struct rconn *conn = container_of(l, struct rconn, link);

		if (conn->id == id)
			return conn;
	}
	return NULL;
}

static void conn_listen(struct rconn *conn)
{
	uint32_t want = EPOLLRDHUP | (conn->held_len || !conn->rack ? 0 : (uint32_t)EPOLLIN) |
			(list_empty(&conn->queue) ? 0 : (uint32_t)EPOLLOUT);

	if (want == conn->events)
		return;
	conn->events = want;
	loop_fd_mod(conn->c->r->loop, conn->fd, want);
}

/* What the client still has open through the connection fails from now on. */
static void conn_orphan(struct rconn *conn)
{
	struct rclient *c = conn->c;
	struct list *pos, *next;

	for (unsigned i = 0; i < NET_CLASSES; i++)
		rlane_end(&conn->lane[i], -EPIPE);
	list_for_each_safe(pos, next, &c->datas) {
		struct rdata *d = container_of(pos, struct rdata, link);

		if (d->conn == conn)
			d->conn = NULL;
	}
	for (uint32_t i = 0; i < c->remotes.size; i++) {
		struct rremote *m = c->remotes.at[i];

		if (!m || m->conn != conn)
			continue;
		net_remote_close(m->remote);
		m->remote = NULL;
		m->conn = NULL;
	}
}

static void rack_end(struct rconn *conn)
{
	struct net_conn *rack = conn->rack;

	if (!rack)
		return;
	conn_orphan(conn);
	conn->rack = NULL;
	net_conn_close(rack);
}

void rconn_free(struct rconn *conn)
{
	struct rclient *c = conn->c;

	if (conn->connecting)
		net_connect_cancel(conn->connecting);
	if (c->connecting == conn)
		c->connecting = NULL;
	rack_end(conn);
	while (!list_empty(&conn->queue)) {
		struct rmsg *m = container_of(conn->queue.next, struct rmsg, link);

		list_del(&m->link);
		free(m);
	}
	if (conn->fd >= 0) {
		loop_fd_del(c->r->loop, conn->fd);
		close(conn->fd);
		c->r->stats.connections--;
	}
	rflow_put(conn->flow);
	list_del(&conn->link);
	c->n_conns--;
	free(conn->held);
	free(conn);
}

/* Send what is queued. False: the client is gone, conn is freed. */
static bool queue_flush(struct rconn *conn)
{
	while (!list_empty(&conn->queue)) {
		struct rmsg *m = container_of(conn->queue.next, struct rmsg, link);
		int err = packet_send(conn->fd, m->bytes, m->len, -1);

		if (err == -EAGAIN)
			break;
		if (err) {
			rconn_free(conn);
			return false;
		}
		conn->queue_bytes -= m->len;
		list_del(&m->link);
		free(m);
	}
	if (!conn->rack && list_empty(&conn->queue)) {
		rconn_free(conn); /* all is said */
		return false;
	}
	return true;
}

static void rack_message(void *arg, const void *buf, size_t len)
{
	struct rconn *conn = arg;
	int err = -EAGAIN;
	struct rmsg *m;

	if (list_empty(&conn->queue))
		err = packet_send(conn->fd, buf, len, -1);
	if (err != -EAGAIN)
		return; /* sent, or its end follows */
	if (conn->queue_bytes + len > RELAY_QUEUE_BYTES_MAX || !(m = malloc(sizeof(*m) + len))) {
		rclient_end(conn->c, "it does not take its messages");
		return;
	}
	m->len = (uint32_t)len;
	memcpy(m->bytes, buf, len);
	conn->queue_bytes += m->len;
	list_add_tail(&conn->queue, &m->link);
	conn_listen(conn);
}

static void rack_closed(void *arg, int err)
{
	struct rconn *conn = arg;

	(void)err;
	rack_end(conn);
	if (queue_flush(conn))
		conn_listen(conn);
}

/* From the client to the fabric. 0, or -EAGAIN: it is held. */
static int rack_send(struct rconn *conn, const void *buf, uint32_t len)
{
	int err = net_send(conn->rack, buf, len);

	if (err != -EAGAIN)
		return 0; /* sent, or its end follows */
	if (!conn->held)
		conn->held = malloc(MSG_BYTES_MAX);
	if (!conn->held) {
		rclient_end(conn->c, "there is no memory for its messages");
		return 0;
	}
	if (buf != conn->held)
		memcpy(conn->held, buf, len);
	conn->held_len = len;
	return err;
}

static void rack_writable(void *arg)
{
	struct rconn *conn = arg;
	uint32_t len = conn->held_len;

	conn->held_len = 0;
	if (len)
		rack_send(conn, conn->held, len);
	conn_listen(conn);
}

static const struct net_conn_events rack_events = {
	.message = rack_message,
	.closed = rack_closed,
	.writable = rack_writable,
};

static void client_event(void *arg, uint32_t events)
{
	struct rconn *conn = arg;
	uint8_t buf[MSG_BYTES_MAX] __attribute__((aligned(16)));

	if (events & EPOLLOUT && !queue_flush(conn))
		return;
	for (unsigned i = 0; i < RELAY_ROUND && conn->rack && !conn->held_len && !conn->c->over; i++) {
		long n = packet_recv(conn->fd, buf, sizeof(buf), NULL);

		if (n == -EAGAIN)
			break;
		if (n == -EPIPE) {
			rconn_free(conn);
			return;
		}
		if (n < 0) {
			rclient_end(conn->c, "a malformed message");
			return;
		}
		rack_send(conn, buf, (uint32_t)n);
	}
	/* Where it is not read its end counts all the same. */
	if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) && (!conn->rack || conn->held_len)) {
		rconn_free(conn);
		return;
	}
	conn_listen(conn);
}

static int conn_settle(struct rconn *conn, struct net_conn *rack, int *client_fd)
{
	struct relay *r = conn->c->r;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	conn->fd = pair[0];
	conn->events = EPOLLIN | EPOLLRDHUP;
	err = loop_fd_add(r->loop, conn->fd, conn->events, client_event, conn);
	if (!err) {
		err = net_conn_set_events(rack, &rack_events, conn);
		if (err)
			loop_fd_del(r->loop, conn->fd);
	}
	if (err) {
		close(pair[0]);
		close(pair[1]);
		conn->fd = -1;
		return err;
	}
	r->stats.connections++;
	conn->rack = rack;
	*client_fd = pair[1];
	return 0;
}

static void connected(void *arg, int err, struct net_conn *rack)
{
	struct rconn *conn = arg;
	struct rclient *c = conn->c;
	int fd = -1;

	conn->connecting = NULL;
	c->connecting = NULL;
	if (!err) {
		err = conn_settle(conn, rack, &fd);
		if (err)
			net_conn_close(rack);
	}
	rclient_answer(c, RELAY_CONNECT, err, conn->id, NULL, fd);
	if (fd >= 0)
		close(fd);
	if (err)
		rconn_free(conn);
}

int rconn_begin(struct rclient *c, const char *addr, uint32_t ms)
{
	struct net_peer whom = { .known = true, .uid = c->uid, .gid = c->gid, .host_pid = c->host_pid };
	struct rwho who = charge_who(c->r, c->host_pid);
	struct rconn *conn;
	int err = -ENOMEM;

	if (c->n_conns >= RELAY_CONNS_MAX)
		return -EMFILE;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return err;
	conn->c = c;
	conn->fd = -1;
	conn->id = ++c->next_conn;
	list_init(&conn->queue);
	for (unsigned i = 0; i < NET_CLASSES; i++)
		rlane_init(&conn->lane[i], conn, (enum net_class)i);
	conn->flow = rflow_get(c->r, addr, &who);
	if (!conn->flow)
		goto out_free;
	err = net_connect_for(c->r->rack, &whom, addr, ms, connected, conn, &conn->connecting);
	if (err)
		goto out_flow;
	list_add_tail(&c->conns, &conn->link);
	c->n_conns++;
	c->connecting = conn;
	return 0;

out_flow:
	rflow_put(conn->flow);
out_free:
	free(conn);
	return err;
}
