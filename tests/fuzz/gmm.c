/* The gmm under the fuzzer: components and commands that lie, and answer what they are asked as they like. */
#include "gmm/gmm.h"
#include "tests/fuzz/fuzz.h"

#define PROOFS 5u /* a join, some X2G_KEEP, and their end */

static struct gmm *gmm;
static struct net_listener *listener;

static void accepted(void *arg, struct net_conn *conn)
{
	gmm_accepted(gmm, conn);
}

static const char *up(void)
{
	struct gmm_config config = { .loop = fuzz_loop, .net = fuzz_net, .counters = &fuzz_counters };

	FUZZ_CHECK(gmm_open(&config, &gmm) == 0);
	FUZZ_CHECK(net_listen(fuzz_net, "local:auto", accepted, NULL, &listener) == 0);
	return net_listener_addr(listener);
}

static void down(void)
{
	net_listener_close(listener);
	gmm_close(gmm);
}

static void round_begin(void)
{
}

static uint32_t pid_seen; /* of a process that is being placed, or runs */

/* A process that ran under a gmm before this one. */
static void keep(struct message *m)
{
	struct x2g_keep_req req = { .uid = getuid(), .gid = getgid(), .excache_bytes = below(3) << 20, .weight = 1 };
	struct kept_part part[PROCESS_MEMORY_MAX + 1];
	uint32_t n = 1 + below(PROCESS_MEMORY_MAX + 1);

	memset(part, 0, sizeof(part));
	for (uint32_t i = 0; i < n; i++) {
		snprintf(part[i].name, sizeof(part[i].name), "c%u", below(FUZZ_PEERS));
		part[i].bytes = chance(90) ? 4096 * below(20000) : number_odd();
		part[i].promised = below(2);
	}
	req.pid = 1 + below(40);
	pid_seen = chance(50) ? req.pid : pid_seen;
	message_make(m, X2G_KEEP, &req, sizeof(req), part, n * (uint32_t)sizeof(part[0]));
}

/* Some components are new, some come back and tell what they have; some do not come to the end of it. */
static void join(struct fuzz_peer *p, struct message *m)
{
	struct x2g_join_req req = { .kind = p->kind, .bytes = 64 << 20, .domain = "d" };

	req.flags = chance(40) ? JOIN_AGAIN : 0;
	if (!req.flags || p->kind != KIND_PROCESSOR)
		p->proofs = PROOFS - 1;
	snprintf(req.name, sizeof(req.name), "c%u", chance(90) ? (unsigned)(p - fuzz_peer) : below(FUZZ_PEERS));
	snprintf(req.addr, sizeof(req.addr), "local:@c%u", below(FUZZ_PEERS));
	message_make(m, X2G_JOIN, &req, sizeof(req), NULL, 0);
}

static void proof(struct fuzz_peer *p, struct message *m)
{
	struct x2g_keep_req all = { .pid = 0 };
	struct x2g_run_req run = { .uid = getuid(),
				   .gid = getgid(),
				   .memory_bytes = chance(50) ? 0 : 4096 * below(20000) };

	if (p->kind == KIND_COMMAND) {
		p->proofs = PROOFS - 1;
		message_make(m, X2G_RUN, &run, sizeof(run), NULL, 0);
	} else if (p->proofs == 0) {
		join(p, m);
	} else if (p->proofs < PROOFS - 1) {
		keep(m);
	} else {
		message_make(m, X2G_KEEP, &all, sizeof(all), NULL, 0);
	}
}

static uint64_t learn(const struct message *m)
{
	struct g2x_admit_req req = { .pid = 0 };

	if (m->h.msg == G2X_ADMIT && m->len >= sizeof(m->h) + sizeof(req)) {
		memcpy(&req, m->bytes + sizeof(m->h), sizeof(req));
		pid_seen = req.pid;
	}
	return 0;
}

