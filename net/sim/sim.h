/*
 * sim: a simulated world in one process and one thread. Time is virtual and goes on from event to event; whatever is
 * drawn at random comes from one seed; events at the same time happen in the order in which they were made. So the same
 * seed gives the same run, and sim_hash says whether it did.
 *
 * A *node* is one simulated process of an operating system: it has nets (the provider `sim`), and either a loop, on
 * which a monitor runs, or coroutines, on which blocking code runs. A *machine* is a number; nodes of one machine share
 * its links. What blocks (net_connect, net_data_wait, sim_sleep, a pthread mutex ...) lets the world go on meanwhile.
 *
 * One world at a time in an OS process. docs/simulator.md says what is simulated and what is not.
 */
#ifndef NET_SIM_SIM_H
#define NET_SIM_SIM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ashlar/net.h"

struct loop;
struct sim_node;

/* ---- the world ---- */

struct sim_config {
	uint64_t seed;
	bool trace;	     /* a line on stderr for each event that matters */
	bool local_any;	     /* transfers take any local memory, or registered memory only */
	uint64_t latency_ns; /* of a link, one way */
	uint64_t jitter_ns;
	uint32_t bytes_per_us; /* of a link; 0: no limit */
	uint32_t loss_ppm;     /* packets that must be sent again */
	uint64_t break_ns;     /* a connection ends when its link is cut for so long */
	/* Whole messages, but for each side's first one, in millionths: they break net.h's promise, and rpc must bear it. */
	uint32_t msg_loss_ppm, msg_dup_ppm, msg_late_ppm;
	uint32_t window_bytes; /* of messages under way on one connection and direction */
	bool no_classes;       /* all traffic is of one class: what a broken provider would do */
	bool lose_ends;	       /* now and then the end of a connection is not told to the peer: a planted bug */
	bool free_shared;      /* memory that is shared goes with the first region of it: a planted bug */
	bool early_write_ack;  /* a write is acknowledged before it is done: a planted bug */
};

void sim_open(const struct sim_config *);
void sim_close(void); /* all nodes are gone */
void sim_run(void);   /* until sim_stop, or nothing is left to happen */
void sim_stop(void);
uint64_t sim_now(void);
uint64_t sim_hash(void);
uint64_t sim_steps(void);	       /* events so far */
void sim_note(uint64_t a, uint64_t b); /* into the hash */
void sim_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

uint64_t sim_random(void);
uint64_t sim_below(uint64_t n);		      /* 0 .. n-1 */
bool sim_chance(uint32_t ppm);		      /* true so many times in a million */
uint64_t sim_between(uint64_t a, uint64_t b); /* a .. b */

/* Call fn at that time, in the world's own context: it must not block. */
void sim_at(uint64_t when_ns, void (*fn)(void *arg, uint64_t v), void *arg, uint64_t v);

/* Faults that a connection may meet, as a count of what is open: at the end of a run all must be as before. */
struct sim_counts {
	uint32_t nodes, coroutines, timers, listeners, conns, pds, mrs, datas, remotes;
	uint64_t mr_bytes;
};
void sim_counts(struct sim_counts *); /* of the world */
void sim_node_counts(const struct sim_node *, struct sim_counts *);

/* ---- nodes ---- */

struct sim_node *sim_node_open(const char *name, unsigned machine);
const char *sim_node_name(const struct sim_node *);
int32_t sim_node_pid(const struct sim_node *);
bool sim_node_dead(const struct sim_node *);
void sim_node_set_user(struct sim_node *, void *user);
void *sim_node_user(const struct sim_node *);
struct sim_node *sim_node_self(void); /* whose coroutine runs; NULL: the world's own */
struct loop *sim_node_loop(struct sim_node *);
/* Each callback of the loop takes so long, and the next one waits. */
void sim_node_slow(struct sim_node *, uint64_t ns);
/* It gets no turn, as by SIGSTOP; what comes waits. */
void sim_node_stop(struct sim_node *, bool stop);
/* Call fn on the node's loop. */
void sim_node_post(struct sim_node *, void (*fn)(void *arg, uint64_t v), void *arg, uint64_t v);
/*
 * The OS process ends, now: its connections are cut, nothing that it does from here on is seen by anybody, what it
 * waits for fails with -EPIPE. reap(arg) is then called in its context, to free what its objects hold.
 */
void sim_node_kill(struct sim_node *);
void sim_node_on_death(struct sim_node *, void (*reap)(void *arg), void *arg);
/* For those that have no loop: all coroutines have returned, all is freed. */
void sim_node_end(struct sim_node *);

/* The provider `sim` for a node; loop: its loop, or synchronous use. */
int sim_net_open(struct sim_node *, bool loop, struct net **out);

/* Descriptors that stand for another node's life, for loop_fd_add and sim_fds_wait. */
int sim_pidfd_open(int32_t pid); /* or -errno */
void sim_pidfd_kill(int fd);
void sim_pidfd_close(int fd);
/* Wait until one of net_conn_fd's descriptors has hung up: its index, or -EPIPE when this node is dead. fd -1: none. */
int sim_fds_wait(const int *fd, unsigned n);
void sim_fds_wake(struct sim_node *); /* it returns -EINTR */

/* ---- coroutines ---- */

/* Of a node (NULL: of the world), begins now. */
void sim_spawn(struct sim_node *, void (*fn)(void *arg), void *arg);
void sim_sleep(uint64_t ns);
void sim_yield(void);	      /* for loops that wait for another coroutine: sleeps, longer each time */
uint32_t sim_thread_id(void); /* of this coroutine, from 1 */

struct sim_waitq {
	struct sim_co *first;
};
/* 0: woken; -ETIMEDOUT; -EPIPE: the node is dead. deadline_ns 0: none. */
int sim_wait(struct sim_waitq *, uint64_t deadline_ns);
void sim_wake(struct sim_waitq *);

/* ---- faults of links ---- */

/* From machine to machine, one way. */
void sim_link_cut(unsigned from, unsigned to);
void sim_link_heal(unsigned from, unsigned to);
void sim_link_quality(unsigned from, unsigned to, uint64_t latency_ns, uint64_t jitter_ns, uint32_t loss_ppm);
void sim_heal_all(void);

#endif
