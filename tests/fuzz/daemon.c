/*
 * The node daemon under the fuzzer: commands and dispatchers that lie, beside memory components (played in this process)
 * that answer its guards as they like. The programs that it starts for commands are cat(1): argv[1] is a descriptor's
 * number, no file of that name is in /, so it says so on stderr, and with "-" among its words it gives back what it gets.
 */
#include <sys/wait.h>
#include "pcomponent/daemon/daemon.h"
#include "tests/fuzz/fuzz.h"

#define PROOFS 3u /* hello, fork, reports; announced, words, started */
#define MEMBERS 5u

static struct daemon *node;
static struct net_listener *listener, *memory_listener;
static int host_pipe[2];
static unsigned host_open;

static int played_open(int32_t host_pid)
{
	int fd = chance(95) ? fcntl(host_pipe[0], F_DUPFD_CLOEXEC, 0) : -ESRCH;

	host_open += fd >= 0;
	return fd;
}
static void played_kill(int fd)
{
}
static void played_close(int fd)
{
	host_open--;
	close(fd);
}
static int played_signal(int fd, int sig)
{
	return 0;
}
static int played_usage(int fd, int32_t host_pid, struct process_usage *u)
{
	return 0;
}
static const struct daemon_host played = { played_open, played_kill, played_close, played_signal, played_usage };

static void accepted(void *arg, struct net_conn *conn)
{
	daemon_accepted(node, conn);
}

/* ---- memory components, as far as a guard sees them ---- */

static unsigned guards;

static int guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	if (chance(2)) {
		guards--;
		rpc_close(rpc_request_rpc(rq));
		return 0;
	}
	return chance(96) ? 0 : -(int)(1 + below(133)); /* of sixteen: each of them counts */
}
static void guard_closed(struct rpc *r, int err)
{
	guards--;
}
static int left(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	return guard(rq, body, tail, n, rep);
}
/* Of storage components too. */
static void memory_accepted(void *arg, struct net_conn *conn)
{
	static const struct rpc_service service = { .handler = { [IDX_P2M_GUARD] = guard,
								 [IDX_P2S_GUARD] = guard,
								 [IDX_P2M_LEFT] = left,
								 [IDX_P2S_LEFT] = left },
						    .closed = guard_closed };
	static struct rpc_counters counters;
	struct rpc *r;

	if (rpc_open(fuzz_loop, conn, chance(95) ? KIND_MEMORY : KIND_STORAGE, &service, NULL, &counters, &r) == 0)
		guards++;
}

static const char *up(void)
{
	struct daemon_config config = { .loop = fuzz_loop,
					.net = fuzz_net,
					.host = &played,
					.counters = &fuzz_counters,
					.dispatcher = "/bin/cat",
					.excache_bytes = 64 << 20 };

	FUZZ_CHECK(pipe2(host_pipe, O_CLOEXEC) == 0);
	FUZZ_CHECK(daemon_open(&config, &node) == 0);
	FUZZ_CHECK(net_listen(fuzz_net, "local:auto", accepted, NULL, &listener) == 0);
	FUZZ_CHECK(net_listen(fuzz_net, "local:auto", memory_accepted, NULL, &memory_listener) == 0);
	return net_listener_addr(listener);
}

static void down(void)
{
	net_listener_close(listener);
	net_listener_close(memory_listener);
	daemon_close(node);
	FUZZ_CHECK(host_open == 0);
	close(host_pipe[0]);
	close(host_pipe[1]);
}

static struct cap cap_of(uint32_t pid)
{
	return (struct cap){ { pid, 77 } };
}

static int admit(uint32_t pid, uint32_t n_memory)
{
	struct g2x_admit_req req = {
		.cap = cap_of(pid), .pid = pid, .bytes = pid << 20, .uid = getuid(), .n_memory = n_memory
	};
	struct placement_part parts[PROCESS_MEMORY_MAX + 1] = { { .name = "" } };

	for (uint32_t i = 0; i <= n_memory; i++) {
		snprintf(parts[i].name, sizeof(parts[i].name), "%c%u", i ? 'm' : 's', i);
		snprintf(parts[i].addr, sizeof(parts[i].addr), "%s",
			 chance(97) ? net_listener_addr(memory_listener) : "local:@nobody");
	}
	return daemon_admit(node, &req, parts, n_memory + 1);
}

