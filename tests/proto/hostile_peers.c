/*
 * Hostile peers of a real memory monitor, in a process of its own: connections without end, peers that say nothing or
 * half of it, requests at full rate, a dispatcher that lies. Each while a process that behaves works on, none of whose
 * requests may fail; the monitor lives, cuts the liar off and names it, and in the end holds nothing.
 * also: tsan
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "mcomponent/mcomponent.h"
#include "raw.h"

#define FRAMES 4096u
#define GOOD 1u /* pid of the process that behaves; the others lie */
#define LIAR 2u
#define LIAR2 3u

static pid_t monitor;
static char addr[ADDR_BYTES], log_path[] = "/tmp/ashlar-hostile-XXXXXX";
static int log_fd, ask[2]; /* a byte from the monitor's process: are frames granted? */
static struct net *net;

static struct cap cap_of(uint32_t pid)
{
	return (struct cap){ { pid * 0x1111111111111111ULL, ~(uint64_t)pid } };
}

/* ---- the monitor's process ---- */

static struct mcomponent *mem;

static void mem_accepted(void *arg, struct net_conn *conn)
{
	mcomponent_accepted(mem, conn);
}

static void mem_asked(void *arg, uint32_t events)
{
	struct mcomponent_stat s;

	mcomponent_stat(mem, &s);
	if (recv(ask[1], &(char){ 0 }, 1, 0) != 1) /* the test is over */
		exit(0);
	(void)!send(ask[1], &s, sizeof(s), 0);
}

static void monitor_main(int ready, unsigned files)
{
	static struct rpc_counters counters;
	struct mcomponent_config config = { .bytes = FRAMES * PAGE_BYTES, .counters = &counters };
	struct rlimit limit = { files, files };
	struct net_options opt = { 0 };
	struct net_listener *l;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_NOFILE, &limit);
	log_open("monitor", LOG_WARN);
	log_limit(true);
	log_set_fd(log_fd);
	if (loop_open(&opt.loop) || net_open("local", &opt, &config.net))
		_exit(1);
	config.loop = opt.loop;
	if (mcomponent_open(&config, &mem) || net_listen(config.net, "local:auto", mem_accepted, NULL, &l))
		_exit(1);
	for (uint32_t pid = GOOD; pid <= LIAR2; pid++) {
		struct g2x_admit_req req = { .cap = cap_of(pid), .bytes = FRAMES / 4 * PAGE_BYTES, .pid = pid };

		if (mcomponent_admit(mem, &req, NULL, 0))
			_exit(1);
	}
	if (loop_fd_add(opt.loop, ask[1], EPOLLIN, mem_asked, NULL) ||
	    write(ready, net_listener_addr(l), ADDR_BYTES) != ADDR_BYTES)
		_exit(1);
	loop_run(opt.loop);
	_exit(1);
}

static void monitor_start(unsigned files)
{
	int p[2];

	strcpy(log_path, "/tmp/ashlar-hostile-XXXXXX");
	log_fd = mkostemp(log_path, O_CLOEXEC | O_APPEND);
	assert_true(log_fd >= 0);
	unlink(log_path);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ask), 0);
	fflush(NULL);
	monitor = fork();
	if (!monitor) {
		close(ask[0]);
		monitor_main(p[1], files);
	}
	close(p[1]);
	close(ask[1]);
	assert_int_equal(read(p[0], addr, ADDR_BYTES), ADDR_BYTES);
	close(p[0]);
}

static struct mcomponent_stat monitor_stat(void)
{
	struct mcomponent_stat s;

	assert_int_equal(send(ask[0], "?", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(ask[0], &s, sizeof(s), 0), sizeof(s));
	return s;
}

static unsigned log_lines(const char *with)
{
	static char text[1 << 20];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);
	unsigned lines = 0;

	text[n > 0 ? n : 0] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		lines += strstr(line, with) != NULL;
	return lines;
}

/* ---- the process that behaves ---- */

static struct {
	pthread_t thread;
	int stop, failed;
	uint64_t done;
} good;

