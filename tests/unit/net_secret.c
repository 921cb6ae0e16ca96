/*
 * The rack's key (net_options.secret), between processes, on each fabric: who has it is known as who he says he is, also
 * when another vouches for him; who has not is a stranger; who has another, or meets one without, gets no connection. On
 * fabrics that know their peers by themselves, or do not use the key, nothing of it may be in the way.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/loop.h"
#include "ashlar/base/secret.h"
#include "ashlar/net.h"

static const struct secret right = { { 1 } }, wrong = { { 2 } };
static const char *fabric;
static bool proves; /* the fabric uses the key */

/* ---- the owner: tells whoever sends something who he is ---- */

struct guest {
	struct net_conn *conn;
};

static void asked(void *arg, const void *buf, size_t len)
{
	struct guest *g = arg;
	struct net_peer who;

	(void)buf;
	(void)len;
	net_conn_peer(g->conn, &who);
	if (net_send(g->conn, &who, sizeof(who)))
		_exit(1);
}

static void closed(void *arg, int err)
{
	struct guest *g = arg;

	(void)err;
	net_conn_close(g->conn);
	free(g);
}

static void writable(void *arg)
{
	(void)arg;
}

static void accepted(void *arg, struct net_conn *conn)
{
	static const struct net_conn_events events = { asked, closed, writable };
	struct guest *g = malloc(sizeof(*g));

	(void)arg;
	if (!g)
		_exit(1);
	g->conn = conn;
	if (net_conn_set_events(conn, &events, g))
		_exit(1);
}

static void owner_main(const struct secret *secret, int ready)
{
	struct net_options o = { .secret = secret };
	struct net_listener *l;
	char addr[ADDR_BYTES];
	struct net *net;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(addr, sizeof(addr), "%s:auto", fabric);
	if (loop_open(&o.loop) || net_open(fabric, &o, &net) || net_listen(net, addr, accepted, NULL, &l))
		_exit(1);
	snprintf(addr, sizeof(addr), "%s", net_listener_addr(l));
	if (write(ready, addr, sizeof(addr)) < 0)
		_exit(1);
	loop_run(o.loop);
	_exit(1);
}

static pid_t owner_start(const struct secret *secret, char addr[ADDR_BYTES])
{
	int p[2];
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		owner_main(secret, p[1]);
	close(p[1]);
	assert_int_equal(read(p[0], addr, ADDR_BYTES), ADDR_BYTES);
	close(p[0]);
	return pid;
}

static void owner_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- who comes ---- */

static int visit(const struct secret *secret, const char *addr, struct net_peer *who)
{
	struct net_options o = { .secret = secret };
	struct net_conn *conn;
	struct net *net;
	int err;
	long n;

	assert_int_equal(net_open(fabric, &o, &net), 0);
	err = net_connect(net, addr, 5000, &conn);
	if (!err) {
		err = net_send(conn, "?", 1);
		while (!err && (n = net_recv(conn, who, sizeof(*who))) == -EAGAIN)
			err = net_conn_wait(conn, clock_ns() + 5 * NS_PER_S);
		if (!err)
			err = n == (long)sizeof(*who) ? 0 : (int)n;
		net_conn_close(conn);
	}
	net_close(net);
	return err;
}

static void owner_has_it(void **state)
{
	char addr[ADDR_BYTES];
	pid_t pid = owner_start(&right, addr);
	struct net_peer who;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(visit(&right, addr, &who), 0);
		assert_false(who.stranger);
		if (proves)
			assert_true(who.known);
		if (who.known) {
			assert_int_equal(who.uid, getuid());
			assert_int_equal(who.gid, getgid());
			assert_int_equal(who.host_pid, getpid());
		}
		assert_int_equal(visit(NULL, addr, &who), 0);
		assert_int_equal(who.stranger, proves);
		if (proves)
			assert_false(who.known);
		assert_int_equal(visit(&wrong, addr, &who), proves ? -EACCES : 0);
	}
	owner_end(pid);
}

static void owner_has_not(void **state)
{
	char addr[ADDR_BYTES];
	pid_t pid = owner_start(NULL, addr);
	struct net_peer who;

	(void)state;
	assert_int_equal(visit(NULL, addr, &who), 0);
	assert_false(who.stranger);
	assert_int_equal(visit(&right, addr, &who), proves ? -EACCES : 0);
	owner_end(pid);
}

/* ---- vouched for ---- */

struct vouching {
	struct loop *loop;
	struct net_conn *conn;
	struct net_peer told;
	int err;
};

static void told(void *arg, const void *buf, size_t len)
{
	struct vouching *v = arg;

	assert_int_equal(len, sizeof(v->told));
	memcpy(&v->told, buf, len);
	loop_stop(v->loop);
}

static void lost(void *arg, int err)
{
	((struct vouching *)arg)->err = err;
	loop_stop(((struct vouching *)arg)->loop);
}

static void connected(void *arg, int err, struct net_conn *conn)
{
	static const struct net_conn_events events = { told, lost, writable };
	struct vouching *v = arg;

	v->err = err;
	v->conn = conn;
	if (err || net_conn_set_events(conn, &events, v) || net_send(conn, "?", 1))
		loop_stop(v->loop);
}

static void vouched(void **state)
{
	const struct net_peer whom = { .known = true, .uid = 4711, .gid = 12, .host_pid = 99 };
	struct net_options o = { .secret = &right };
	struct net_connecting *connecting;
	struct vouching v = { 0 };
	char addr[ADDR_BYTES];
	pid_t pid = owner_start(&right, addr);
	struct net *net;

	(void)state;
	assert_int_equal(loop_open(&o.loop), 0);
	v.loop = o.loop;
	assert_int_equal(net_open(fabric, &o, &net), 0);
	assert_int_equal(net_connect_for(net, &whom, addr, 5000, connected, &v, &connecting), 0);
	loop_run(o.loop);
	assert_int_equal(v.err, 0);
	assert_false(v.told.stranger);
	if (proves) {
		assert_true(v.told.known);
		assert_int_equal(v.told.uid, whom.uid);
		assert_int_equal(v.told.gid, whom.gid);
		assert_int_equal(v.told.host_pid, whom.host_pid);
	}
	net_conn_close(v.conn);
	net_close(net);
	loop_close(o.loop);
	owner_end(pid);
}

int main(void)
{
	static const char *const all[] = { "local", "ofi:tcp" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owner_has_it),
		cmocka_unit_test(owner_has_not),
		cmocka_unit_test(vouched),
	};
	const char *one = getenv("ASHLAR_TEST_FABRIC");
	int failed = 0;

	for (size_t i = 0; i < (one ? 1 : sizeof(all) / sizeof(all[0])); i++) {
		fabric = one ? one : all[i];
		proves = strcmp(fabric, "verbs") == 0;
		failed += cmocka_run_group_tests_name(fabric, tests, NULL, NULL);
	}
	return failed;
}
