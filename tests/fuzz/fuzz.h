/*
 * A mutating fuzzer for monitors: the monitor runs for real on a loop of this process over the fabric `local`; the
 * fuzzer plays its peers on raw connections of the same thread. One round: processes are admitted, a few peers come and
 * send messages of the corpus, most of them changed, in sequences that no peer would send; then all go, and the monitor
 * must hold nothing, and serve a peer that behaves.
 *
 *   NAME [SECONDS [SEED [FIRST [ROUNDS]]]]
 *
 * What happens in a round depends on SEED and its number only (and on what the monitor answers), so a finding is
 * replayed by `NAME 0 SEED ROUND 1`; that line is printed when something dies.
 */
#ifndef ASHLAR_TESTS_FUZZ_FUZZ_H
#define ASHLAR_TESTS_FUZZ_FUZZ_H
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"
#include "tests/fuzz/mutate.h"

#define FUZZ_PEERS 6u
#define FUZZ_STEPS 240u
#define FUZZ_PIDS 3u /* processes 1..FUZZ_PIDS are admitted in each round */

struct fuzz_peer {
	struct net_conn *conn; /* NULL: none */
	uint32_t kind, pid;    /* pid: of the process that it stands for, mostly */
	uint64_t req_id;
	unsigned proofs; /* messages that say who it is, sent */
	struct net_mr *mr;
	struct dictionary words;
};

/* One monitor under test. */
struct fuzz_target {
	const char *name;
	enum corpus_monitor monitor;
	enum wire_kind kinds[4]; /* what its peers are */
	const char *(*up)(void); /* its address */
	void (*down)(void);
	void (*round_begin)(void); /* admit processes */
	unsigned n_proofs;
	/* p->proofs: which of the messages that prove who it is, and bring it to where it has something to say */
	void (*proof)(struct fuzz_peer *, struct message *);
	/* Before a reply of ours to a request of the monitor's is changed: m is zero so far. NULL: that will do. */
	void (*answer)(const struct message *rq, struct message *m);
	/* What a message from the monitor teaches: the name of something in it, or 0. */
	uint64_t (*learn)(const struct message *);
	void (*fix)(struct fuzz_peer *, struct message *); /* what must not be done to the machine that runs this */
	void (*round_end)(void);			   /* peers are gone: revoke, check that nothing is held */
	void (*probe)(void);				   /* a peer that behaves */
};

static struct loop *fuzz_loop;
static struct net *fuzz_net, *fuzz_peers_net;
static struct net_pd *fuzz_pd;
static struct rpc_counters fuzz_counters;
static const char *fuzz_addr, *fuzz_name;
static struct fuzz_peer fuzz_peer[FUZZ_PEERS];
static uint64_t fuzz_seed, fuzz_round, fuzz_sent, fuzz_replies, fuzz_errors, fuzz_cuts;
static uint64_t fuzz_done[MSG_COUNT]; /* replies without an error */

static inline void fuzz_where(void)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "fuzz: seed %llu, round %llu; replay: %s 0 %llu %llu 1\n",
			 (unsigned long long)fuzz_seed, (unsigned long long)fuzz_round, fuzz_name,
			 (unsigned long long)fuzz_seed, (unsigned long long)fuzz_round);

	(void)!write(STDERR_FILENO, line, (size_t)n);
}

#define FUZZ_CHECK(condition)                                                                   \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

static inline void fuzz_died(int sig)
{
	fuzz_where();
	signal(sig, SIG_DFL);
	raise(sig);
}

void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static inline void fuzz_enough(void *arg)
{
	loop_stop(fuzz_loop);
}

/* Some turns of the monitor's loop: enough for what was sent to be served. */
static inline void fuzz_turns(unsigned n)
{
	while (n--) {
		struct loop_timer t = { .fn = fuzz_enough };

		loop_timer_set(fuzz_loop, &t, loop_now(fuzz_loop));
		loop_run(fuzz_loop);
		loop_timer_del(fuzz_loop, &t);
	}
}

#define fuzz_until(condition)                               \
	do {                                                \
		for (unsigned i_ = 0; !(condition); i_++) { \
			FUZZ_CHECK(i_ < 200000);            \
			fuzz_turns(1);                      \
		}                                           \
	} while (0)