static int prove(struct rpc *r, uint32_t pid, struct cap cap)
{
	struct p2m_hello_req req = { .cap = cap, .pid = pid };
	struct p2m_hello_rep rep;

	return rpc_call_sync(r, P2M_HELLO, pid, 1, &req, NULL, 0, 5000, &rep, NULL, NULL);
}

static int slab_get(struct rpc *r, uint32_t frames, struct p2m_slab_get_rep *rep)
{
	struct p2m_slab_get_req req = { .frames = frames };

	return rpc_call_sync(r, P2M_SLAB_GET, 1, 1, &req, NULL, 0, 5000, rep, NULL, NULL);
}

static int slab_put(struct rpc *r, uint64_t slab)
{
	struct p2m_slab_put_req req = { .slab = slab };
	struct p2m_slab_put_rep rep;

	return rpc_call_sync(r, P2M_SLAB_PUT, 1, 1, &req, NULL, 0, 5000, &rep, NULL, NULL);
}

/* A slab, written and read back, with a zeroed page in it; given back. */
static int slab_use(struct rpc *r)
{
	static const char text[] = "this is mine";
	char page[PAGE_BYTES] = "x";
	struct net_sge sge = { .addr = page, .bytes = sizeof(page) };
	uint64_t deadline = clock_ns() + 5 * NS_PER_S;
	struct p2m_slab_get_rep rep;
	struct net_remote *remote;
	struct net_data *data;
	int err = slab_get(r, 16, &rep);

	if (err)
		return err;
	err = net_remote_open(rpc_conn(r), &rep.key, 16 * PAGE_BYTES, &remote);
	if (err)
		return err;
	err = net_data_open(rpc_conn(r), NET_DEMAND, &data);
	if (!err)
		err = net_read_sync(data, remote, PAGE_BYTES, &sge, 1, deadline);
	for (unsigned i = 0; !err && i < PAGE_BYTES; i++)
		err = page[i] ? -EBADMSG : 0;
	strcpy(page, text);
	if (!err)
		err = net_write_sync(data, remote, 0, &sge, 1, deadline);
	memset(page, 0, sizeof(page));
	if (!err)
		err = net_read_sync(data, remote, 0, &sge, 1, deadline);
	if (!err && strcmp(page, text) != 0)
		err = -EBADMSG;
	net_data_close(data);
	net_remote_close(remote);
	return err ? err : slab_put(r, rep.slab);
}

static void *good_main(void *arg)
{
	struct rpc *r = arg;

	while (!__atomic_load_n(&good.stop, __ATOMIC_ACQUIRE)) {
		int err = slab_use(r);

		if (err) {
			__atomic_store_n(&good.failed, err, __ATOMIC_RELEASE);
			break;
		}
		__atomic_add_fetch(&good.done, 1, __ATOMIC_RELAXED);
	}
	rpc_close(r);
	return NULL;
}

static void peer_open(uint32_t pid, struct rpc **r)
{
	assert_int_equal(rpc_connect_sync(net, addr, KIND_DISPATCHER, KIND_MEMORY, 5000, r), 0);
	if (pid)
		assert_int_equal(prove(*r, pid, cap_of(pid)), 0);
}

static struct net *good_net;

static void each_start_with(unsigned files)
{
	struct rpc *r;

	log_open("test", LOG_ERROR);
	log_set_fd(-1);
	monitor_start(files);
	net = raw_net();
	good_net = raw_net();
	memset(&good, 0, sizeof(good));
	assert_int_equal(rpc_connect_sync(good_net, addr, KIND_DISPATCHER, KIND_MEMORY, 5000, &r), 0);
	assert_int_equal(prove(r, GOOD, cap_of(GOOD)), 0);
	assert_int_equal(pthread_create(&good.thread, NULL, good_main, r), 0);
}

static int each_start(void **state)
{
	each_start_with(20000);
	return 0;
}