/* As many rows as were asked for, of any content. */
static void answer(const struct message *rq, struct message *m)
{
	struct g2x_usage_rep rep = { .n = rq->h.tail_bytes / 4 };
	struct process_usage rows[PS_BATCH_MAX];
	struct g2x_tree_rep tree = { .rows = below(PS_BATCH_MAX + 2) };
	uint32_t bytes = tree.rows * (uint32_t)sizeof(struct member_row);

	_Static_assert(sizeof(rows) >= (PS_BATCH_MAX + 1) * sizeof(struct member_row), "rows of a tree fit");
	if (rq->h.msg == G2X_TREE) {
		memset(rows, (int)below(256), sizeof(rows));
		message_make(m, G2X_TREE, &tree, sizeof(tree), rows, chance(80) ? bytes : below(bytes + 1));
	}
	if (rq->h.msg != G2X_USAGE || rep.n > PS_BATCH_MAX)
		return;
	for (uint32_t i = 0; i < rep.n * sizeof(rows[0]) / 8; i++)
		((uint64_t *)rows)[i] = chance(50) ? number_odd() : random_u64();
	message_make(m, G2X_USAGE, &rep, sizeof(rep), rows, rep.n * (uint32_t)sizeof(rows[0]));
}

static void fix(struct fuzz_peer *p, struct message *m)
{
	struct x2g_run_req run = { .uid = getuid(), .gid = getgid(), .memory_bytes = below(3) << 20 };
	struct x2g_signal_req sig = { .pid = pid_seen, .signal = (int32_t)below(65), .uid = getuid() };

	if (m->h.msg == X2G_END && m->h.body_bytes == sizeof(struct x2g_end_req) && chance(60))
		memcpy(message_body(m), &pid_seen, sizeof(pid_seen));
	if (m->h.msg == X2G_RUN && m->h.body_bytes == sizeof(run) && chance(60))
		memcpy(message_body(m), &run, sizeof(run));
	if (m->h.msg == X2G_TREE && m->h.body_bytes == sizeof(struct x2g_tree_req) && chance(80))
		memcpy(message_body(m), &pid_seen, sizeof(pid_seen));
	if (m->h.msg == X2G_SIGNAL && m->h.body_bytes == sizeof(sig) && chance(80))
		memcpy(message_body(m), &sig, sizeof(sig));
}

static bool answered;
static struct x2g_status_rep status;

static void status_came(void *arg, int err, const void *rep, const void *tail, uint32_t n)
{
	FUZZ_CHECK(err == 0 && n == ((const struct x2g_status_rep *)rep)->rows * sizeof(struct rack_row));
	status = *(const struct x2g_status_rep *)rep;
	answered = true;
}
static void closed(struct rpc *r, int err)
{
}

static void probe(void)
{
	static const struct rpc_service service = { .closed = closed };
	static struct rpc_counters counters;
	struct x2g_status_req req = { 0 };
	struct net_conn *conn;
	struct rpc *r;

	FUZZ_CHECK(net_connect(fuzz_net, fuzz_addr, 1000, &conn) == 0);
	FUZZ_CHECK(rpc_open(fuzz_loop, conn, KIND_COMMAND, &service, NULL, &counters, &r) == 0);
	FUZZ_CHECK(rpc_call(r, X2G_STATUS, 0, &req, NULL, 0, 0, status_came, NULL) == 0);
	answered = false;
	fuzz_until(answered);
	rpc_close(r);
}

/* With their processor components all processes are gone. */
static void round_end(void)
{
	fuzz_turns(4);
	probe();
	FUZZ_CHECK(status.processes == 0);
}

int main(int argc, char **argv)
{
	static const struct fuzz_target target = {
		.name = "gmm",
		.monitor = CORPUS_GMM,
		.kinds = { KIND_PROCESSOR, KIND_MEMORY, KIND_STORAGE, KIND_COMMAND },
		.up = up,
		.down = down,
		.round_begin = round_begin,
		.n_proofs = PROOFS,
		.proof = proof,
		.answer = answer,
		.learn = learn,
		.fix = fix,
		.round_end = round_end,
		.probe = probe,
	};

	return fuzz_main(argc, argv, &target);
}
