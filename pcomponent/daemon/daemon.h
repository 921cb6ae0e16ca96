/*
 * Node daemon: the part of the processor monitor that is one per machine. It admits processes on the gmm's word, divides
 * the ExCache among them, stands by each while it runs, and reports its end.
 *
 * An object over struct loop, struct net and rpc. What it asks of the machine itself goes through struct daemon_host, so
 * that a simulated rack can stand in.
 */
#ifndef PCOMPONENT_DAEMON_H
#define PCOMPONENT_DAEMON_H
#include "ashlar/component.h"

struct daemon;

struct daemon_host {
	/* A descriptor that polls readable when the process of this machine has ended (a pidfd), or -errno. */
	int (*process_open)(int32_t host_pid);
	void (*process_kill)(int fd); /* harmless when it has ended */
	void (*process_close)(int fd);
	int (*process_signal)(int fd, int signal); /* 0 or -errno; -ESRCH: it has ended */
	/* What it uses on this machine. 0, or -ESRCH: it has ended. host_pid is the one that fd was opened for. */
	int (*process_usage)(int fd, int32_t host_pid, struct process_usage *);
};
extern const struct daemon_host daemon_host_linux;

struct daemon_config {
	struct loop *loop;
	struct net *net; /* the rack's */
	/*
	 * For programs that reach the rack through a relay of ours: the machine's own net. Of those that begin while the relay
	 * is there, so many at once use the fabric themselves all the same. NULL: all do.
	 */
	struct net *relay;
	uint32_t direct_max;
	const struct daemon_host *host;
	struct component *component; /* by which ends are reported; NULL: to nobody */
	struct rpc_counters *counters;
	const char *hook;	/* net_options.hook for the programs that we start; NULL: none */
	const char *dispatcher; /* path of the program; NULL: this daemon starts no programs */
	uint64_t excache_bytes; /* to divide among the processes of this machine */
};

int daemon_open(const struct daemon_config *, struct daemon **out);
void daemon_close(struct daemon *);		 /* its processes end with it */
bool start_is_child(struct daemon *, pid_t pid); /* a program that it started, and waits for (start.c) */

/* Its side of struct component: ctx is the struct daemon. */
int daemon_listening(void *ctx); /* opens the relay, beside the component's own address */
void daemon_accepted(void *ctx, struct net_conn *);
int daemon_admit(void *ctx, const struct g2x_admit_req *, const struct placement_part *, uint32_t n_parts);
uint64_t daemon_revoke(void *ctx, uint32_t pid);
void daemon_load(void *ctx, struct x2g_beat_req *);
void daemon_usage(void *ctx, const uint32_t *pids, uint32_t n, struct process_usage *rows);
int daemon_tree(void *ctx, uint32_t pid, uint32_t after, struct member_row *rows, uint32_t max);
int daemon_signal(void *ctx, uint32_t pid, int signal);
void daemon_gmm_lost(void *ctx);
void daemon_joined(void *ctx); /* again: tells the gmm of what runs here */

#endif
