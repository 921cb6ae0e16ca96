/* The memory monitor under the fuzzer: dispatchers and guards that lie; afterwards no frame is granted or promised. */
#include "mcomponent/mcomponent.h"
#include "tests/fuzz/fuzz.h"

#define FRAMES 8192u
#define MEMBERS 6u /* of each tree, mostly */

static struct mcomponent *mem;
static struct net_listener *listener;

static void accepted(void *arg, struct net_conn *conn)
{
	mcomponent_accepted(mem, conn);
}

static const char *up(void)
{
	struct mcomponent_config config = {
		.loop = fuzz_loop, .net = fuzz_net, .bytes = FRAMES * PAGE_BYTES, .counters = &fuzz_counters
	};

	FUZZ_CHECK(mcomponent_open(&config, &mem) == 0);
	FUZZ_CHECK(net_listen(fuzz_net, "local:auto", accepted, NULL, &listener) == 0);
	return net_listener_addr(listener);
}

static void down(void)
{
	net_listener_close(listener);
	mcomponent_close(mem);
}

static struct cap cap_of(uint32_t pid)
{
	return (struct cap){ { pid * 0x1111111111111111ULL, ~(uint64_t)pid } };
}

static void round_begin(void)
{
	for (uint32_t pid = 1; pid <= FUZZ_PIDS; pid++) {
		struct g2x_admit_req req = { .cap = cap_of(pid), .pid = pid, .bytes = FRAMES / pid * PAGE_BYTES / 2 };

		FUZZ_CHECK(mcomponent_admit(mem, &req, NULL, 0) == 0);
	}
}

static void proof(struct fuzz_peer *p, struct message *m)
{
	struct p2m_hello_req req = { .pid = p->pid, .member = p->kind == KIND_PROCESSOR ? 0 : below(MEMBERS) };
	struct cap tree = cap_of(p->pid);

	req.cap = cap_of_member(&tree, req.member);
	message_make(m, p->kind == KIND_PROCESSOR ? P2M_GUARD : P2M_HELLO, &req, sizeof(req), NULL, 0);
}

static uint64_t learn(const struct message *m)
{
	struct p2m_slab_get_rep rep = { 0 };

	if (m->h.msg == P2M_SLAB_GET)
		memcpy(&rep, m->bytes + sizeof(m->h), sizeof(rep));
	return rep.slab;
}

/* Members that there are, or could be. */
static void member_fix(struct message *m)
{
	struct p2m_fork_req fork = { .member = below(2 * MEMBERS) };
	struct p2m_left_req left = { .member = below(2 * MEMBERS) };

	if (m->h.msg == P2M_FORK && m->h.body_bytes == sizeof(fork) && chance(80))
		memcpy(message_body(m), &fork, sizeof(fork));
	if (m->h.msg == P2M_LEFT && m->h.body_bytes == sizeof(left) && chance(80))
		memcpy(message_body(m), &left, sizeof(left));
}

/* Maps of slabs that are there, of a page or two each. Slabs of a few frames, mostly: the fuzzer would spend its time on making large ones. */
static void fix(struct fuzz_peer *p, struct message *m)
{
	struct p2m_slab_get_req req = { .frames = 1 + below(64) };
	struct p2m_slab_key_req key = { .slab = dictionary_word(&p->words) };

	struct p2m_map_req map = { .n = 1 + below(16) };
	struct map_entry e[16];

	if (m->h.msg == P2M_MAP && m->h.body_bytes == sizeof(map) && chance(60)) {
		for (unsigned i = 0; i < map.n; i++)
			e[i] = (struct map_entry){ below(64),
						   dictionary_word(&p->words) << 16 | below(chance(98) ? 2 : 70) };
		memcpy(message_body(m), &map, sizeof(map));
		tail_set(m, e, map.n * (uint32_t)sizeof(e[0]));
	}
	member_fix(m);
	if (m->h.msg == P2M_SLAB_KEY && m->h.body_bytes == sizeof(key) && chance(70))
		memcpy(message_body(m), &key, sizeof(key));
	if (m->h.msg == P2M_SLAB_GET && m->h.body_bytes == sizeof(req) && chance(80))
		memcpy(message_body(m), &req, sizeof(req));
}

static bool is_empty(void)
{
	struct mcomponent_stat s;

	mcomponent_stat(mem, &s);
	return !s.granted_bytes && !s.promised_bytes && !s.processes && !s.connections;
}

static void round_end(void)
{
	for (uint32_t pid = 1; pid <= FUZZ_PIDS; pid++)
		mcomponent_revoke(mem, pid);
	fuzz_until(is_empty());
}

static void closed(struct rpc *r, int err)
{
}
static bool got;
static void slab_came(void *arg, int err, const void *rep, const void *tail, uint32_t n)
{
	FUZZ_CHECK(err == 0 && (!arg || ((const struct p2m_slab_get_rep *)rep)->frames == 16));
	got = true;
}

static void probe(void)
{
	static const struct rpc_service service = { .closed = closed };
	static struct rpc_counters counters;
	struct g2x_admit_req admit = { .cap = cap_of(99), .pid = 99, .bytes = 64 * PAGE_BYTES };
	struct p2m_hello_req hello = { .cap = cap_of(99), .pid = 99 };
	struct p2m_slab_get_req req = { .frames = 16 };
	struct net_conn *conn;
	struct rpc *r;

	FUZZ_CHECK(mcomponent_admit(mem, &admit, NULL, 0) == 0);
	FUZZ_CHECK(net_connect(fuzz_net, fuzz_addr, 1000, &conn) == 0);
	FUZZ_CHECK(rpc_open(fuzz_loop, conn, KIND_DISPATCHER, &service, NULL, &counters, &r) == 0);
	FUZZ_CHECK(rpc_call(r, P2M_HELLO, 99, &hello, NULL, 0, 0, slab_came, NULL) == 0);
	got = false;
	fuzz_until(got);
	FUZZ_CHECK(rpc_call(r, P2M_SLAB_GET, 99, &req, NULL, 0, 0, slab_came, r) == 0);
	got = false;
	fuzz_until(got);
	rpc_close(r);
	fuzz_until(is_empty());
}

int main(int argc, char **argv)
{
	static const struct fuzz_target target = {
		.name = "mcomponent",
		.monitor = CORPUS_MEMORY,
		.kinds = { KIND_DISPATCHER, KIND_DISPATCHER, KIND_DISPATCHER, KIND_PROCESSOR },
		.up = up,
		.down = down,
		.round_begin = round_begin,
		.n_proofs = 1,
		.proof = proof,
		.learn = learn,
		.fix = fix,
		.round_end = round_end,
		.probe = probe,
	};

	return fuzz_main(argc, argv, &target);
}
