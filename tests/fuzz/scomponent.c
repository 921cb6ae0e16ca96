/*
 * The storage monitor under the fuzzer: dispatchers that lie, on an export of a few files in a temporary folder. As root
 * the fuzzer becomes another user first. Afterwards no file is open.
 */
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "scomponent/scomponent.h"
#include "tests/fuzz/fuzz.h"

#define NOBODY 65534u
#define BUFFER_BYTES (2 * (uint64_t)IO_SLOT_BYTES)
#define FILE_BYTES_MAX (1u << 20)
#define MEMBERS 6 /* of a tree */

static struct scomponent *sto;
static struct net_listener *listener;
static char dir[] = "/tmp/ashlar-fuzz-XXXXXX", root[64];
static char secret[64]; /* beside the export: must stay as it is */

static void accepted(void *arg, struct net_conn *conn)
{
	scomponent_accepted(sto, conn);
}

static void file_make(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return; /* the last round took the rights away, or made it a directory */
	fputs(text, f);
	fclose(f);
}

/* A link that the last round put there would lead us out of the export, as it may not lead the monitor. */
static void link_remove(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISLNK(st.st_mode))
		unlink(path);
}

/* What the last round left is as good as anything, but some files must be there. */
static void tree_fill(void)
{
	static const char *const dirs[] = { "", "d", "d/e" };
	static const char *const names[] = { "a", "b", "d/x", "d/e/y" };
	char path[128];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		if (i)
			link_remove(path);
		if (mkdir(path, 0755) && errno == EEXIST)
			(void)!chmod(path, 0755);
	}
	for (unsigned i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		link_remove(path);
		(void)!chmod(path, i ? 0644 : 0755);
		file_make(path, names[i]);
	}
	snprintf(path, sizeof(path), "%s/out", root);
	(void)!symlink("../secret", path);
	snprintf(path, sizeof(path), "%s/loop", root);
	(void)!symlink("d/../loop", path);
}

static void tree_make(void)
{
	snprintf(root, sizeof(root), "%s/export", dir);
	snprintf(secret, sizeof(secret), "%s/secret", dir);
	file_make(secret, "secret");
	tree_fill();
}

static const char *up(void)
{
	struct rlimit limit = { FILE_BYTES_MAX, FILE_BYTES_MAX };
	struct scomponent_config cfg = { .root = root };

	signal(SIGXFSZ, SIG_IGN);
	FUZZ_CHECK(mkdtemp(dir) != NULL);
	if (!geteuid())
		FUZZ_CHECK(!chown(dir, NOBODY, NOBODY) && !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
			   !setresuid(NOBODY, NOBODY, NOBODY));
	tree_make();
	FUZZ_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	FUZZ_CHECK(scomponent_open(fuzz_loop, fuzz_net, &fuzz_counters, &cfg, &sto) == 0);
	FUZZ_CHECK(net_listen(fuzz_net, "local:auto", accepted, NULL, &listener) == 0);
	return net_listener_addr(listener);
}

static void down(void)
{
	char line[160];

	net_listener_close(listener);
	scomponent_close(sto);
	snprintf(line, sizeof(line), "chmod -R u+rwx %s; rm -rf %s", dir, dir);
	FUZZ_CHECK(system(line) == 0);
}

static struct cap cap_of(uint32_t pid)
{
	return (struct cap){ { pid * 0x1111111111111111ULL, ~(uint64_t)pid } };
}

static int admit(uint32_t pid)
{
	struct g2x_admit_req req = { .cap = cap_of(pid), .pid = pid, .uid = geteuid(), .gid = getegid() };

	return scomponent_admit(sto, &req);
}

static void round_begin(void)
{
	tree_fill();
	for (uint32_t pid = 1; pid <= FUZZ_PIDS; pid++)
		FUZZ_CHECK(admit(pid) == 0);
}

static void proof(struct fuzz_peer *p, struct message *m)
{
	struct p2s_hello_req req = { .pid = p->pid, .member = chance(50) ? 0 : below(MEMBERS) };
	struct p2s_guard_req guard = { .cap = cap_of(p->pid), .pid = p->pid };
	struct p2s_buffer_req buffer = { .bytes = BUFFER_BYTES };

	req.cap = cap_of_member(&guard.cap, req.member);
	if (p->kind == KIND_PROCESSOR)
		message_make(m, P2S_GUARD, &guard, sizeof(guard), NULL, 0);
	else if (p->proofs)
		message_make(m, P2S_BUFFER, &buffer, sizeof(buffer), NULL, 0);
	else
		message_make(m, P2S_HELLO, &req, sizeof(req), NULL, 0);
	m->h.pid = p->pid;
}

