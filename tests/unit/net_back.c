/*
 * Regions of the side that connected, reached by the side that accepted: what a storage component does with the buffers of
 * those whom it serves. For every provider. The accepting side is a process of its own.
 */
#include "net_owner.h"

#define BYTES (16 * PAGE_BYTES)

enum back_op { BACK_TAKE, BACK_FILL, BACK_CHECK };
struct back_cmd {
	uint32_t op, byte;
	struct net_key key;
};
struct back_ans {
	int32_t err;
	uint32_t same; /* bytes that were as said */
};

static const char *provider;

/* ---- the accepting side ---- */

struct server {
	struct net_conn *conn;
	struct net_data *data;
	struct net_remote *remote;
};

static int server_do(struct server *s, const struct back_cmd *cmd, struct back_ans *a)
{
	static uint8_t page[PAGE_BYTES];
	int err = 0;

	if (cmd->op == BACK_TAKE) {
		err = net_data_open(s->conn, NET_DEMAND, &s->data);
		return err ? err : net_remote_open(s->conn, &cmd->key, BYTES, &s->remote);
	}
	memset(page, (int)cmd->byte, sizeof(page));
	for (uint64_t off = 0; off < BYTES && !err; off += PAGE_BYTES) {
		if (cmd->op == BACK_FILL) {
			err = write_one(s->data, s->remote, off, page, sizeof(page));
			continue;
		}
		err = read_one(s->data, s->remote, off, page, sizeof(page));
		for (unsigned i = 0; i < sizeof(page); i++)
			a->same += page[i] == cmd->byte;
	}
	return err;
}

static void server_message(void *arg, const void *buf, size_t len)
{
	struct server *s = arg;
	struct back_ans a = { 0 };

	a.err = len == sizeof(struct back_cmd) ? server_do(s, buf, &a) : -EINVAL;
	if (net_send(s->conn, &a, sizeof(a)))
		abort();
}

static void server_closed(void *arg, int err)
{
	struct server *s = arg;

	net_conn_close(s->conn);
	if (s->remote)
		net_remote_close(s->remote);
	if (s->data)
		net_data_close(s->data);
	free(s);
}

static void nothing(void *arg)
{
}

static void server_accepted(void *arg, struct net_conn *conn)
{
	static const struct net_conn_events events = { server_message, server_closed, nothing };
	struct server *s = calloc(1, sizeof(*s));

	s->conn = conn;
	if (net_conn_set_events(conn, &events, s))
		abort();
}

static void server_main(int ready)
{
	struct net_options opt = { 0 };
	struct net_listener *l;
	char addr[ADDR_BYTES];
	struct net *net;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(addr, sizeof(addr), "%.*s:auto", (int)strcspn(provider, "+"), provider);
	if (loop_open(&opt.loop) || net_open_tested(provider, &opt, &net) ||
	    net_listen(net, addr, server_accepted, NULL, &l))
		_exit(1);
	if (write(ready, net_listener_addr(l), ADDR_BYTES) != ADDR_BYTES)
		_exit(1);
	loop_run(opt.loop);
	_exit(1);
}

/* ---- the connecting side, which owns the memory ---- */

static struct loop *loop;
static struct net *net;
static struct net_conn *conn;
static struct net_mr *mr;
static unsigned step;

static void tell(enum back_op op, uint32_t byte)
{
	struct back_cmd cmd = { .op = op, .byte = byte };

	if (op == BACK_TAKE)
		assert_int_equal(net_mr_grant(mr, conn, NET_READ | NET_WRITE, &cmd.key), 0);
	assert_int_equal(net_send(conn, &cmd, sizeof(cmd)), 0);
}

/* One step for each answer. The answer to FILL comes when the bytes are here; to a closed key, when it was refused. */
static void answer(void *arg, const void *buf, size_t len)
{
	const struct back_ans *a = buf;
	uint8_t *p = net_mr_addr(mr);

	assert_int_equal(len, sizeof(*a));
	switch (step++) {
	case 0:
		assert_int_equal(a->err, 0);
		tell(BACK_FILL, 0x31);
		break;
	case 1:
		assert_int_equal(a->err, 0);
		for (unsigned i = 0; i < BYTES; i++)
			assert_int_equal(p[i], 0x31);
		memset(p, 0x32, BYTES);
		tell(BACK_CHECK, 0x32);
		break;
	case 2:
		assert_int_equal(a->err, 0);
		assert_int_equal(a->same, BYTES);
		assert_int_equal(net_mr_seal(mr), 0);
		tell(BACK_FILL, 0x33);
		break;
	case 3:
		assert_int_equal(a->err, -EACCES);
		tell(BACK_CHECK, 0x32);
		break;
	case 4:
		assert_int_equal(a->err, 0);
		assert_int_equal(a->same, BYTES);
		loop_stop(loop);
		break;
	}
}

static void lost(void *arg, int err)
{
	fail_msg("the connection ended");
}

static void reached_by_the_accepting_side(void **state)
{
	static const struct net_conn_events events = { answer, lost, nothing };
	struct net_options opt = { 0 };
	char addr[ADDR_BYTES];
	struct net_pd *pd;
	pid_t pid;
	int p[2];

	assert_int_equal(pipe(p), 0);
	fflush(NULL);
	pid = fork();
	if (!pid)
		server_main(p[1]);
	close(p[1]);
	assert_int_equal(read(p[0], addr, ADDR_BYTES), ADDR_BYTES);
	close(p[0]);
	step = 0;
	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(net_open_tested(provider, &opt, &net), 0);
	assert_int_equal(net_pd_open(net, &pd), 0);
	assert_int_equal(net_mr_alloc(pd, BYTES, true, &mr), 0);
	assert_int_equal(net_connect(net, addr, 1000, &conn), 0);
	assert_int_equal(net_conn_set_events(conn, &events, NULL), 0);
	tell(BACK_TAKE, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(step, 5);
	net_conn_close(conn);
	net_mr_free(mr);
	net_pd_close(pd);
	net_close(net);
	loop_close(loop);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reached_by_the_accepting_side) };
	int failed = 0;

	for (size_t i = 0; (provider = fabric_tested(i)); i++)
		failed += cmocka_run_group_tests_name(provider, tests, NULL, NULL);
	return failed;
}
