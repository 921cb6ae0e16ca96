/*
 * Transfers when the owner of memory is stopped (they go on), dies (they fail, soon) or is given up by us, from several
 * threads; and descriptors kept above their floor.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include "net_owner.h"

#define BYTES (64 * PAGE_BYTES)
#define SOON_NS (1000 * NS_PER_MS)

static const char *provider;
static struct owner owner;

static int start(void **state)
{
	owner_start(provider, &owner);
	return 0;
}

static int end(void **state)
{
	owner_end(&owner);
	return 0;
}

/*
 * Where no processor of the owner is needed transfers go on; elsewhere they wait for it, as long as the deadline says, and
 * then end as if nothing had been.
 */
static void stopped_owner(void **state)
{
	struct net *net = net_for_test(provider, 0);
	uint8_t out[PAGE_BYTES] = { 1 }, in[PAGE_BYTES];
	struct net_sge late = { .addr = in, .bytes = sizeof(in) };
	struct net_remote *r;
	struct net_conn *c;
	struct net_data *d;

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(net_data_open(c, NET_DEMAND, &d), 0);
	r = region_get(c, BYTES, NET_READ | NET_WRITE, false, NULL);
	assert_int_equal(write_one(d, r, 0, out, sizeof(out)), 0);
	kill(owner.pid, SIGSTOP);
	if (fabric_is_ofi(provider)) {
		assert_int_equal(net_read_sync(d, r, 0, &late, 1, in_ms(50)), -ETIMEDOUT);
		kill(owner.pid, SIGCONT);
	}
	for (unsigned i = 0; i < 2000; i++) {
		memset(out, (int)i, sizeof(out));
		assert_int_equal(write_one(d, r, i % 64 * PAGE_BYTES, out, sizeof(out)), 0);
		assert_int_equal(read_one(d, r, i % 64 * PAGE_BYTES, in, sizeof(in)), 0);
		assert_memory_equal(in, out, sizeof(in));
	}
	kill(owner.pid, SIGCONT);
	net_remote_close(r);
	net_data_close(d);
	net_conn_close(c);
	net_close(net);
}

/* What a dispatcher does: threads transfer, one watches the connection. */
static struct net_conn *shared_conn;
static struct net_remote *shared_remote;
static unsigned reads[3];

static void *reader(void *arg)
{
	uint8_t buf[PAGE_BYTES];
	unsigned *count = arg;
	struct net_data *d;
	int err;

	assert_int_equal(net_data_open(shared_conn, NET_DEMAND, &d), 0);
	do {
		err = read_one(d, shared_remote, 0, buf, sizeof(buf));
		__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	} while (!err);
	net_data_close(d);
	return (void *)(intptr_t)err;
}

static void *watcher(void *arg)
{
	/* Nobody sends here; where a hang-up is not told apart by the descriptor, net_recv tells. */
	struct pollfd p = { .fd = net_conn_fd(shared_conn), .events = POLLIN | POLLRDHUP };
	uint8_t buf[MSG_BYTES_MAX];

	do
		poll(&p, 1, -1);
	while (!(p.revents & POLLRDHUP) && net_recv(shared_conn, buf, sizeof(buf)) == -EAGAIN);
	net_conn_kill(shared_conn);
	return NULL;
}

static void dead_owner(void **state)
{
	struct net *net = net_for_test(provider, 0);
	pthread_t threads[3], watch;
	struct owner mortal;
	uint64_t killed;
	void *result;

	memset(reads, 0, sizeof(reads));
	owner_start(provider, &mortal);
	assert_int_equal(net_connect(net, mortal.addr, 1000, &shared_conn), 0);
	shared_remote = region_get(shared_conn, BYTES, NET_READ, false, NULL);
	assert_int_equal(pthread_create(&watch, NULL, watcher, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &reads[i]), 0);
	for (int i = 0; i < 3; i++)
		while (__atomic_load_n(&reads[i], __ATOMIC_RELAXED) < 100)
			usleep(100);
	killed = clock_ns();
	kill(mortal.pid, SIGKILL);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &result);
		assert_int_equal((intptr_t)result, -EPIPE);
	}
	assert_true(clock_ns() - killed < SOON_NS);
	pthread_join(watch, NULL);
	waitpid(mortal.pid, NULL, 0);
	net_remote_close(shared_remote);
	net_conn_close(shared_conn);
	net_close(net);
}

/* With a loop the provider sees the end by itself, and says so once. */
static struct loop *loop;
static struct net_conn *loop_conn;
static struct net_remote *loop_remote;
static struct net_data *loop_data;
static struct loop_timer again;
static unsigned ends;

static void loop_message(void *arg, const void *buf, size_t len)
{
	const struct owner_ans *a = buf;

	assert_int_equal(len, sizeof(*a));
	assert_int_equal(net_remote_open(loop_conn, &a->key, BYTES, &loop_remote), 0);
	kill(((struct owner *)arg)->pid, SIGKILL);
}