/* The one that behaves has worked all the time; with it the last frame goes. */
static int each_end(void **state)
{
	uint64_t done = __atomic_load_n(&good.done, __ATOMIC_RELAXED);
	int status;

	/* it still works */
	for (int i = 0; i < 5000 && __atomic_load_n(&good.done, __ATOMIC_RELAXED) < done + 3; i++)
		usleep(1000);
	__atomic_store_n(&good.stop, 1, __ATOMIC_RELEASE);
	pthread_join(good.thread, NULL);
	assert_int_equal(good.failed, 0);
	assert_true(good.done >= done + 3);
	for (int i = 0; i < 5000 && (monitor_stat().granted_bytes || monitor_stat().connections); i++)
		usleep(1000);
	assert_int_equal(monitor_stat().granted_bytes, 0);
	assert_int_equal(monitor_stat().connections, 0);
	assert_in_range(log_lines(""), 0, 200);
	net_close(net);
	net_close(good_net);
	close(ask[0]);
	assert_int_equal(waitpid(monitor, &status, 0), monitor);
	assert_int_equal(status, 0); /* it lived, and the sanitizer found nothing */
	close(log_fd);
	return 0;
}

/* ---- connections ---- */

static bool is_closed(struct net_conn *c)
{
	struct raw m;
	long n;

	while ((n = net_recv(c, &m, sizeof(m))) > 0)
		;
	return n == -EPIPE;
}

#define until(condition)                                           \
	do {                                                       \
		for (int i_ = 0; !(condition) && i_ < 10000; i_++) \
			usleep(1000);                              \
		assert_true(condition);                            \
	} while (0)

#define STORM (RPC_LOBBY_MAX + 700)
static struct net_conn *storm[STORM];

/* kind of storm: 0 mute, 1 half a hello, 2 hello and no more */
static void connect_one(unsigned i, unsigned what)
{
	struct raw m;
	size_t len;

	assert_int_equal(net_connect(net, addr, 5000, &storm[i]), 0);
	raw_hello(&m, &len);
	if (what == 1)
		len = 20;
	if (what)
		net_send(storm[i], &m, len); /* may be closed already */
}

static void is_held_off(unsigned what)
{
	unsigned closed = 0;
	struct rpc *r;

	for (unsigned i = 0; i < STORM; i++)
		connect_one(i, what);
	/* In the middle of it a newcomer who says who he is comes in. */
	peer_open(LIAR2, &r);
	assert_int_equal(slab_use(r), 0);
	rpc_close(r);
	for (unsigned i = 0; i < STORM; i++)
		closed += is_closed(storm[i]);
	assert_true(closed >= STORM - RPC_LOBBY_MAX);
	if (what != 2) /* and the rest of them after RPC_HELLO_MS */
		for (unsigned i = 0; i < STORM; i++)
			until(is_closed(storm[i]));
	assert_true(log_lines(what == 1 ? "shorter than a header" : "have proved nothing") >= 1);
	for (unsigned i = 0; i < STORM; i++)
		net_conn_close(storm[i]);
}

static void mute(void **state)
{
	is_held_off(0);
}
static void half_a_hello(void **state)
{
	is_held_off(1);
}
static void hello_and_no_more(void **state)
{
	is_held_off(2);
}

/* More connections than the monitor has descriptors: it says so once, and goes on when they are gone. */
static void out_of_descriptors(void **state)
{
	struct rpc *r;

	for (unsigned i = 0; i < 300; i++)
		connect_one(i, 2);
	until(log_lines("trying again") >= 1);
	assert_in_range(log_lines("trying again"), 1, 3);
	for (unsigned i = 0; i < 300; i++)
		net_conn_close(storm[i]);
	peer_open(LIAR2, &r);
	assert_int_equal(slab_use(r), 0);
	rpc_close(r);
}

static int few_descriptors(void **state)
{
	each_start_with(100);
	return 0;
}

/* ---- rates ---- */

