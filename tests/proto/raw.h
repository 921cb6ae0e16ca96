/*
 * For tests of the protocol: an RPC server on a thread of its own, and hand-made messages on real connections to it.
 * The server counts what it applied; a breach must cost the peer its connection and nobody anything else.
 */
#ifndef ASHLAR_TESTS_PROTO_RAW_H
#define ASHLAR_TESTS_PROTO_RAW_H
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"

#define DEFERRED_MAX 128
#define STATUS_TAIL 8000u

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

struct server {
	pthread_t thread;
	struct loop *loop;
	struct net *net;
	struct net_listener *listener;
	int stop;
	struct rpc_counters counters;
	char addr[ADDR_BYTES];
	/* atomic: the tester looks at them */
	unsigned beats, closed, live;
	int refuse_hello;
	struct rpc_request *deferred[DEFERRED_MAX];
	unsigned n_deferred;
};
static struct server server;

/* ---- handlers: X2G_BEAT counts, X2G_END waits until X2G_JOIN, X2G_STATUS has a tail, P2M_STAT refuses ---- */

static inline int serve_beat(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	((struct x2g_beat_rep *)rep)->epoch = __atomic_add_fetch(&server.beats, 1, __ATOMIC_RELAXED);
	return 0;
}

static inline int serve_end(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	if (server.n_deferred == DEFERRED_MAX)
		return -EBUSY;
	server.deferred[server.n_deferred++] = rq;
	return RPC_LATER;
}

static inline void deferred_release(void)
{
	while (server.n_deferred)
		rpc_reply_later(server.deferred[--server.n_deferred], 0, NULL);
}

static inline int serve_join(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	deferred_release();
	return 0;
}

static inline int serve_status(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	uint8_t t[STATUS_TAIL];

	memset(t, 0x33, sizeof(t));
	((struct x2g_status_rep *)rep)->epoch = 7;
	return rpc_reply_tail(rq, t, sizeof(t));
}

static inline int serve_map(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	const struct p2m_map_req *req = body;

	if (req->n != n / sizeof(struct map_entry))
		return -EINVAL;
	((struct p2m_map_rep *)rep)->mapped_pages = n ? ((const struct map_entry *)tail)[0].vpn : 0;
	return 0;
}

static inline int serve_stat(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	return rpc_request_pid(rq) == 42 && rpc_request_tid(rq) == 43 ? -EXDEV : -EACCES;
}

/* Closes its own connection from inside a handler. */
static inline int serve_run(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	rpc_close(rpc_request_rpc(rq));
	__atomic_sub_fetch(&server.live, 1, __ATOMIC_RELEASE);
	return 0;
}

static inline void serve_closed(struct rpc *r, int err)
{
	__atomic_add_fetch(&server.closed, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&server.live, 1, __ATOMIC_RELEASE);
}

static inline int serve_hello(struct rpc *r)
{
	return __atomic_load_n(&server.refuse_hello, __ATOMIC_RELAXED);
}

static const struct rpc_service server_service = {
	.handler = {
		[IDX_X2G_BEAT] = serve_beat,
		[IDX_X2G_END] = serve_end,
		[IDX_X2G_JOIN] = serve_join,
		[IDX_X2G_STATUS] = serve_status,
		[IDX_X2G_RUN] = serve_run,
		[IDX_P2M_MAP] = serve_map,
		[IDX_P2M_STAT] = serve_stat,
	},
	.closed = serve_closed,
	.hello = serve_hello,
};

static inline void server_accepted(void *arg, struct net_conn *conn)
{
	struct rpc *r;

	__atomic_add_fetch(&server.live, 1, __ATOMIC_RELEASE);
	if (rpc_open(server.loop, conn, KIND_GMM, &server_service, NULL, &server.counters, &r))
		__atomic_sub_fetch(&server.live, 1, __ATOMIC_RELEASE);
}

static inline void server_stop_now(void *arg, uint32_t events)
{
	loop_stop(server.loop);
}

static inline void *server_run(void *arg)
{
	loop_run(server.loop);
	deferred_release();
	return NULL;
}

static inline int server_start(void **state)
{
	struct net_options opt = { 0 };

	memset(&server, 0, sizeof(server));
	log_open("test", LOG_ERROR); /* breaches are expected */
	assert_int_equal(loop_open(&server.loop), 0);
	opt.loop = server.loop;
	assert_int_equal(net_open("local", &opt, &server.net), 0);
	assert_int_equal(net_listen(server.net, "local:auto", server_accepted, NULL, &server.listener), 0);
	strcpy(server.addr, net_listener_addr(server.listener));
	server.stop = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(loop_fd_add(server.loop, server.stop, EPOLLIN, server_stop_now, NULL), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, server_run, NULL), 0);
	return 0;
}

/* Everyone who is closed on this side is gone on the server's too, within a second. */
static inline void server_settle(unsigned live)
{
	for (int i = 0; i < 1000 && __atomic_load_n(&server.live, __ATOMIC_ACQUIRE) != live; i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(&server.live, __ATOMIC_ACQUIRE), live);
}

