/*
 * For tests of the relay: a process that runs its server for a fabric, whose counters the test can see, and beside it an
 * owner of memory on that fabric (net_owner.h).
 */
#ifndef ASHLAR_TESTS_RELAY_RIG_H
#define ASHLAR_TESTS_RELAY_RIG_H
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "ashlar/relay.h"
#include "net_owner.h"

struct relay_rig {
	pid_t pid;
	char addr[ADDR_BYTES];
	struct relay_stats *stats; /* of the server, some milliseconds old at most */
	struct owner owner;
	struct net *net; /* a client's */
	struct net_conn *conn;
	struct net_pd *pd;
};

struct rig_watch {
	struct loop_timer timer;
	struct loop *loop;
	struct relay *relay;
	struct relay_stats *stats;
};

static inline void rig_tick(void *arg)
{
	struct rig_watch *w = arg;

	relay_stats(w->relay, w->stats);
	loop_timer_set(w->loop, &w->timer, loop_now(w->loop) + NS_PER_MS);
}

static inline void rig_main(const char *fabric, struct relay_rig *rig, int ready)
{
	struct rig_watch w = { .timer.fn = rig_tick, .timer.arg = &w, .stats = rig->stats };
	struct net_options opt = { 0 };
	struct net *node, *rack;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_open("relay", LOG_ERROR); /* that a liar is named is no news here */
	if (loop_open(&opt.loop) || net_open("local", &opt, &node) || net_open(fabric, &opt, &rack) ||
	    relay_open(opt.loop, node, rack, rig->addr, &w.relay))
		_exit(1);
	w.loop = opt.loop;
	rig_tick(&w);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	close(ready);
	loop_run(opt.loop);
	_exit(1);
}

static inline void rig_start(const char *fabric, struct relay_rig *rig)
{
	static unsigned number;
	int p[2];
	char byte;

	memset(rig, 0, sizeof(*rig));
	owner_start(fabric, &rig->owner);
	rig->stats = mmap(NULL, sizeof(*rig->stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(rig->stats, MAP_FAILED);
	snprintf(rig->addr, sizeof(rig->addr), "local:@ashlar-relay-test-%d-%u", getpid(), number++);
	assert_int_equal(pipe(p), 0);
	fflush(NULL);
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (!rig->pid) {
		close(p[0]);
		rig_main(fabric, rig, p[1]);
	}
	close(p[1]);
	assert_int_equal(read(p[0], &byte, 1), 1);
	close(p[0]);
}

static inline void rig_stop(struct relay_rig *rig)
{
	kill(rig->pid, SIGKILL);
	waitpid(rig->pid, NULL, 0);
	owner_end(&rig->owner);
	munmap(rig->stats, sizeof(*rig->stats));
}

static inline struct net *rig_client(const struct relay_rig *rig)
{
	struct net_options opt = { .relay = rig->addr, .fd_floor = 300 };
	struct net *net;

	assert_int_equal(net_open("relay", &opt, &net), 0);
	return net;
}

/* An honest client with a connection to the owner. */
static inline void rig_connect(struct relay_rig *rig)
{
	rig->net = rig_client(rig);
	assert_int_equal(net_connect(rig->net, rig->owner.addr, 2000, &rig->conn), 0);
	assert_int_equal(net_pd_open(rig->net, &rig->pd), 0);
}

static inline void rig_disconnect(struct relay_rig *rig)
{
	net_pd_close(rig->pd);
	net_conn_close(rig->conn);
	net_close(rig->net);
}

/* The server's counters come to this within 5 s. */
#define rig_expect(rig, condition)                                   \
	do {                                                         \
		for (int rig_turns = 0; !(condition); rig_turns++) { \
			assert_true(rig_turns < 5000);               \
			usleep(1000);                                \
		}                                                    \
	} while (0)

#endif
