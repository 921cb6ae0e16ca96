/*
 * priority_map [PAIRS]: how long a question to a memory component (P2M_STAT, demand) takes by itself, and beside another
 * process that posts page map batches (P2M_MAP, background) as fast as it is let, in turns, on each fabric. A handler runs
 * to its end, so the question waits for the batch that is being applied: MAP_BATCH_MAX says how long that is. Beside the
 * times: entries a second that went through, which is what smaller batches cost.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"
#include "mcomponent/mcomponent.h"

#define QUESTIONS 2000u
#define FRAMES SLAB_FRAMES_MAX
#define CALL_MS 5000u
#define SETTLE_US 20000u

enum pid { ASKS = 1, MAPS, PIDS };
enum order { WAIT, GO };

static struct shared {
	uint32_t order;
	uint64_t entries;
} * shared;

static void die(const char *what, int err)
{
	fprintf(stderr, "priority_map: %s: %s\n", what, strerror(-err));
	exit(1);
}

static struct cap cap_of(uint32_t pid)
{
	return (struct cap){ { pid, ~(uint64_t)pid } };
}

/* ---- the component ---- */

static void accepted(void *arg, struct net_conn *conn)
{
	mcomponent_accepted(arg, conn);
}

static void memory_main(const char *fabric, int ready)
{
	static struct rpc_counters counters;
	struct mcomponent_config config = { .bytes = 2 * FRAMES * PAGE_BYTES, .counters = &counters };
	const char *addr = strcmp(fabric, "local") ? "ofi:tcp:127.0.0.1:auto" : "local:auto";
	struct net_options opt = { 0 };
	struct net_listener *l;
	struct mcomponent *m;

	if (loop_open(&opt.loop) || net_open(fabric, &opt, &config.net))
		_exit(1);
	config.loop = opt.loop;
	if (mcomponent_open(&config, &m) || net_listen(config.net, addr, accepted, m, &l))
		_exit(1);
	for (uint32_t pid = ASKS; pid < PIDS; pid++) {
		struct g2x_admit_req req = {
			.cap = cap_of(pid), .pid = pid, .bytes = FRAMES * PAGE_BYTES, .weight = WEIGHT_DEFAULT
		};

		if (mcomponent_admit(m, &req, NULL, 0))
			_exit(1);
	}
	if (write(ready, net_listener_addr(l), ADDR_BYTES) != ADDR_BYTES)
		_exit(1);
	loop_run(opt.loop);
	_exit(1);
}

/* ---- its users ---- */

static struct rpc *user_open(const char *fabric, const char *addr, uint32_t pid)
{
	struct p2m_hello_req req = { .cap = cap_of(pid), .pid = pid };
	struct net_options opt = { 0 };
	struct p2m_hello_rep rep;
	struct net *net;
	struct rpc *r = NULL;
	int err = net_open(fabric, &opt, &net);

	if (!err)
		err = rpc_connect_sync(net, addr, KIND_DISPATCHER, KIND_MEMORY, CALL_MS, &r);
	if (!err)
		err = rpc_call_sync(r, P2M_HELLO, pid, 0, &req, NULL, 0, CALL_MS, &rep, NULL, NULL);
	if (err)
		die("no connection", err);
	return r;
}