static uint64_t learn(const struct message *m)
{
	uint64_t handle = 0; /* it comes first in all */

	if (m->h.msg == P2S_OPEN || m->h.msg == P2S_EXEC || m->h.msg == P2S_TAKE)
		memcpy(&handle, m->bytes + sizeof(m->h), sizeof(handle));
	return handle;
}

static const char *const paths[] = { "/a", "b", "d/x", "/d/e", ".", "d/e/y", "out", "loop", "new", "d/new", "/" };
#define PATHS (sizeof(paths) / sizeof(paths[0]))

/* rename, link: two paths of the tree in one tail. */
static void two_paths(struct message *m)
{
	const char *from = paths[below(PATHS)], *to = paths[below(PATHS)];
	struct p2s_rename_req rename = { .from.path_bytes = (uint32_t)strlen(from),
					 .to.path_bytes = (uint32_t)strlen(to) };
	char tail[32];

	snprintf(tail, sizeof(tail), "%s%s", from, to);
	memcpy(message_body(m), &rename, m->h.body_bytes);
	tail_set(m, tail, (uint32_t)strlen(tail));
}

/* Members come and go: no program of the recorded run has forked. */
static void members(struct fuzz_peer *p, struct message *m)
{
	struct p2s_fork_req rq = { .member = below(MEMBERS), .n = below(3) };
	struct p2s_left_req left = { .member = below(MEMBERS) };
	uint64_t handles[2] = { dictionary_word(&p->words), dictionary_word(&p->words) };

	if (p->kind == KIND_PROCESSOR)
		message_make(m, P2S_LEFT, &left, sizeof(left), NULL, 0);
	else
		message_make(m, P2S_FORK, &rq, sizeof(rq), handles, rq.n * (uint32_t)sizeof(handles[0]));
	m->h.pid = p->pid;
}

/* Who stays who he is, in whosever name the fuzzer runs. */
static void same_user(struct message *m)
{
	struct p2s_creds_req creds = { .caps = below(4) };

	for (unsigned i = 0; i < CREDS_WHICH; i++) {
		creds.uid[i] = geteuid();
		creds.gid[i] = getegid();
	}
	memcpy(message_body(m), &creds, sizeof(creds));
	tail_set(m, "", 0);
}

/* Files on their way to others, by tokens that are few; the recorded ones are of other days. */
static void passing(struct fuzz_peer *p, struct message *m)
{
	struct p2s_pass_req pass = { .handle = dictionary_word(&p->words), .token = cap_of(1 + below(4)) };
	struct p2s_take_req take = { .token = cap_of(1 + below(4)), .op = below(3) };

	if (m->h.msg == P2S_PASS && m->h.body_bytes == sizeof(pass))
		memcpy(message_body(m), &pass, sizeof(pass));
	if (m->h.msg == P2S_TAKE && m->h.body_bytes == sizeof(take))
		memcpy(message_body(m), &take, sizeof(take));
}

