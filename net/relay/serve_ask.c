/* What clients ask for on their sessions. A question is checked whole before anything is done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/relay/serve.h"

void rclient_answer(struct rclient *c, uint32_t op, int err, uint32_t id, const struct net_key *key, int fd)
{
	struct relay_answer a = { .op = op, .err = err, .id = id };

	if (key)
		a.key = *key;
	err = packet_send(c->fd, &a, sizeof(a), fd);
	if (err)
		rclient_end(c, err == -EPIPE ? NULL : "it does not take its answers");
}

static void ask_hello(struct rclient *c, const struct relay_ask *q)
{
	c->greeted = q->arg == RELAY_VERSION;
	rclient_answer(c, q->op, c->greeted ? 0 : -EPROTO, 0, NULL, -1);
}

static void ask_connect(struct rclient *c, const struct relay_ask *q)
{
	int err = -EINVAL;

	if (q->addr[0] && memchr(q->addr, 0, sizeof(q->addr)))
		err = rconn_begin(c, q->addr, q->ms);
	if (err)
		rclient_answer(c, q->op, err, 0, NULL, -1);
}

static void ask_data(struct rclient *c, const struct relay_ask *q)
{
	struct rconn *conn = rconn_find(c, q->id);
	uint32_t id = 0;
	int fd = -1, err = -EPIPE;

	if (q->arg >= NET_CLASSES) {
		rclient_end(c, "a class that there is not");
		return;
	}
	if (conn && conn->rack)
		err = rdata_open(conn, (enum net_class)q->arg, &id, &fd);
	rclient_answer(c, q->op, err, id, NULL, fd);
	if (fd >= 0)
		close(fd);
}

static void ask_data_stop(struct rclient *c, const struct relay_ask *q)
{
	struct rdata *d = rdata_find(c, q->id);

	if (d)
		rdata_stop(d);
	rclient_answer(c, q->op, d ? 0 : -ENOENT, 0, NULL, -1);
}

void rremote_put(struct rremote *m)
{
	m->freed = true;
	if (m->users)
		return;
	if (m->remote)
		net_remote_close(m->remote);
	free(m);
}

static int remote_open(struct rclient *c, const struct relay_ask *q, uint32_t *id)
{
	struct rconn *conn = rconn_find(c, q->id);
	struct rremote *m;
	int err;

	if (!conn || !conn->rack)
		return -EPIPE;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->conn = conn;
	m->bytes = q->bytes;
	err = net_remote_open(conn->rack, &q->key, q->bytes, &m->remote);
	if (err) {
		free(m);
		return err;
	}
	*id = ids_add(&c->remotes, m);
	if (*id == RELAY_ID_NONE) {
		rremote_put(m);
		return -EMFILE;
	}
	c->r->stats.remotes++;
	return 0;
}

static void ask_remote(struct rclient *c, const struct relay_ask *q)
{
	uint32_t id = 0;
	int err = remote_open(c, q, &id);

	rclient_answer(c, q->op, err, id, NULL, -1);
}

static void ask_remote_close(struct rclient *c, const struct relay_ask *q)
{
	struct rremote *m = ids_get(&c->remotes, q->id);

	if (!m) {
		rclient_end(c, "it closes a remote that it has not");
		return;
	}
	ids_del(&c->remotes, q->id);
	c->r->stats.remotes--;
	rremote_put(m);
}

void rregion_put(struct rregion *g)
{
	if (!g->freed) {
		g->c->region_bytes -= g->bytes;
		g->c->r->stats.region_bytes -= g->bytes;
		g->c->r->stats.regions--;
	}
	g->freed = true;
	if (g->users)
		return;
	net_mr_free(g->mr);
	free(g);
}

static int region_open(struct rclient *c, uint64_t bytes, uint32_t *id, int *fd)
{
	struct rregion *g;
	int err;

	if (!bytes || bytes % PAGE_BYTES || bytes > RELAY_REGION_BYTES_MAX - c->region_bytes)
		return -ENOMEM;
	err = c->pd ? 0 : net_pd_open(c->r->rack, &c->pd);
	if (err)
		return err;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->c = c;
	g->bytes = (uint32_t)bytes;
	err = net_mr_alloc(c->pd, bytes, true, &g->mr);
	if (err) {
		free(g);
		return err;
	}
	c->region_bytes += bytes;
	c->r->stats.region_bytes += bytes;
	c->r->stats.regions++;
	*fd = net_mr_fd(g->mr);
	*id = *fd < 0 ? RELAY_ID_NONE : ids_add(&c->regions, g);
	if (*id != RELAY_ID_NONE)
		return 0;
	err = *fd < 0 ? *fd : -EMFILE;
	*fd = -1;
	rregion_put(g);
	return err;
}

static void ask_region(struct rclient *c, const struct relay_ask *q)
{
	uint32_t id = 0;
	int fd = -1, err = region_open(c, q->bytes, &id, &fd);

	rclient_answer(c, q->op, err, id, NULL, fd);
}

static void ask_grant(struct rclient *c, const struct relay_ask *q)
{
	struct rregion *g = ids_get(&c->regions, q->id);
	struct rconn *conn = rconn_find(c, q->to);
	struct net_key key = { { 0 } };
	int err = -EPIPE;

	if (!g) {
		rclient_end(c, "it grants a region that it has not");
		return;
	}
	if (conn && conn->rack)
		err = net_mr_grant(g->mr, conn->rack, q->arg, &key);
	rclient_answer(c, q->op, err, 0, &key, -1);
}

static void ask_seal(struct rclient *c, const struct relay_ask *q)
{
	struct rregion *g = ids_get(&c->regions, q->id);

	if (g)
		rclient_answer(c, q->op, net_mr_seal(g->mr), 0, NULL, -1);
	else
		rclient_end(c, "it seals a region that it has not");
}

static void ask_free(struct rclient *c, const struct relay_ask *q)
{
	struct rregion *g = ids_get(&c->regions, q->id);

	if (!g) {
		rclient_end(c, "it frees a region that it has not");
		return;
	}
	ids_del(&c->regions, q->id);
	rregion_put(g);
}

static void ask_serve(struct rclient *c, const struct relay_ask *q)
{
	static void (*const serve[])(struct rclient *, const struct relay_ask *) = {
		[RELAY_HELLO - RELAY_HELLO] = ask_hello,   [RELAY_CONNECT - RELAY_HELLO] = ask_connect,
		[RELAY_DATA - RELAY_HELLO] = ask_data,	   [RELAY_DATA_STOP - RELAY_HELLO] = ask_data_stop,
		[RELAY_REMOTE - RELAY_HELLO] = ask_remote, [RELAY_REMOTE_CLOSE - RELAY_HELLO] = ask_remote_close,
		[RELAY_MR - RELAY_HELLO] = ask_region,	   [RELAY_MR_GRANT - RELAY_HELLO] = ask_grant,
		[RELAY_MR_SEAL - RELAY_HELLO] = ask_seal,  [RELAY_MR_FREE - RELAY_HELLO] = ask_free,
	};
	uint32_t which = q->op - RELAY_HELLO;

	if (which >= sizeof(serve) / sizeof(serve[0]) || q->reserved0 || q->reserved1 ||
	    c->greeted == (q->op == RELAY_HELLO))
		rclient_end(c, "a malformed question");
	else if (c->connecting)
		rclient_end(c, "a question before the answer to the last");
	else
		serve[which](c, q);
}

void rclient_event(void *arg, uint32_t events)
{
	struct rclient *c = arg;
	struct relay_ask q;

	(void)events;
	for (unsigned i = 0; i < RELAY_ROUND && !c->over; i++) {
		long n = packet_recv(c->fd, &q, sizeof(q), NULL);

		if (n == -EAGAIN)
			return;
		if (n == sizeof(q))
			ask_serve(c, &q);
		else
			rclient_end(c, n == -EPIPE ? NULL : "a malformed question");
	}
}