/* ---- a command that behaves: what dispatchers of its tree do is not all in vain ---- */

static struct rpc *good;
static bool answered;

static void announced(void *arg, int err, const void *rep, const void *tail, uint32_t n)
{
	FUZZ_CHECK(err == 0 && ((const struct d2p_announce_rep *)rep)->excache_bytes);
	answered = true;
}
static void good_closed(struct rpc *r, int err)
{
	good = NULL;
}

static void good_command(uint32_t pid)
{
	static const struct rpc_service service = { .closed = good_closed };
	static struct rpc_counters counters;
	struct d2p_announce_req announce = { .cap = cap_of(pid), .pid = pid };
	struct net_conn *conn;

	FUZZ_CHECK(net_connect(fuzz_net, fuzz_addr, 1000, &conn) == 0);
	FUZZ_CHECK(rpc_open(fuzz_loop, conn, KIND_COMMAND, &service, NULL, &counters, &good) == 0);
	FUZZ_CHECK(rpc_call(good, D2P_ANNOUNCE, pid, &announce, NULL, 0, 0, announced, NULL) == 0);
	answered = false;
	fuzz_until(answered);
}

static void good_end(void)
{
	if (good)
		rpc_close(good);
	good = NULL;
}

static void round_begin(void)
{
	for (uint32_t pid = 1; pid <= FUZZ_PIDS; pid++)
		FUZZ_CHECK(admit(pid, 1 + below(PROCESS_MEMORY_MAX)) == 0);
	good_command(1);
}

/* The words of a program: argc of argv, envc of the environment, the folder. */
static const char words[] = "cat\0-\0A=b\0/";
enum { WORDS_ARGC = 2, WORDS_ENVC = 1 };

static void proof_command(struct fuzz_peer *p, struct message *m)
{
	struct d2p_announce_req announce = { .cap = cap_of(p->pid), .pid = p->pid };
	struct d2p_args_req args = { .off = 0 };
	struct d2p_start_req start = { .argc = WORDS_ARGC, .envc = WORDS_ENVC };

	if (p->proofs == 0) {
		message_make(m, D2P_ANNOUNCE, &announce, sizeof(announce), NULL, 0);
		return;
	}
	if (p->proofs == 1) {
		if (chance(60)) /* no program of the daemon's: each is a fork of this process */
			p->proofs = PROOFS;
		message_make(m, D2P_ARGS, &args, sizeof(args), words, sizeof(words));
		return;
	}
	if (chance(50))
		start.flags = START_TERMINAL | (chance(50) ? START_STDERR : 0);
	message_make(m, D2P_START, &start, sizeof(start), NULL, 0);
}

static void proof(struct fuzz_peer *p, struct message *m)
{
	struct d2p_hello_req hello = { .pid = p->pid, .member = chance(50) ? 0 : below(MEMBERS) };
	struct d2p_report_req rep = { .weight_bytes = number_odd(), .resident_bytes = number_odd(), .registered = 1 };
	struct d2p_fork_req fork = { .offer_bytes = chance(50) ? 1 << 20 : number_odd() };
	struct cap cap = cap_of(p->pid);

	if (p->kind == KIND_COMMAND) {
		proof_command(p, m);
		return;
	}
	hello.cap = cap_of_member(&cap, hello.member);
	if (p->proofs == 0)
		message_make(m, D2P_HELLO, &hello, sizeof(hello), NULL, 0);
	else if (p->proofs == 1)
		message_make(m, D2P_FORK, &fork, sizeof(fork), NULL, 0);
	else
		message_make(m, D2P_REPORT, &rep, sizeof(rep), NULL, 0);
}

