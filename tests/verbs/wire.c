/*
 * Provider `verbs` while the wire between two machines is bad: what is read back is what was written, however long it took.
 *
 *   wire owner [ADDR]        listens (verbs:auto), prints its address, serves until it is killed
 *   wire peer ADDR SECONDS   writes and reads back pages and exchanges messages for so long; then prints how many, the
 *                            longest of each in milliseconds, and "ok"
 */
#include "tests/unit/net_owner.h"

#define PAGES 256
#define LATE_MS 20000

static void owner_here(const char *addr)
{
	static struct owner_state o;
	struct net_options opt = { 0 };
	struct net_listener *l;

	if (loop_open(&opt.loop) || net_open("verbs", &opt, &o.net) || net_pd_open(o.net, &o.pd) ||
	    net_listen(o.net, addr, owner_accepted, &o, &l))
		exit(1);
	puts(net_listener_addr(l));
	fflush(stdout);
	loop_run(opt.loop);
	exit(1);
}

struct tally {
	const char *what;
	uint64_t n, longest_ns;
};

static void count(struct tally *t, uint64_t began)
{
	uint64_t took = clock_ns() - began;

	t->n++;
	if (took > t->longest_ns)
		t->longest_ns = took;
}

static int failed(const char *what, int err)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(-err));
	return 1;
}

static int pages(struct net_data *d, struct net_remote *r, struct local_end *l, uint32_t round, struct tally *t)
{
	uint64_t off = round % PAGES * PAGE_BYTES, began = clock_ns();
	struct net_sge s = { .addr = l->p, .bytes = PAGE_BYTES, .mr = l->mr };
	int err;

	for (unsigned i = 0; i < PAGE_BYTES; i += 4)
		memcpy(l->p + i, &round, 4);
	err = net_write_sync(d, r, off, &s, 1, in_ms(LATE_MS));
	if (err)
		return failed("write", err);
	memset(l->p, 0xff, PAGE_BYTES);
	err = net_read_sync(d, r, off, &s, 1, in_ms(LATE_MS));
	if (err)
		return failed("read", err);
	for (unsigned i = 0; i < PAGE_BYTES; i += 4)
		if (memcmp(l->p + i, &round, 4) != 0)
			return failed("what is read is not what was written", -EIO);
	count(t, began);
	return 0;
}

/* The message is under way while a page is: both meet what happens to the wire. */
static int message_begin(struct net_conn *c, uint32_t round)
{
	uint32_t out[8] = { OWNER_ECHO, round };
	int err = net_send(c, out, sizeof(out));

	return err ? failed("send", err) : 0;
}

static int message_end(struct net_conn *c, uint32_t round, uint64_t began, struct tally *t)
{
	uint64_t deadline = in_ms(LATE_MS);
	uint32_t in[8];
	long n;

	while ((n = net_recv(c, in, sizeof(in))) == -EAGAIN) {
		int err = net_conn_wait(c, deadline);

		if (err && err != -EINTR)
			return failed("wait for a message", err);
	}
	if (n != sizeof(in) || in[1] != round)
		return failed("receive", n < 0 ? (int)n : -EIO);
	count(t, began);
	return 0;
}

static int exchange(struct net_conn *c, struct net_data *d, struct net_remote *r, struct local_end *l, uint32_t round,
		    struct tally *t)
{
	uint64_t began = clock_ns();

	return message_begin(c, round) || pages(d, r, l, round, &t[0]) || message_end(c, round, began, &t[1]);
}

static int peer(const char *addr, unsigned seconds)
{
	struct tally t[2] = { { .what = "pages" }, { .what = "messages" } };
	struct net *net = net_for_test("verbs", 0);
	struct net_remote *r;
	struct net_conn *c;
	struct net_data *d;
	struct local_end l;
	uint64_t end;

	if (net_connect(net, addr, 10000, &c) || net_data_open(c, NET_DEMAND, &d))
		return failed("connect", -EIO);
	r = region_get(c, PAGES * PAGE_BYTES, NET_READ | NET_WRITE, false, NULL);
	l = local_make(net, PAGE_BYTES);
	end = clock_ns() + seconds * NS_PER_S;
	for (uint32_t round = 1; clock_ns() < end; round++)
		if (exchange(c, d, r, &l, round, t))
			return 1;
	for (unsigned i = 0; i < 2; i++)
		printf("%s %llu longest %llu ms\n", t[i].what, (unsigned long long)t[i].n,
		       (unsigned long long)(t[i].longest_ns / NS_PER_MS));
	puts("ok");
	net_remote_close(r);
	net_data_close(d);
	local_end(&l);
	net_conn_close(c);
	net_close(net);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "owner") == 0)
		owner_here(argc > 2 ? argv[2] : "verbs:auto");
	if (argc == 4 && strcmp(argv[1], "peer") == 0)
		return peer(argv[2], (unsigned)atoi(argv[3]));
	fprintf(stderr, "usage: wire owner [ADDR] | wire peer ADDR SECONDS\n");
	return 2;
}