/* A buffer is granted for real; nothing takes the machine's disk; links and directories stay few. */
static void fix(struct fuzz_peer *p, struct message *m)
{
	struct p2s_buffer_req buffer = { .bytes = BUFFER_BYTES };
	struct p2s_fallocate_req f;
	struct p2s_open_req open = { .mode = 0644 };
	struct p2s_exec_req exec = { 0 };
	struct p2s_lock_req lock = { .handle = dictionary_word(&p->words),
				     .start = below(20),
				     .end = 10 + below(20),
				     .op = below(3),
				     .type = below(3),
				     .ofd = below(2) };
	struct p2s_read_req io;
	const char *path = paths[below(PATHS)];

	if (chance(10))
		members(p, m);
	if (m->h.msg == P2S_BUFFER && m->h.body_bytes == sizeof(buffer) && !p->mr) {
		FUZZ_CHECK(net_mr_alloc(fuzz_pd, BUFFER_BYTES, true, &p->mr) == 0);
		if (net_mr_grant(p->mr, p->conn, NET_READ | (chance(90) ? NET_WRITE : 0), &buffer.key) == 0 &&
		    chance(90))
			memcpy(message_body(m), &buffer, sizeof(buffer));
	}
	if (m->h.msg == P2S_FALLOCATE && m->len >= sizeof(m->h) + sizeof(f)) {
		memcpy(&f, message_body(m), sizeof(f));
		if (f.bytes <= INT64_MAX)
			f.bytes %= FILE_BYTES_MAX;
		memcpy(message_body(m), &f, sizeof(f));
	}
	/* Paths of the recorded run mean nothing here. */
	if (m->h.tail_bytes && m->h.msg > P2S_BUFFER && (m->h.msg <= P2S_USAGE || m->h.msg == P2S_EXEC) && chance(60))
		tail_set(m, path, (uint32_t)strlen(path));
	if (m->h.tail_bytes && chance(80) && m->h.body_bytes >= 8)
		memset(message_body(m), 0, 8); /* the root as directory */
	if ((m->h.msg == P2S_RENAME || m->h.msg == P2S_LINK) && m->h.tail_bytes &&
	    m->h.body_bytes <= sizeof(struct p2s_rename_req) && chance(60))
		two_paths(m);
	if (m->h.msg == P2S_OPEN && m->h.body_bytes == sizeof(open) && m->h.tail_bytes && chance(60)) {
		open.at.path_bytes = m->h.tail_bytes;
		open.flags = O_RDWR | (chance(10) ? O_CREAT : 0);
		memcpy(message_body(m), &open, sizeof(open));
	}
	if (m->h.msg == P2S_EXEC && m->h.body_bytes == sizeof(exec) && chance(60)) {
		exec.at.path_bytes = m->h.tail_bytes;
		memcpy(message_body(m), &exec, sizeof(exec));
	}
	if (m->h.msg == P2S_CREDS && m->h.body_bytes == sizeof(struct p2s_creds_req) && chance(50))
		same_user(m);
	if (m->h.msg == P2S_LOCK && m->h.body_bytes == sizeof(lock) && chance(80))
		memcpy(message_body(m), &lock, sizeof(lock));
	if (chance(80))
		passing(p, m);
	/* io within the buffer, mostly */
	if (m->h.msg >= P2S_READ && m->h.msg <= P2S_GETDENTS && m->h.body_bytes == sizeof(io) && chance(60)) {
		memcpy(&io, message_body(m), sizeof(io));
		io.buf = below(4) * 4096;
		io.bytes = below(8192);
		io.off = m->h.msg == P2S_GETDENTS ? 0 : below(10000);
		memcpy(message_body(m), &io, sizeof(io));
	}
}

static bool is_empty(void)
{
	struct scomponent_usage u;

	scomponent_usage(sto, &u);
	return !u.handles && !u.processes && !u.clients;
}

static void round_end(void)
{
	struct stat st;

	for (uint32_t pid = 1; pid <= FUZZ_PIDS; pid++)
		scomponent_revoke(sto, pid);
	fuzz_until(is_empty());
	FUZZ_CHECK(stat(secret, &st) == 0 && st.st_size == 6 && st.st_nlink == 1);
}

static bool answered;
static void done(void *arg, int err, const void *rep, const void *tail, uint32_t n)
{
	FUZZ_CHECK(err == 0);
	answered = true;
}
static void closed(struct rpc *r, int err)
{
}

static void probe(void)
{
	static const struct rpc_service service = { .closed = closed };
	static struct rpc_counters counters;
	struct p2s_hello_req hello = { .cap = cap_of(99), .pid = 99 };
	struct p2s_stat_req req = { .at = { .path_bytes = 1 } };
	struct net_conn *conn;
	struct rpc *r;

	FUZZ_CHECK(admit(99) == 0);
	FUZZ_CHECK(net_connect(fuzz_net, fuzz_addr, 1000, &conn) == 0);
	FUZZ_CHECK(rpc_open(fuzz_loop, conn, KIND_DISPATCHER, &service, NULL, &counters, &r) == 0);
	FUZZ_CHECK(rpc_call(r, P2S_HELLO, 99, &hello, NULL, 0, 0, done, NULL) == 0);
	answered = false;
	fuzz_until(answered);
	FUZZ_CHECK(rpc_call(r, P2S_STAT, 99, &req, "/", 1, 0, done, NULL) == 0);
	answered = false;
	fuzz_until(answered);
	rpc_close(r);
	fuzz_turns(2);
	scomponent_revoke(sto, 99);
	fuzz_until(is_empty());
}

int main(int argc, char **argv)
{
	static const struct fuzz_target target = {
		.name = "scomponent",
		.monitor = CORPUS_STORAGE,
		.kinds = { KIND_DISPATCHER, KIND_DISPATCHER, KIND_DISPATCHER, KIND_PROCESSOR },
		.up = up,
		.down = down,
		.round_begin = round_begin,
		.n_proofs = 2,
		.proof = proof,
		.learn = learn,
		.fix = fix,
		.round_end = round_end,
		.probe = probe,
	};

	return fuzz_main(argc, argv, &target);
}
