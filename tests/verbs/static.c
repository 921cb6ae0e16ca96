/*
 * Provider `verbs` in a program that is linked statically, as a dispatcher is, with its descriptors above a floor: a child
 * owns memory, the parent writes and reads it. Needs an RDMA device. Prints "ok" and ends with 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/loop.h"
#include "ashlar/net.h"

#define FLOOR 900
#define PAGES 64

#define must(what)                                                                        \
	do {                                                                              \
		if (!(what)) {                                                            \
			fprintf(stderr, "static: line %d: %s failed\n", __LINE__, #what); \
			_exit(1);                                                         \
		}                                                                         \
	} while (0)

/* ---- the owner ---- */

static struct net_mr *mr;

/* Any message is a question for the key. */
static void owner_message(void *arg, const void *buf, size_t len)
{
	struct net_conn *conn = *(struct net_conn **)arg;
	struct net_key key;

	must(net_mr_grant(mr, conn, NET_READ | NET_WRITE, &key) == 0);
	must(net_send(conn, &key, sizeof(key)) == 0);
}

static void owner_closed(void *arg, int err)
{
	_exit(0);
}

static void owner_writable(void *arg)
{
}

static void owner_accepted(void *arg, struct net_conn *conn)
{
	static const struct net_conn_events events = { owner_message, owner_closed, owner_writable };
	static struct net_conn *only;

	only = conn;
	must(net_conn_set_events(conn, &events, &only) == 0);
}

static void owner_main(int ready)
{
	struct net_options opt = { 0 };
	struct net_listener *l;
	struct net_pd *pd;
	struct net *net;

	must(loop_open(&opt.loop) == 0);
	must(net_open("verbs", &opt, &net) == 0);
	must(net_pd_open(net, &pd) == 0);
	must(net_mr_alloc(pd, PAGES * PAGE_BYTES, false, &mr) == 0);
	must(net_listen(net, "verbs:auto", owner_accepted, NULL, &l) == 0);
	must(write(ready, net_listener_addr(l), ADDR_BYTES) == ADDR_BYTES);
	loop_run(opt.loop);
	_exit(1);
}

/* ---- who reaches it ---- */

static unsigned descriptors_below(int floor)
{
	unsigned n = 0;

	for (int fd = 0; fd < floor; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void key_get(struct net_conn *conn, struct net_key *key)
{
	must(net_send(conn, "key", 3) == 0);
	while (net_recv(conn, key, sizeof(*key)) != sizeof(*key))
		must(net_conn_wait(conn, clock_ns() + 5 * NS_PER_S) == 0);
}

static void transfers(struct net_data *data, struct net_remote *r, struct net_mr *local)
{
	uint8_t *p = net_mr_addr(local);
	struct net_sge s = { .addr = p, .bytes = PAGE_BYTES, .mr = local };

	for (unsigned i = 0; i < PAGES; i++) {
		memset(p, (int)i + 1, PAGE_BYTES);
		must(net_write_sync(data, r, i * PAGE_BYTES, &s, 1, clock_ns() + 5 * NS_PER_S) == 0);
	}
	for (unsigned i = 0; i < PAGES; i++) {
		must(net_read_sync(data, r, i * PAGE_BYTES, &s, 1, clock_ns() + 5 * NS_PER_S) == 0);
		must(p[0] == i + 1 && p[PAGE_BYTES - 1] == i + 1);
	}
}

int main(void)
{
	struct net_options opt = { .fd_floor = FLOOR };
	struct net_remote *r;
	struct net_conn *conn;
	struct net_data *data;
	struct net_mr *local;
	struct net_key key;
	struct net_pd *pd;
	struct net *net;
	char addr[ADDR_BYTES];
	unsigned low;
	int p[2];
	pid_t pid;

	must(pipe(p) == 0);
	pid = fork();
	must(pid >= 0);
	if (!pid)
		owner_main(p[1]);
	close(p[1]);
	must(read(p[0], addr, sizeof(addr)) == sizeof(addr));
	close(p[0]);
	low = descriptors_below(FLOOR);
	must(net_open("verbs", &opt, &net) == 0);
	must(net_connect(net, addr, 5000, &conn) == 0);
	must(net_data_open(conn, NET_DEMAND, &data) == 0);
	must(net_pd_open(net, &pd) == 0);
	must(net_mr_alloc(pd, PAGE_BYTES, true, &local) == 0);
	key_get(conn, &key);
	must(net_remote_open(conn, &key, PAGES * PAGE_BYTES, &r) == 0);
	transfers(data, r, local);
	must(descriptors_below(FLOOR) == low);
	net_remote_close(r);
	net_data_close(data);
	net_mr_free(local);
	net_pd_close(pd);
	net_conn_close(conn);
	net_close(net);
	waitpid(pid, NULL, 0);
	puts("ok");
	return 0;
}
