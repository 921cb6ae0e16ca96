/*
 * For tests of the node daemon: one with a real memory monitor beside it. What it asks of the machine is played: a
 * "process" is a pipe that becomes readable when it has ended.
 */
#ifndef ASHLAR_TESTS_DAEMON_RIG_H
#define ASHLAR_TESTS_DAEMON_RIG_H
#include <fcntl.h>
#include "mcomponent_rig.h"
#include "pcomponent/daemon/daemon.h"

static struct daemon *node;
static struct net_listener *node_listener;
static struct rig_peer command, dispatcher;
static int host_pipe[2];
static unsigned host_killed;
static int32_t host_opened;
static bool host_stopped;
static int host_signal __attribute__((unused));
static unsigned host_signals __attribute__((unused));
static int host_next; /* the pipe of the next process that is opened; 0: host_pipe; -1: it is gone */

static inline int played_open(int32_t host_pid)
{
	host_opened = host_pid;
	if (host_next < 0)
		return -ESRCH;
	return fcntl(host_next ? host_next : host_pipe[0], F_DUPFD_CLOEXEC, 0);
}
static inline void played_kill(int fd)
{
	host_killed++;
}
static inline void played_close(int fd)
{
	close(fd);
}
static inline int played_signal(int fd, int signal)
{
	host_signal = signal;
	host_signals++;
	return 0;
}
static inline int played_usage(int fd, int32_t host_pid, struct process_usage *u)
{
	u->bytes = 12345;
	u->state = host_stopped ? 'T' : 'S';
	return 0;
}
static const struct daemon_host played = {
	.process_open = played_open,
	.process_kill = played_kill,
	.process_close = played_close,
	.process_signal = played_signal,
	.process_usage = played_usage,
};

static inline void node_accept(void *arg, struct net_conn *conn)
{
	daemon_accepted(node, conn);
}

static inline int node_up(void **state)
{
	struct daemon_config config = { .host = &played, .counters = &rig_counters, .excache_bytes = 64 << 20 };

	if (mem_open(state) || pipe(host_pipe))
		return -1;
	config.loop = rig_loop;
	config.net = rig_net;
	host_killed = 0;
	host_opened = 0;
	host_stopped = false;
	return daemon_open(&config, &node) || net_listen(rig_net, "local:auto", node_accept, NULL, &node_listener);
}

static inline int node_down(void **state)
{
	rig_hang_up(&command);
	rig_hang_up(&dispatcher);
	net_listener_close(node_listener);
	daemon_close(node);
	close(host_pipe[0]);
	close(host_pipe[1]);
	return mem_close(state);
}

static inline struct cap node_cap(uint32_t pid)
{
	return (struct cap){ { pid, 77 } };
}

/* As the gmm does: at the memory component and here. */
static inline int admit(uint32_t pid, uint64_t excache, const char *memory)
{
	struct g2x_admit_req req = {
		.cap = node_cap(pid), .pid = pid, .bytes = excache, .uid = getuid(), .n_memory = 1
	};
	struct placement_part parts[2] = { { .name = "s0", .addr = "local:@s0" }, { .name = "m0" } };

	parts[1].cap = mem_cap(pid);
	snprintf(parts[1].addr, sizeof(parts[1].addr), "%s", memory);
	return daemon_admit(node, &req, parts, 2);
}

static inline int announce(struct rig_peer *p, uint32_t pid, struct cap cap)
{
	struct d2p_announce_req req = { .cap = cap, .pid = pid };

	rig_connect(p, net_listener_addr(node_listener), KIND_COMMAND);
	return rig_ask(p, D2P_ANNOUNCE, &req);
}

static inline int hello(struct rig_peer *p, uint32_t pid, struct cap cap)
{
	struct d2p_hello_req req = { .cap = cap, .pid = pid };

	rig_connect(p, net_listener_addr(node_listener), KIND_DISPATCHER);
	return rig_ask(p, D2P_HELLO, &req);
}

static inline uint32_t processes(void)
{
	struct x2g_beat_req beat = { 0 };

	daemon_load(node, &beat);
	return beat.processes;
}

static inline void start(uint32_t pid)
{
	assert_int_equal(mem_admit(pid, FRAMES), 0);
	assert_int_equal(admit(pid, 0, mem_addr), 0);
	assert_int_equal(announce(&command, pid, node_cap(pid)), 0);
	assert_int_equal(hello(&dispatcher, pid, node_cap(pid)), 0);
}

#endif
