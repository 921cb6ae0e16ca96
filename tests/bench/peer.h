/*
 * What measurements of a fabric share: an owner of memory, in a process of its own or on another machine, and the way to
 * it. The owner grants a region to whoever sends one byte, and echoes all that is longer.
 */
#ifndef ASHLAR_TESTS_BENCH_PEER_H
#define ASHLAR_TESTS_BENCH_PEER_H
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/loop.h"
#include "ashlar/net.h"
#include "tests/programs/say.h"

#define PEER_WAIT_NS 5000000000u
#define PEER_TRIP_BYTES 64u

/* ---- the owner ---- */

struct owner {
	const char *fabric, *hook; /* hook: NULL for none */
	const char *listen;	   /* NULL: where the fabric chooses */
	uint32_t pages;
	void (*begin)(struct loop *); /* before it serves; NULL: nothing */
	struct net_pd *pd;
};

struct owner_conn {
	struct owner *owner;
	struct net_conn *conn;
};

static inline void owner_asked(void *arg, const void *buf, size_t len)
{
	struct owner_conn *c = arg;
	struct net_mr *mr;
	struct net_key key;

	if (len > 1) {
		MUST(!net_send(c->conn, buf, len));
		return;
	}
	MUST(!net_mr_alloc(c->owner->pd, c->owner->pages * PAGE_BYTES, false, &mr));
	MUST(!net_mr_grant(mr, c->conn, NET_READ | NET_WRITE, &key) && !net_send(c->conn, &key, sizeof(key)));
}

static inline void owner_closed(void *arg, int err)
{
	struct owner_conn *c = arg;

	(void)err;
	net_conn_close(c->conn);
	free(c);
}

static inline void owner_writable(void *arg)
{
	(void)arg;
}

static inline void owner_accepted(void *arg, struct net_conn *conn)
{
	static const struct net_conn_events events = { owner_asked, owner_closed, owner_writable };
	struct owner_conn *c = malloc(sizeof(*c));

	MUST(c);
	*c = (struct owner_conn){ arg, conn };
	MUST(!net_conn_set_events(conn, &events, c));
}

/* Serves for ever; its address goes to the descriptor `ready` first. */
static inline void owner_run(struct owner *o, int ready) __attribute__((noreturn));
static inline void owner_run(struct owner *o, int ready)
{
	struct net_options options = { .hook = o->hook };
	struct net_listener *l;
	struct net *net;
	char addr[ADDR_BYTES];

	snprintf(addr, sizeof(addr), "%s:auto", o->fabric);
	MUST(!loop_open(&options.loop) && !net_open(o->fabric, &options, &net) && !net_pd_open(net, &o->pd));
	MUST(!net_listen(net, o->listen ? o->listen : addr, owner_accepted, o, &l));
	snprintf(addr, sizeof(addr), "%s", net_listener_addr(l));
	MUST(write(ready, addr, sizeof(addr)) == sizeof(addr));
	if (o->begin)
		o->begin(options.loop);
	loop_run(options.loop);
	_exit(EXIT_BROKEN);
}

/* ---- the way to it ---- */

struct peer {
	pid_t owner; /* 0: it is not ours */
	char addr[ADDR_BYTES];
	struct net *net;
	struct net_conn *conn;
	struct net_data *data;
	struct net_remote *remote;
	struct net_mr *mr; /* of buf, where the fabric wants that */
	void *buf;
};

/* An owner as a child of ours, that ends with us. */
static inline void peer_owner(struct peer *p, struct owner *o)
{
	int ready[2];

	MUST(!pipe(ready));
	fflush(NULL);
	p->owner = fork();
	if (!p->owner) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		owner_run(o, ready[1]);
	}
	close(ready[1]);
	MUST(read(ready[0], p->addr, sizeof(p->addr)) == sizeof(p->addr));
	close(ready[0]);
}

static inline void peer_receive(const struct peer *p, void *to, size_t len)
{
	uint64_t deadline = now_ns() + PEER_WAIT_NS;
	long n;

	while ((n = net_recv(p->conn, to, len)) == -EAGAIN) {
		int err = net_conn_wait(p->conn, deadline);

		MUST(!err || err == -EINTR);
	}
	MUST(n == (long)len);
}

/* To the owner at p->addr, who has `pages`; p->buf gets room for buf_bytes, a multiple of a page. */
static inline void peer_open(struct peer *p, const char *fabric, const char *hook, uint32_t pages, uint64_t buf_bytes)
{
	struct net_options options = { .hook = hook };
	struct net_key key;
	struct net_pd *pd;

	MUST(!net_open(fabric, &options, &p->net) && !net_connect(p->net, p->addr, 5000, &p->conn));
	MUST(!net_send(p->conn, "", 1));
	peer_receive(p, &key, sizeof(key));
	MUST(!net_remote_open(p->conn, &key, pages * PAGE_BYTES, &p->remote));
	MUST(!net_data_open(p->conn, NET_DEMAND, &p->data));
	p->mr = NULL;
	if (net_local_any(p->net)) {
		p->buf = aligned_alloc(PAGE_BYTES, buf_bytes);
	} else {
		MUST(!net_pd_open(p->net, &pd) && !net_mr_alloc(pd, buf_bytes, true, &p->mr));
		p->buf = net_mr_addr(p->mr);
	}
	MUST(p->buf);
}

/* The process ends soon: what it has goes with it. */
static inline void peer_close(struct peer *p)
{
	net_data_close(p->data);
	net_remote_close(p->remote);
	net_conn_close(p->conn);
	if (!p->mr) {
		free(p->buf);
		net_close(p->net);
	}
	if (p->owner) {
		kill(p->owner, SIGKILL);
		waitpid(p->owner, NULL, 0);
	}
}

static inline struct net_sge peer_sge(const struct peer *p, uint32_t bytes)
{
	return (struct net_sge){ .addr = p->buf, .bytes = bytes, .mr = p->mr };
}

static inline void peer_read(const struct peer *p, uint64_t off, uint32_t bytes)
{
	struct net_sge s = peer_sge(p, bytes);

	MUST(!net_read_sync(p->data, p->remote, off, &s, 1, now_ns() + PEER_WAIT_NS));
}

static inline void peer_write(const struct peer *p, uint64_t off, uint32_t bytes)
{
	struct net_sge s = peer_sge(p, bytes);

	MUST(!net_write_sync(p->data, p->remote, off, &s, 1, now_ns() + PEER_WAIT_NS));
}

/* Fill the owner's pages by page_fill, version 1. */
static inline void peer_fill(const struct peer *p, uint64_t pages)
{
	for (uint64_t page = 0; page < pages; page++) {
		page_fill(p->buf, page, 1);
		peer_write(p, page * PAGE_BYTES, PAGE_BYTES);
	}
}

static inline void peer_trip(const struct peer *p)
{
	uint8_t m[PEER_TRIP_BYTES] = { 0 };

	MUST(!net_send(p->conn, m, sizeof(m)));
	peer_receive(p, m, sizeof(m));
}

/* ---- figures ---- */

static inline int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

#endif
