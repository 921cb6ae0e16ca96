/*
 * For tests of monitors: one loop and one net in this process, on which a monitor runs for real and the test plays its
 * peers. rig_ask makes a call and runs the loop until its answer is there, so a test reads from top to bottom.
 */
#ifndef ASHLAR_TESTS_MONITOR_RIG_H
#define ASHLAR_TESTS_MONITOR_RIG_H
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"

#define RIG_LIMIT_S 10

static struct loop *rig_loop;
static struct net *rig_net;
static struct rpc_counters rig_counters;

static inline int rig_open(void **state)
{
	struct net_options options = { 0 };

	log_open("test", LOG_ERROR);
	if (loop_open(&rig_loop))
		return -1;
	options.loop = rig_loop;
	return net_open("local", &options, &rig_net);
}

static inline int rig_close(void **state)
{
	net_close(rig_net);
	loop_close(rig_loop);
	return 0;
}

static inline void rig_late(void *arg)
{
	fail_msg("nothing happened for %d s", RIG_LIMIT_S);
}

static inline void rig_enough(void *arg)
{
	loop_stop(rig_loop);
}

/* Run the loop until somebody stops it. */
static inline void rig_run(void)
{
	struct loop_timer limit = { .fn = rig_late };

	loop_timer_set(rig_loop, &limit, loop_now(rig_loop) + RIG_LIMIT_S * NS_PER_S);
	assert_int_equal(loop_run(rig_loop), 0);
	loop_timer_del(rig_loop, &limit);
}

static inline void rig_run_ms(unsigned ms)
{
	struct loop_timer t = { .fn = rig_enough };

	loop_timer_set(rig_loop, &t, loop_now(rig_loop) + ms * NS_PER_MS);
	rig_run(); /* an answer ends it early */
	loop_timer_del(rig_loop, &t);
}

/* Run until the condition holds. */
#define rig_until(condition)                                         \
	do {                                                         \
		for (int rig_turns = 0; !(condition); rig_turns++) { \
			assert_true(rig_turns < RIG_LIMIT_S * 1000); \
			rig_run_ms(1);                               \
		}                                                    \
	} while (0)

/* ---- a peer that the test plays ---- */

struct rig_peer {
	struct rpc *rpc; /* NULL: the connection has ended */
	unsigned admits, revokes;
	struct g2x_admit_req admit; /* the last one */
	struct placement_part parts[PROCESS_MEMORY_MAX + 1];
	uint32_t n_parts, revoked_pid;
	int admit_answer;
	bool admit_hangs; /* keep the request */
	uint64_t usage_bytes;
	bool usage_short;	      /* answer for fewer than were asked for */
	struct g2x_signal_req signal; /* the last one */
	int signal_answer;
	struct rpc_request *kept;
};

static inline void rig_closed(struct rpc *rpc, int err)
{
	struct rig_peer *p = rpc_ctx(rpc);

	p->rpc = NULL;
}

static inline int rig_admit(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	struct rig_peer *p = rpc_ctx(rpc_request_rpc(rq));

	p->admits++;
	memcpy(&p->admit, body, sizeof(p->admit));
	p->n_parts = n / (uint32_t)sizeof(p->parts[0]);
	if (n)
		memcpy(p->parts, tail, n);
	if (p->admit_hangs) {
		p->kept = rq;
		return RPC_LATER;
	}
	return p->admit_answer;
}

static inline int rig_revoke(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	struct rig_peer *p = rpc_ctx(rpc_request_rpc(rq));

	p->revokes++;
	p->revoked_pid = ((const struct g2x_revoke_req *)body)->pid;
	return 0;
}

static inline int rig_usage(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	struct rig_peer *p = rpc_ctx(rpc_request_rpc(rq));
	struct process_usage rows[PS_BATCH_MAX] = { 0 };
	uint32_t asked = ((const struct g2x_usage_req *)body)->n;

	for (uint32_t i = 0; i < asked; i++)
		rows[i] = (struct process_usage){ .bytes = p->usage_bytes, .state = 'S' };
	((struct g2x_usage_rep *)rep)->n = asked;
	return rpc_reply_tail(rq, rows, (asked - p->usage_short) * (uint32_t)sizeof(rows[0]));
}

static inline int rig_signal(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	struct rig_peer *p = rpc_ctx(rpc_request_rpc(rq));

	memcpy(&p->signal, body, sizeof(p->signal));
	return p->signal_answer;
}

static const struct rpc_service rig_service = {
	.handler = { [IDX_G2X_ADMIT] = rig_admit,
		     [IDX_G2X_REVOKE] = rig_revoke,
		     [IDX_G2X_USAGE] = rig_usage,
		     [IDX_G2X_SIGNAL] = rig_signal },
	.closed = rig_closed,
};

static inline void rig_connect(struct rig_peer *p, const char *addr, enum wire_kind kind)
{
	struct net_conn *conn;

	memset(p, 0, sizeof(*p));
	assert_int_equal(net_connect(rig_net, addr, 1000, &conn), 0);
	assert_int_equal(rpc_open(rig_loop, conn, kind, &rig_service, p, &rig_counters, &p->rpc), 0);
}

static inline void rig_hang_up(struct rig_peer *p)
{
	if (p->rpc)
		rpc_close(p->rpc);
	p->rpc = NULL;
}

struct rig_answer {
	bool there;
	int err;
	uint64_t rep[64];
	uint32_t tail_bytes;
	uint64_t tail[MSG_TAIL_MAX / 8];
};

/* As rpc_call_sync, but on the loop. The answer is in rig_answer, and its err is returned. */
static struct rig_answer rig_answer;

static inline void rig_done(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	const struct msg_info *info = arg;

	rig_answer.there = true;
	rig_answer.err = err;
	rig_answer.tail_bytes = err ? 0 : tail_bytes;
	if (!err)
		memcpy(rig_answer.rep, rep, info->rep_bytes);
	if (!err && tail_bytes)
		memcpy(rig_answer.tail, tail, tail_bytes);
	loop_stop(rig_loop);
}

static inline void rig_send(struct rig_peer *p, enum msg_id id, const void *req, const void *tail, uint32_t tail_bytes)
{
	memset(&rig_answer, 0, offsetof(struct rig_answer, tail));
	assert_non_null(p->rpc);
	assert_int_equal(rpc_call(p->rpc, id, 0, req, tail, tail_bytes, 5000, rig_done, (void *)msg_info(id)), 0);
}

static inline int rig_ask_tail(struct rig_peer *p, enum msg_id id, const void *req, const void *tail,
			       uint32_t tail_bytes)
{
	rig_send(p, id, req, tail, tail_bytes);
	while (!rig_answer.there)
		rig_run();
	return rig_answer.err;
}

static inline int rig_ask(struct rig_peer *p, enum msg_id id, const void *req)
{
	return rig_ask_tail(p, id, req, NULL, 0);
}

#endif
