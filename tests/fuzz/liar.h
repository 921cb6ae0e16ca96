/*
 * A lying component: answers what it is asked with messages of the corpus, changed, over the fabric `local`. A round is
 * a liar and a client, each a process of its own, since the client's side (the dispatcher's) is one per process. The
 * client may fail as it likes, in words; it may not crash, nor hang, nor have a finding of the sanitizers.
 *
 *   NAME [SECONDS [SEED [FIRST [ROUNDS]]]]
 */
#ifndef ASHLAR_TESTS_FUZZ_LIAR_H
#define ASHLAR_TESTS_FUZZ_LIAR_H
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/net.h"
#include "tests/fuzz/mutate.h"

#define LIAR_ROUND_S 120

struct liar {
	struct net_conn *conn;
	struct net_pd *pd;
	struct net_data *data; /* into the client's buffer, where it granted one */
	struct net_remote *buffer;
};

/* What a liar does for some messages besides: rep is the reply that is about to be sent. */
typedef void liar_fn(struct liar *, const struct message *req, struct message *rep);

static struct net *liar_net;
static enum wire_kind liar_kind;
static enum corpus_monitor liar_monitor;
static liar_fn *liar_special;

static inline void liar_recorded(const struct message *req, struct message *rep)
{
	const struct msg_info *info = msg_info(req->h.msg);
	static const uint8_t zero[MSG_BYTES_MAX];

	for (unsigned i = 0; i < 400; i++) {
		message_load(rep, corpus_entry[below((uint32_t)corpus_entries)]);
		if (rep->h.msg == req->h.msg && rep->h.flags & WIRE_REPLY && !rep->h.err)
			return;
	}
	message_make(rep, req->h.msg, zero, info->rep_bytes, NULL, 0);
}

static inline void liar_message(void *arg, const void *buf, size_t len)
{
	struct liar *l = arg;
	struct hello_req hello = { msg_lists_hash(), liar_kind, 1 + below(2 * RPC_CREDITS) };
	struct message req, rep;

	memcpy(req.bytes, buf, len);
	req.len = len;
	if (req.h.msg == MSG_HELLO) {
		message_make(&rep, MSG_HELLO, &hello, sizeof(hello), NULL, 0);
		if (chance(1))
			message_mutate(&rep);
		(void)!net_send(l->conn, rep.bytes, rep.len);
		return;
	}
	if (!msg_info(req.h.msg))
		return;
	liar_recorded(&req, &rep);
	if (liar_special)
		liar_special(l, &req, &rep);
	if (chance(25) && !is_proof(req.h.msg))
		message_mutate(&rep);
	if (rep.len < sizeof(rep.h))
		rep.len = sizeof(rep.h);
	rep.h.flags = WIRE_REPLY;
	rep.h.req_id = below(20000) ? req.h.req_id : req.h.req_id + below(5) - 2;
	if (chance(8)) {
		rep.h.err = -(int32_t)(1 + below(140));
		if (rep.h.err == -ETIMEDOUT) /* the client would try for half a minute, as it should */
			rep.h.err = -EIO;
		rep.h.body_bytes = rep.h.tail_bytes = 0;
		rep.len = sizeof(rep.h);
	}
	(void)!net_send(l->conn, rep.bytes, rep.len);
	for (unsigned i = chance(3) ? below(100) : 0; i; i--)
		(void)!net_send(l->conn, rep.bytes, rep.len);
}

static inline void liar_closed(void *arg, int err)
{
	_exit(0); /* nobody looks for its leaks */
}
static inline void liar_writable(void *arg)
{
}

static inline void liar_accepted(void *arg, struct net_conn *conn)
{
	static const struct net_conn_events events = { liar_message, liar_closed, liar_writable };
	struct liar *l = calloc(1, sizeof(*l));

	l->conn = conn;
	if (net_pd_open(liar_net, &l->pd) || net_conn_set_events(conn, &events, l))
		exit(1);
}

static inline void liar_main(int ready)
{
	struct net_options opt = { 0 };
	struct net_listener *listener;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_set_fd(-1);
	if (loop_open(&opt.loop) || net_open("local", &opt, &liar_net) ||
	    net_listen(liar_net, "local:auto", liar_accepted, NULL, &listener) ||
	    write(ready, net_listener_addr(listener), ADDR_BYTES) != ADDR_BYTES)
		_exit(1);
	loop_run(opt.loop);
	_exit(1);
}

/* A liar's process; its address. */
static inline pid_t liar_start(char addr[ADDR_BYTES])
{
	pid_t pid;
	int p[2];

	if (pipe(p))
		abort();
	pid = fork();
	if (!pid)
		liar_main(p[1]);
	close(p[1]);
	if (read(p[0], addr, ADDR_BYTES) != ADDR_BYTES)
		abort();
	close(p[0]);
	return pid;
}

/* client: runs in a process of its own; returns when it is done. */
static inline int liar_fuzz(int argc, char **argv, const char *name, void (*client)(const char *addr))
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 8, seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	uint64_t round = argc > 3 ? strtoull(argv[3], NULL, 0) : 0, rounds = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
	uint64_t from = clock_ns(), ok = 0, failed = 0;

	signal(SIGPIPE, SIG_IGN);
	corpus_load();
	for (uint64_t first = round; rounds ? round - first < rounds : clock_ns() - from < seconds * NS_PER_S;
	     round++) {
		char addr[ADDR_BYTES];
		pid_t liar, pid;
		int status;

		random_seed(seed * 0x9e3779b97f4a7c15ULL + round);
		liar = liar_start(addr);
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			alarm(LIAR_ROUND_S);
			client(addr);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid)
			abort();
		kill(liar, SIGKILL);
		waitpid(liar, NULL, 0);
		ok += status == 0;
		failed += status == 125 << 8;
		if (status && status != 125 << 8) {
			printf("%s: seed %llu, round %llu: the client ended with status %#x; replay: %s 0 %llu %llu 1\n",
			       name, (unsigned long long)seed, (unsigned long long)round, (unsigned)status, argv[0],
			       (unsigned long long)seed, (unsigned long long)round);
			return 1;
		}
	}
	printf("%s: seed %llu: %llu rounds, in %llu the client came to its end, in %llu it gave up in words\n", name,
	       (unsigned long long)seed, (unsigned long long)round, (unsigned long long)ok, (unsigned long long)failed);
	corpus_free();
	return !ok; /* nothing was tried */
}

#endif