/* As fast as its credits allow, from one peer: the other is served meanwhile. */
static void full_rate(void **state)
{
	struct p2m_stat_req req = { 0 };
	uint64_t before, posted = 0;
	struct rpc *r;

	peer_open(LIAR, &r);
	before = __atomic_load_n(&good.done, __ATOMIC_RELAXED);
	while (__atomic_load_n(&good.done, __ATOMIC_RELAXED) < before + 100 || posted < 20000) {
		int err = rpc_post_sync(r, P2M_STAT, LIAR, 1, &req, NULL, 0);

		assert_true(err == 0 || err == -EAGAIN);
		posted += !err;
		assert_int_equal(__atomic_load_n(&good.failed, __ATOMIC_ACQUIRE), 0);
	}
	rpc_close(r);
}

/* Sends without end and reads nothing: cut off when its credits are over. */
static void endless(void **state)
{
	struct net_conn *c;
	struct raw m;
	size_t len;

	assert_int_equal(net_connect(net, addr, 5000, &c), 0);
	raw_hello(&m, &len);
	assert_int_equal(net_send(c, &m, len), 0);
	for (uint64_t id = 1, turns = 0; turns < 10000000; turns++) {
		int err = net_send(c, &m, raw_request(&m, P2M_STAT, id, 0));

		if (err == -EPIPE)
			break;
		id += !err;
		if (err)
			usleep(100);
	}
	assert_int_equal(net_send(c, &m, sizeof(m.h)), -EPIPE);
	assert_true(log_lines("more requests than credits") == 1);
	net_conn_close(c);
}

/* ---- lies ---- */

/* Another process's id, with a capability of its own making: refused, named, cut off. */
static void forged_id(void **state)
{
	struct rpc *r;
	int err = 0;

	for (unsigned round = 0; round < 20; round++) {
		peer_open(0, &r);
		for (unsigned i = 1; i < RPC_REFUSALS_MAX; i++)
			assert_int_equal(prove(r, GOOD, cap_of(LIAR)), -EACCES);
		assert_true(prove(r, GOOD, cap_of(LIAR)) < 0);
		err = prove(r, GOOD, cap_of(GOOD)); /* too late */
		assert_true(err == -EPIPE);
		rpc_close(r);
	}
	assert_true(log_lines("without the capability of process 1") >= 1);
	assert_in_range(log_lines("without the capability"), 1, 100); /* of 160 */
}

static void second_dispatcher(void **state)
{
	struct rpc *r, *again;
	struct p2m_guard_req guard = { .cap = cap_of(GOOD), .pid = GOOD };
	struct p2m_guard_rep rep;

	peer_open(0, &r);
	assert_int_equal(prove(r, GOOD, cap_of(GOOD)), -EBUSY); /* knows the capability, comes second */
	assert_int_equal(rpc_call_sync(r, P2M_GUARD, GOOD, 1, &guard, NULL, 0, 5000, &rep, NULL, NULL), -EACCES);
	assert_int_equal(prove(r, LIAR, cap_of(LIAR)), 0);
	assert_int_equal(prove(r, LIAR, cap_of(LIAR)), -EBUSY);
	assert_int_equal(prove(r, LIAR2, cap_of(LIAR2)), -EBUSY);
	peer_open(0, &again);
	assert_int_equal(prove(again, LIAR, cap_of(LIAR)), -EBUSY);
	rpc_close(again);
	rpc_close(r);
}

/* Slab ids of everybody: none of them is found, none is touched. */
static void foreign_slabs(void **state)
{
	struct p2m_map_req map = { .n = 1 };
	struct p2m_map_rep map_rep;
	struct p2m_slab_seal_rep seal_rep;
	struct p2m_slab_get_rep theirs;
	struct rpc *r, *owner;

	peer_open(LIAR, &r);
	peer_open(LIAR2, &owner);
	assert_int_equal(slab_get(owner, 16, &theirs), 0);
	for (uint64_t id = 0; id < theirs.slab + 20; id++) {
		struct p2m_slab_seal_req seal = { .slab = id };
		struct map_entry e = { .vpn = 1, .slab_frame = id << 16 };

		assert_int_equal(slab_put(r, id), -ENOENT);
		assert_int_equal(rpc_call_sync(r, P2M_SLAB_SEAL, 1, 1, &seal, NULL, 0, 5000, &seal_rep, NULL, NULL),
				 -ENOENT);
		if (id)
			assert_int_equal(rpc_call_sync(r, P2M_MAP, 1, 1, &map, &e, sizeof(e), 5000, &map_rep, NULL,
						       NULL),
					 -ENOENT);
	}
	assert_int_equal(slab_put(owner, theirs.slab), 0);
	rpc_close(r);
	rpc_close(owner);
}

