/*
 * For tests of net.h: an owner of memory, a process of its own with a loop, that does what it is told by messages, and
 * what else such tests need. Written once against net.h; a test runs for every provider in tested_fabrics.
 */
#ifndef ASHLAR_TESTS_NET_OWNER_H
#define ASHLAR_TESTS_NET_OWNER_H
#include "net/core/provider.h"
#include "tests/unit/net_owner_serve.h"
#include "tests/unit/net_sim.h"

/* A name of a fabric, and behind a '+' the wrappers in front of it, here such as change nothing. */
static const char *const tested_fabrics[] = {
	"local",
	"local+emulate",
	"local+trace:file=/dev/null;emulate:latency=2us,jitter=1us,bandwidth=100G;error:op=read,p=0,do=EIO",
	"ofi:tcp",
	"ofi:net",
};

/*
 * The i-th fabric to test, NULL behind the last. ASHLAR_TEST_FABRIC names one to test instead of them all: so the same
 * programs test those that need a device, where there is one.
 */
static inline const char *fabric_chosen(void)
{
	return getenv("ASHLAR_TEST_FABRIC");
}
static inline const char *fabric_tested(size_t i)
{
	if (fabric_chosen())
		return i ? NULL : fabric_chosen();
	return i < sizeof(tested_fabrics) / sizeof(tested_fabrics[0]) ? tested_fabrics[i] : NULL;
}

/* What a test must know of the fabric it runs on: there the owner's processor moves the bytes, and descriptors stay. */
static inline bool fabric_is_ofi(const char *fabric)
{
	return strncmp(fabric, "ofi", 3) == 0;
}

struct owner {
	struct sim_owner *sim;
	pid_t pid;
	char addr[ADDR_BYTES];
};

static inline void owner_start(const char *provider, struct owner *o)
{
	int p[2];

	if (fabric_is_sim(provider)) {
		o->sim = sim_owner_start(o->addr, &o->pid);
		return;
	}
	o->sim = NULL;
	assert_int_equal(pipe(p), 0);
	fflush(NULL);
	o->pid = fork();
	assert_true(o->pid >= 0);
	if (!o->pid) {
		close(p[0]);
		owner_main(provider, p[1]);
	}
	close(p[1]);
	assert_int_equal(read(p[0], o->addr, ADDR_BYTES), ADDR_BYTES);
	close(p[0]);
}

static inline void owner_end(struct owner *o)
{
	if (o->sim) {
		sim_owner_end(o->sim);
		return;
	}
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
}

/* It gets no turn any more, or again. */
static inline void owner_stop(struct owner *o, bool stop)
{
	if (o->sim)
		sim_node_stop(o->sim->node, stop);
	else
		kill(o->pid, stop ? SIGSTOP : SIGCONT);
}

static inline uint64_t in_ms(unsigned ms)
{
	return clock_ns() + ms * NS_PER_MS;
}

/* Receive one message, waiting up to 5 s; its length or -errno. */
static inline long recv_within(struct net_conn *conn, void *buf, size_t len)
{
	uint64_t deadline = in_ms(5000);
	long n;

	while ((n = net_recv(conn, buf, len)) == -EAGAIN) {
		int err = net_conn_wait(conn, deadline);

		if (err && err != -EINTR)
			return err;
	}
	return n;
}

static inline int owner_ask(struct net_conn *conn, const struct owner_cmd *cmd, struct owner_ans *a)
{
	uint8_t buf[MSG_BYTES_MAX];

	assert_int_equal(net_send(conn, cmd, sizeof(*cmd)), 0);
	assert_int_equal(recv_within(conn, buf, sizeof(buf)), sizeof(*a));
	memcpy(a, buf, sizeof(*a));
	return a->err;
}

static inline struct net *net_for_test(const char *provider, int fd_floor)
{
	struct net_options opt = { .fd_floor = fd_floor };
	struct net *net;

	if (fabric_is_sim(provider)) {
		assert_int_equal(sim_net_open(sim_node_self(), false, &net), 0);
		return net;
	}
	assert_int_equal(net_open_tested(provider, &opt, &net), 0);
	return net;
}

/* A region of the owner, taken up. */
static inline struct net_remote *region_get(struct net_conn *conn, uint64_t bytes, unsigned access, bool mapped,
					    uint32_t *region)
{
	struct owner_cmd cmd = { .op = OWNER_ALLOC, .access = access, .flags = mapped, .arg = bytes };
	struct net_remote *r;
	struct owner_ans a;

	assert_int_equal(owner_ask(conn, &cmd, &a), 0);
	assert_int_equal(net_remote_open(conn, &a.key, bytes, &r), 0);
	if (region)
		*region = a.region;
	return r;
}

/* The local end of transfers: memory as the fabric wants it. */
struct local_end {
	struct net_pd *pd;
	struct net_mr *mr;
	uint8_t *p;
};

static inline struct local_end local_make(struct net *n, uint64_t bytes)
{
	struct local_end l = { 0 };

	bytes = bytes ? (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES : PAGE_BYTES;
	if (net_local_any(n)) {
		l.p = calloc(1, bytes);
		return l;
	}
	assert_int_equal(net_pd_open(n, &l.pd), 0);
	assert_int_equal(net_mr_alloc(l.pd, bytes, true, &l.mr), 0);
	l.p = net_mr_addr(l.mr);
	return l;
}

static inline void local_end(struct local_end *l)
{
	if (l->mr) {
		net_mr_free(l->mr);
		net_pd_close(l->pd);
	} else {
		free(l->p);
	}
}

static inline int read_one(struct net_data *d, struct net_remote *r, uint64_t off, void *buf, uint32_t n)
{
	struct local_end l = local_make(d->net, n);
	struct net_sge s = { .addr = l.p, .bytes = n, .mr = l.mr };
	int err = net_read_sync(d, r, off, &s, 1, in_ms(5000));

	if (!err)
		memcpy(buf, l.p, n);
	local_end(&l);
	return err;
}

static inline int write_one(struct net_data *d, struct net_remote *r, uint64_t off, const void *buf, uint32_t n)
{
	struct local_end l = local_make(d->net, n);
	struct net_sge s = { .addr = l.p, .bytes = n, .mr = l.mr };
	int err;

	memcpy(l.p, buf, n);
	err = net_write_sync(d, r, off, &s, 1, in_ms(5000));
	local_end(&l);
	return err;
}

#endif