static inline int server_end(void **state)
{
	uint64_t one = 1;

	server_settle(0);
	assert_int_equal(write(server.stop, &one, sizeof(one)), sizeof(one));
	pthread_join(server.thread, NULL);
	loop_fd_del(server.loop, server.stop);
	close(server.stop);
	net_listener_close(server.listener);
	net_close(server.net);
	loop_close(server.loop);
	return 0;
}

static inline unsigned beats(void)
{
	return __atomic_load_n(&server.beats, __ATOMIC_RELAXED);
}

static inline unsigned closed_count(void)
{
	return __atomic_load_n(&server.closed, __ATOMIC_RELAXED);
}

/* A counter of the server's thread; the tester knows that it is at rest. */
__attribute__((noinline, unused, no_sanitize("thread"))) static uint64_t counted(const uint64_t *counter)
{
	return *(const volatile uint64_t *)counter;
}

/* ---- hand-made messages ---- */

struct raw {
	struct wire_hdr h;
	uint8_t rest[MSG_BYTES_MAX - sizeof(struct wire_hdr)];
};

static inline struct net *raw_net(void)
{
	struct net_options opt = { 0 };
	struct net *net;

	assert_int_equal(net_open("local", &opt, &net), 0);
	return net;
}

static inline long raw_recv(struct net_conn *c, void *buf, size_t len, unsigned ms)
{
	uint64_t deadline = clock_ns() + ms * NS_PER_MS;
	long n;

	while ((n = net_recv(c, buf, len)) == -EAGAIN) {
		int err = net_conn_wait(c, deadline);

		if (err && err != -EINTR)
			return err;
	}
	return n;
}

static inline void raw_hello(struct raw *m, size_t *len)
{
	struct hello_req hello = { msg_lists_hash(), KIND_COMMAND, RPC_CREDITS };

	m->h = (struct wire_hdr){
		.magic = WIRE_MAGIC, .version = WIRE_VERSION, .msg = MSG_HELLO, .body_bytes = sizeof(hello)
	};
	memcpy(m->rest, &hello, sizeof(hello));
	*len = sizeof(m->h) + sizeof(hello);
}

/* A well-formed request: body and tail zero. */
static inline size_t raw_request(struct raw *m, enum msg_id id, uint64_t req_id, uint32_t tail)
{
	const struct msg_info *info = msg_info((uint16_t)id);

	memset(m, 0, sizeof(*m));
	m->h = (struct wire_hdr){ .magic = WIRE_MAGIC,
				  .version = WIRE_VERSION,
				  .msg = (uint16_t)id,
				  .req_id = req_id,
				  .body_bytes = info->req_bytes,
				  .tail_bytes = tail };
	return sizeof(m->h) + info->req_bytes + tail;
}

/* Connected; the server's hello is taken. */
static inline struct net_conn *raw_connect_mute(struct net *net)
{
	struct net_conn *c;
	struct raw m;

	assert_int_equal(net_connect(net, server.addr, 1000, &c), 0);
	assert_int_equal(raw_recv(c, &m, sizeof(m), 5000), sizeof(m.h) + sizeof(struct hello_req));
	assert_int_equal(m.h.msg, MSG_HELLO);
	return c;
}

static inline struct net_conn *raw_connect(struct net *net)
{
	struct net_conn *c = raw_connect_mute(net);
	struct raw m;
	size_t len;

	raw_hello(&m, &len);
	assert_int_equal(net_send(c, &m, len), 0);
	return c;
}

/* Take a reply to id; its err. */
static inline int raw_reply(struct net_conn *c, uint64_t id, struct raw *m)
{
	long n = raw_recv(c, m, sizeof(*m), 5000);

	assert_true(n >= (long)sizeof(m->h));
	assert_int_equal(m->h.flags, WIRE_REPLY);
	assert_int_equal(m->h.req_id, id);
	assert_int_equal(n, sizeof(m->h) + m->h.body_bytes + m->h.tail_bytes);
	return m->h.err;
}

static inline void raw_silent(struct net_conn *c, unsigned ms)
{
	struct raw m;

	assert_int_equal(raw_recv(c, &m, sizeof(m), ms), -ETIMEDOUT);
}

static inline void raw_closed(struct net_conn *c)
{
	struct raw m;
	long n;

	while ((n = raw_recv(c, &m, sizeof(m), 5000)) > 0)
		;
	assert_int_equal(n, -EPIPE);
}

/* A client that behaves is served. */
static inline void good_client(void)
{
	struct net *net = raw_net();
	struct x2g_beat_req req = { 0 };
	struct x2g_beat_rep rep;
	unsigned before = beats();
	struct rpc *r;

	assert_int_equal(rpc_connect_sync(net, server.addr, KIND_COMMAND, KIND_GMM, 5000, &r), 0);
	assert_int_equal(rpc_call_sync(r, X2G_BEAT, 1, 1, &req, NULL, 0, 5000, &rep, NULL, NULL), 0);
	assert_true(rep.epoch > before);
	rpc_close(r);
	net_close(net);
}

static inline unsigned fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline size_t memory_used(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks;
}

#endif