/* A key kept after its slab was given back reaches no frame of anybody. */
static void old_key(void **state)
{
	char page[PAGE_BYTES] = "secret";
	struct net_sge sge = { .addr = page, .bytes = sizeof(page) };
	uint64_t deadline = clock_ns() + 60 * NS_PER_S;
	struct p2m_slab_get_rep rep;
	struct net_remote *remote;
	struct net_data *data;
	struct rpc *r;

	peer_open(LIAR, &r);
	assert_int_equal(slab_get(r, 16, &rep), 0);
	assert_int_equal(net_remote_open(rpc_conn(r), &rep.key, 16 * PAGE_BYTES, &remote), 0);
	assert_int_equal(net_data_open(rpc_conn(r), NET_DEMAND, &data), 0);
	assert_int_equal(net_write_sync(data, remote, 0, &sge, 1, deadline), 0);
	assert_int_equal(slab_put(r, rep.slab), 0);
	for (unsigned i = 0; i < 200; i++) {
		assert_true(net_write_sync(data, remote, 0, &sge, 1, deadline) < 0);
		if (net_read_sync(data, remote, 0, &sge, 1, deadline) == 0)
			assert_true(page[0] == 0); /* zeros, while the other one's pages hold "this is mine" */
	}
	net_data_close(data);
	net_remote_close(remote);
	rpc_close(r);
}

/* Takes all it can get, keeps nothing: the promise to others stands. */
static void slabs_without_end(void **state)
{
	struct p2m_slab_get_rep rep;
	unsigned got = 0;
	struct rpc *r;

	peer_open(LIAR, &r);
	while (slab_get(r, 1, &rep) == 0)
		got++;
	assert_int_equal(got, FRAMES / 4); /* its quota */
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(slab_get(r, 1 + i % 100, &rep), -ENOMEM);
	assert_int_equal(slab_get(r, 0, &rep), -EINVAL);
	assert_int_equal(slab_get(r, UINT32_MAX, &rep), -EINVAL);
	assert_in_range(log_lines("gets no slab"), 1, 2);
	rpc_close(r);
}

/* Descriptors that nobody asked for: the monitor holds a handful of them. */
static void unasked_keys(void **state)
{
	struct net_pd *pd;
	struct net_mr *mr;
	struct net_key key;
	struct rpc *r;

	peer_open(LIAR, &r);
	assert_int_equal(net_pd_open(net, &pd), 0);
	assert_int_equal(net_mr_alloc(pd, PAGE_BYTES, false, &mr), 0);
	for (unsigned i = 0; i < 2000;) {
		int err = net_mr_grant(mr, rpc_conn(r), NET_READ | NET_WRITE, &key);

		assert_true(err == 0 || err == -EAGAIN);
		if (err)
			usleep(100);
		else
			i++;
	}
	assert_int_equal(slab_use(r), 0);
	net_mr_free(mr);
	net_pd_close(pd);
	rpc_close(r);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(mute),
		t(half_a_hello),
		t(hello_and_no_more),
		cmocka_unit_test_setup_teardown(out_of_descriptors, few_descriptors, each_end),
		t(full_rate),
		t(endless),
		t(forged_id),
		t(second_dispatcher),
		t(foreign_slabs),
		t(old_key),
		t(slabs_without_end),
		t(unasked_keys),
	};
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