static void loop_after(void *arg)
{
	uint8_t b[16];

	assert_int_equal(ends, 1);
	assert_int_equal(read_one(loop_data, loop_remote, 0, b, sizeof(b)), -EPIPE);
	assert_int_equal(net_send(loop_conn, b, sizeof(b)), -EPIPE);
	loop_stop(loop);
}

static void loop_closed(void *arg, int err)
{
	assert_int_equal(err, -EPIPE);
	assert_true(net_conn_dead(loop_conn));
	ends++;
	loop_timer_set(loop, &again, loop_now(loop) + 20 * NS_PER_MS);
}

static void loop_writable(void *arg)
{
}

static void dead_owner_with_loop(void **state)
{
	static const struct net_conn_events events = { loop_message, loop_closed, loop_writable };
	struct owner_cmd cmd = { .op = OWNER_ALLOC, .access = NET_READ, .arg = BYTES };
	struct net_options opt = { 0 };
	struct owner mortal;
	struct net *net;

	ends = 0;
	owner_start(provider, &mortal);
	ends = 0;
	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(net_open_tested(provider, &opt, &net), 0);
	assert_int_equal(net_connect(net, mortal.addr, 1000, &loop_conn), 0);
	assert_int_equal(net_conn_set_events(loop_conn, &events, &mortal), 0);
	assert_int_equal(net_data_open(loop_conn, NET_DEMAND, &loop_data), 0);
	assert_int_equal(net_send(loop_conn, &cmd, sizeof(cmd)), 0);
	again.fn = loop_after;
	assert_int_equal(loop_run(loop), 0);
	waitpid(mortal.pid, NULL, 0);
	net_conn_close(loop_conn);
	net_remote_close(loop_remote);
	net_data_close(loop_data);
	net_close(net);
	loop_close(loop);
}

/* Remotes and data connections outlive the connection, and fail. */
static void closed_connection(void **state)
{
	struct net *net = net_for_test(provider, 0);
	struct net_remote *r;
	struct net_conn *c;
	struct net_data *d;
	uint8_t b[16];

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(net_data_open(c, NET_DEMAND, &d), 0);
	r = region_get(c, BYTES, NET_READ, false, NULL);
	net_conn_close(c);
	assert_int_equal(read_one(d, r, 0, b, sizeof(b)), -EPIPE);
	assert_int_equal(net_data_wait(d, in_ms(10)), -EPIPE);
	net_remote_close(r);
	net_data_close(d);
	net_close(net);
}

static void connect_to_nobody(void **state)
{
	struct net *net = net_for_test(provider, 0);
	uint64_t fds = fds_open(getpid());
	struct owner mortal;
	struct net_conn *c;
	int err;

	owner_start(provider, &mortal);
	owner_end(&mortal);
	err = net_connect(net, mortal.addr, 500, &c);
	assert_true(err == -ECONNREFUSED || err == -ENOENT || err == -ETIMEDOUT);
	assert_int_equal(fds_open(getpid()), fds);
	net_close(net);
}

static unsigned fds_below(int floor)
{
	unsigned n = 0;

	for (int fd = 0; fd < floor; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void floor_kept(void **state)
{
	const int floor = 900;
	struct net_options opt = { .fd_floor = floor };
	struct net *net;
	struct net_remote *r, *w;
	struct net_conn *c;
	struct net_data *d;
	struct net_pd *pd;
	struct net_mr *mr;
	struct net_key key;
	unsigned low;

	if (fabric_is_ofi(provider)) {
		assert_int_equal(net_open(provider, &opt, &net), -EINVAL);
		return;
	}
	net = net_for_test(provider, floor);
	low = fds_below(floor);
	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_true(net_conn_fd(c) >= floor);
	assert_int_equal(net_data_open(c, NET_DEMAND, &d), 0);
	r = region_get(c, BYTES, NET_READ, false, NULL);
	w = region_get(c, BYTES, NET_READ | NET_WRITE, false, NULL);
	assert_int_equal(net_pd_open(net, &pd), 0);
	assert_int_equal(net_mr_alloc(pd, BYTES, true, &mr), 0);
	assert_int_equal(net_mr_grant(mr, c, NET_READ, &key), 0);
	assert_int_equal(fds_below(floor), low);
	net_mr_free(mr);
	net_pd_close(pd);
	net_remote_close(r);
	net_remote_close(w);
	net_data_close(d);
	net_conn_close(c);
	net_close(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped_owner),	cmocka_unit_test(dead_owner),
		cmocka_unit_test(dead_owner_with_loop), cmocka_unit_test(closed_connection),
		cmocka_unit_test(connect_to_nobody),	cmocka_unit_test(floor_kept),
	};
	int failed = 0;

	for (size_t i = 0; (provider = fabric_tested(i)); i++)
		failed += cmocka_run_group_tests_name(provider, tests, start, end);
	return failed;
}