/* ---- peers ---- */

static inline void fuzz_close(struct fuzz_peer *p)
{
	if (p->conn)
		net_conn_close(p->conn);
	if (p->mr)
		net_mr_free(p->mr);
	memset(p, 0, sizeof(*p));
}

static inline void fuzz_send(struct fuzz_peer *p, const struct message *m)
{
	int err = net_send(p->conn, m->bytes, m->len);

	if (err == -EAGAIN) { /* a peer that does not read what it is answered */
		fuzz_turns(2);
		return;
	}
	fuzz_sent++;
	if (err)
		fuzz_close(p);
}

static inline void fuzz_hello(struct fuzz_peer *p)
{
	struct hello_req hello = { msg_lists_hash(), p->kind, RPC_CREDITS };
	struct message m;

	message_make(&m, MSG_HELLO, &hello, sizeof(hello), NULL, 0);
	if (chance(3))
		message_mutate(&m);
	fuzz_send(p, &m);
}

static inline void fuzz_connect(const struct fuzz_target *t, struct fuzz_peer *p)
{
	if (net_connect(fuzz_peers_net, fuzz_addr, 1000, &p->conn)) {
		p->conn = NULL;
		return;
	}
	p->kind = chance(90) ? t->kinds[(p - fuzz_peer) % 4] : below(KIND_MAX + 2);
	p->pid = 1 + (chance(90) ? (uint32_t)(p - fuzz_peer) : below(FUZZ_PIDS)) % FUZZ_PIDS;
	fuzz_hello(p);
}

/* A reply of ours to a request of the monitor's: as it should be, or not. */
static inline void fuzz_answer(const struct fuzz_target *t, struct fuzz_peer *p, const struct message *rq)
{
	static uint8_t zero[MSG_BYTES_MAX];
	const struct msg_info *info = msg_info(rq->h.msg);
	struct message m;

	if (!info || chance(4))
		return;
	message_make(&m, rq->h.msg, zero, info->rep_bytes, NULL, 0);
	if (t->answer)
		t->answer(rq, &m);
	m.h.flags = WIRE_REPLY;
	m.h.req_id = rq->h.req_id;
	if (chance(8)) {
		m.h.err = -(int32_t)(1 + below(140));
		m.h.body_bytes = m.h.tail_bytes = 0;
		m.len = sizeof(m.h);
	}
	if (chance(8))
		message_mutate(&m);
	fuzz_send(p, &m);
}

/* Take what the monitor sent; numbers in it become words of the dictionary. */
static inline void fuzz_take(const struct fuzz_target *t, struct fuzz_peer *p)
{
	struct message m;
	long n;

	while (p->conn && (n = net_recv(p->conn, m.bytes, sizeof(m.bytes))) != -EAGAIN) {
		if (n < 0) {
			fuzz_cuts++;
			fuzz_close(p);
			return;
		}
		m.len = (size_t)n;
		if (m.h.msg == MSG_HELLO)
			continue;
		if (!m.h.err && t->learn)
			dictionary_learn(&p->words, t->learn(&m));
		if (!(m.h.flags & WIRE_REPLY)) {
			fuzz_answer(t, p, &m);
			continue;
		}
		fuzz_replies++;
		fuzz_errors += m.h.err != 0;
		if (!m.h.err) {
			if (msg_info(m.h.msg))
				fuzz_done[msg_info(m.h.msg)->index]++;
		}
	}
}