/* Members are named, come, and do not come about; the recorded programs have made few. */
static void members(struct message *m)
{
	struct d2p_fork_req fork = { .offer_bytes = number_odd(), .exec = chance(30) };
	struct d2p_unfork_req unfork = { .member = below(MEMBERS) };

	if (fork.exec)
		fork.offer_bytes = 0;
	if (chance(60))
		message_make(m, D2P_FORK, &fork, sizeof(fork), NULL, 0);
	else
		message_make(m, D2P_UNFORK, &unfork, sizeof(unfork), NULL, 0);
}

/* Of what a command may say to its program the corpus has nothing. */
static void program(struct message *m)
{
	static char text[MSG_TAIL_MAX];
	struct d2p_read_req rd = { .stream = 1 + below(2), .close = chance(5) };
	struct d2p_write_req wr = { .end = chance(10) };
	struct d2p_signal_req sig = { .number = 1 + below(64) };
	struct d2p_stats_req st = { .off = below(3) * 4096 };
	struct d2p_wait_req wait = { .tree = chance(50) };
	struct d2p_tree_req tree = { .after = chance(50) ? UINT32_MAX : below(MEMBERS) };

	switch (below(6)) {
	case 0:
		message_make(m, D2P_READ, &rd, sizeof(rd), NULL, 0);
		break;
	case 1:
		message_make(m, D2P_WRITE, &wr, sizeof(wr), text, chance(90) ? below(200) : below(sizeof(text)));
		break;
	case 2:
		message_make(m, D2P_SIGNAL, &sig, sizeof(sig), NULL, 0);
		break;
	case 3:
		message_make(m, D2P_STATS, &st, sizeof(st), NULL, 0);
		break;
	case 4:
		message_make(m, D2P_WAIT, &wait, sizeof(wait), NULL, 0);
		break;
	default:
		message_make(m, D2P_TREE, &tree, sizeof(tree), NULL, 0);
	}
}

static void fix(struct fuzz_peer *p, struct message *m)
{
	const uint64_t id = m->h.req_id;

	if (p->kind == KIND_DISPATCHER && chance(15))
		members(m);
	else if (p->kind == KIND_COMMAND && p->proofs >= PROOFS && chance(30))
		program(m);
	m->h.req_id = id;
}

/* The last program's end takes its time. */
static void programs_end(void)
{
	siginfo_t info;

	for (unsigned i = 0; waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0; i++) {
		FUZZ_CHECK(i < 20000);
		usleep(500);
		fuzz_turns(1);
	}
}

static void round_end(void)
{
	struct x2g_beat_req beat = { 0 };

	good_end();
	for (uint32_t pid = 1; pid <= FUZZ_PIDS; pid++)
		daemon_revoke(node, pid);
	daemon_load(node, &beat);
	FUZZ_CHECK(beat.processes == 0 && beat.used_bytes == 0 && host_open == 0);
	fuzz_until(guards == 0);
	programs_end();
}

static void probe(void)
{
	struct g2x_admit_req req = { .cap = cap_of(99), .pid = 99, .bytes = 99 << 18, .uid = getuid(), .n_memory = 1 };
	struct placement_part parts[2] = { { .name = "s0" }, { .name = "m0" } };

	FUZZ_CHECK(daemon_admit(node, &req, parts, 2) == 0);
	good_command(99);
	FUZZ_CHECK(good);
	good_end();
	daemon_revoke(node, 99);
	fuzz_turns(2);
}

int main(int argc, char **argv)
{
	static const struct fuzz_target target = {
		.name = "pcomponent",
		.monitor = CORPUS_DAEMON,
		.kinds = { KIND_DISPATCHER, KIND_DISPATCHER, KIND_COMMAND, KIND_COMMAND },
		.up = up,
		.down = down,
		.round_begin = round_begin,
		.n_proofs = PROOFS,
		.proof = proof,
		.fix = fix,
		.round_end = round_end,
		.probe = probe,
	};

	return fuzz_main(argc, argv, &target);
}