static void maps_main(const char *fabric, const char *addr)
{
	struct rpc *r = user_open(fabric, addr, MAPS);
	struct p2m_slab_get_req get = { .frames = FRAMES };
	struct p2m_map_req req = { .n = MAP_BATCH_MAX };
	struct map_entry e[MAP_BATCH_MAX];
	struct p2m_slab_get_rep slab;
	struct p2m_map_rep rep;
	uint64_t n = 0;
	int err = rpc_call_sync(r, P2M_SLAB_GET, MAPS, 0, &get, NULL, 0, CALL_MS, &slab, NULL, NULL);

	while (!err) {
		if (__atomic_load_n(&shared->order, __ATOMIC_RELAXED) != GO) {
			usleep(1000);
			continue;
		}
		for (uint32_t i = 0; i < MAP_BATCH_MAX; i++, n++)
			e[i] = (struct map_entry){ n * 7919 % FRAMES, slab.slab << 16 | n * 10007 % FRAMES };
		err = rpc_post_sync(r, P2M_MAP, MAPS, 0, &req, e, sizeof(e));
		if (err == -EAGAIN)
			err = rpc_call_sync(r, P2M_MAP, MAPS, 0, &req, e, sizeof(e), CALL_MS, &rep, NULL, NULL);
		__atomic_fetch_add(&shared->entries, MAP_BATCH_MAX, __ATOMIC_RELAXED);
	}
	die("mapping ends", err);
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void ask(struct rpc *r, const char *fabric, const char *how)
{
	static uint64_t ns[QUESTIONS];
	uint64_t entries = shared->entries, begin = clock_ns();

	for (unsigned i = 0; i < QUESTIONS; i++) {
		struct p2m_stat_req req = { 0 };
		struct p2m_stat_rep rep;
		uint64_t t = clock_ns();
		int err = rpc_call_sync(r, P2M_STAT, ASKS, 0, &req, NULL, 0, CALL_MS, &rep, NULL, NULL);

		if (err)
			die("a question", err);
		ns[i] = clock_ns() - t;
	}
	entries = __atomic_load_n(&shared->entries, __ATOMIC_RELAXED) - entries;
	begin = clock_ns() - begin;
	qsort(ns, QUESTIONS, sizeof(ns[0]), ascending);
	printf("%s, %s, p50: %lu ns\n", fabric, how, (unsigned long)ns[QUESTIONS / 2]);
	printf("%s, %s, p99: %lu ns\n", fabric, how, (unsigned long)ns[QUESTIONS * 99 / 100]);
	if (entries)
		printf("%s, entries mapped: %lu /s\n", fabric, (unsigned long)(entries * NS_PER_S / begin));
}

/* A process of ours; it ends with us. */
static bool child(pid_t *pid)
{
	fflush(NULL);
	*pid = fork();
	if (*pid < 0)
		die("fork", -errno);
	if (!*pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return !*pid;
}

static void measure(const char *fabric, unsigned pairs)
{
	char addr[ADDR_BYTES];
	pid_t component, maps;
	struct rpc *r;
	int p[2];

	if (pipe(p))
		die("pipe", -errno);
	if (child(&component))
		memory_main(fabric, p[1]);
	if (read(p[0], addr, ADDR_BYTES) != ADDR_BYTES)
		die("no component", -EPIPE);
	shared->order = WAIT;
	if (child(&maps))
		maps_main(fabric, addr);
	r = user_open(fabric, addr, ASKS);
	for (unsigned i = 0; i < pairs; i++) {
		__atomic_store_n(&shared->order, WAIT, __ATOMIC_RELAXED);
		usleep(SETTLE_US);
		ask(r, fabric, "alone");
		__atomic_store_n(&shared->order, GO, __ATOMIC_RELAXED);
		usleep(SETTLE_US);
		ask(r, fabric, "beside page map batches");
	}
	kill(maps, SIGKILL);
	kill(component, SIGKILL);
	waitpid(maps, NULL, 0);
	waitpid(component, NULL, 0);
	close(p[0]);
	close(p[1]);
}

int main(int argc, char **argv)
{
	unsigned pairs = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
	pid_t one;

	log_open("priority_map", LOG_ERROR);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap", -errno);
	printf("entries of a batch: %u\n", MAP_BATCH_MAX);
	/* Each fabric in a process of its own: a provider forks badly. */
	if (child(&one)) {
		measure("local", pairs);
		exit(0);
	}
	waitpid(one, NULL, 0);
	measure("ofi:tcp", pairs);
	return 0;
}