static inline void fuzz_step(const struct fuzz_target *t, struct fuzz_peer *p)
{
	static struct message held; /* sent later, out of order */
	struct message m;

	if (!p->conn) {
		fuzz_connect(t, p);
		return;
	}
	if (chance(2)) {
		fuzz_close(p);
		return;
	}
	if (chance(1)) {
		message_noise(&m);
		fuzz_send(p, &m);
		return;
	}
	if (p->proofs < t->n_proofs && chance(90)) {
		t->proof(p, &m);
		p->proofs++;
		if (chance(10))
			message_mutate(&m);
	} else {
		message_seed(&m, t->monitor);
		m.h.pid = chance(95) ? p->pid : below(8);
		if (chance(70))
			message_words(&m, &p->words);
		if (chance(35))
			message_mutate(&m);
	}
	if (m.h.req_id != UINT64_MAX) /* not the mutation's own */
		m.h.req_id = chance(99) ? ++p->req_id : p->req_id + below(130) - 65;
	if (t->fix)
		t->fix(p, &m);
	fuzz_send(p, &m);
	if (p->conn && chance(4))
		fuzz_send(p, &m);
	if (p->conn && held.len && chance(1))
		fuzz_send(p, &held);
	if (chance(4))
		held = m;
}

static inline void fuzz_one_round(const struct fuzz_target *t)
{
	random_seed(fuzz_seed * 0x9e3779b97f4a7c15ULL + fuzz_round);
	t->round_begin();
	for (unsigned i = 0; i < FUZZ_STEPS; i++) {
		struct fuzz_peer *p = &fuzz_peer[below(FUZZ_PEERS)];

		fuzz_step(t, p);
		if (chance(60))
			fuzz_turns(1 + below(3));
		if (p->conn && chance(90))
			fuzz_take(t, p);
	}
	for (unsigned i = 0; i < FUZZ_PEERS; i++)
		fuzz_close(&fuzz_peer[i]);
	fuzz_turns(4);
	t->round_end();
	if (fuzz_round % 16 == 0)
		t->probe();
}

static inline void fuzz_open(void)
{
	struct net_options opt = { 0 };

	log_set_fd(getenv("FUZZ_LOG") ? 2 : -1);
	FUZZ_CHECK(loop_open(&fuzz_loop) == 0);
	FUZZ_CHECK(net_open("local", &opt, &fuzz_peers_net) == 0 && net_pd_open(fuzz_peers_net, &fuzz_pd) == 0);
	opt.loop = fuzz_loop;
	FUZZ_CHECK(net_open("local", &opt, &fuzz_net) == 0);
}

/* A fuzzer that gets nowhere finds nothing: which kinds of requests did the monitor carry out, how often? */
static inline void fuzz_reached(const struct fuzz_target *t)
{
	printf("carried out:");
	for (unsigned i = 0; i < MSG_COUNT; i++) {
		if (fuzz_counters.requests[i])
			printf(" %s %llu of %llu", msg_info_at(i)->name, (unsigned long long)fuzz_done[i],
			       (unsigned long long)fuzz_counters.requests[i]);
		fflush(stdout);
		FUZZ_CHECK(!fuzz_counters.requests[i] || fuzz_done[i] || fuzz_round < 1000);
	}
	printf("\n");
}

static inline int fuzz_main(int argc, char **argv, const struct fuzz_target *t)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 8, rounds, from = clock_ns();

	fuzz_name = argv[0];
	fuzz_seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	fuzz_round = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	rounds = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
	corpus_load();
	signal(SIGABRT, fuzz_died);
	signal(SIGPIPE, SIG_IGN);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(fuzz_where);
	fuzz_open();
	fuzz_addr = t->up();
	t->probe();
	for (uint64_t first = fuzz_round;; fuzz_round++) {
		if (rounds ? fuzz_round - first == rounds : clock_ns() - from >= seconds * NS_PER_S)
			break;
		fuzz_one_round(t);
	}
	t->probe();
	fuzz_reached(t);
	t->down();
	net_pd_close(fuzz_pd);
	net_close(fuzz_peers_net);
	net_close(fuzz_net);
	loop_close(fuzz_loop);
	corpus_free();
	printf("%s: seed %llu: %llu rounds, %llu messages sent, %llu replies (%llu errors), %llu connections cut, "
	       "%llu malformed, %llu refused\n",
	       t->name, (unsigned long long)fuzz_seed, (unsigned long long)fuzz_round, (unsigned long long)fuzz_sent,
	       (unsigned long long)fuzz_replies, (unsigned long long)fuzz_errors, (unsigned long long)fuzz_cuts,
	       (unsigned long long)fuzz_counters.malformed, (unsigned long long)fuzz_counters.refused);
	return 0;
}

#endif
