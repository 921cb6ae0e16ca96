/*
 * Insides of the simulated world.
 *   world.c  events, randomness, hash     co.c    coroutines, waiting      node.c  nodes, their work, their end
 *   loop.c   struct loop                  link.c  links, queues, faults    wrap.c  clock, sleep and locks of the host
 *   conn.c   connections, listeners       msg.c   messages                 region.c, data.c  one-sided transfers
 *
 * Objects of the fabric live as long as the world, so that a message under way never meets a freed one; what users hold
 * is counted. Everything is drawn and ordered by the world alone.
 */
#ifndef NET_SIM_WORLD_H
#define NET_SIM_WORLD_H
#include "ashlar/base/clock.h"
#include "ashlar/base/list.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "net/core/provider.h"
#include "net/sim/sim.h"

#define SIM_MACHINES 16u
#define SIM_CHUNK 4096u	     /* a link serves so many bytes of one transfer before it looks at the others */
#define SIM_LOWER_SHARE 16u  /* one chunk of so many is of a lower class, while a more urgent one waits */
#define SIM_FD_FIRST 1000000 /* numbers that no descriptor has */
#define SIM_CQ_MAX 64u
#define SIM_TASK_NS 500u /* what a callback of a loop takes */

struct sim_co;
typedef void sim_event_fn(void *arg, uint64_t v);

/* An object that lives as long as the world. */
struct sim_mem {
	struct sim_mem *next;
	uint64_t bytes[];
};

struct sim_event {
	uint64_t at, seq;
	sim_event_fn *fn;
	void *arg;
	uint64_t v;
};

/* What waits for its turn on a link. */
struct sim_packet {
	struct list link;
	sim_event_fn *fn;
	void *arg;
	uint64_t v;
	uint32_t bytes;	 /* still to send */
	uint64_t *order; /* nothing of this stream arrives before; NULL: unordered */
	uint64_t extra_ns;
};

struct sim_link {
	uint64_t latency_ns, jitter_ns;
	uint32_t loss_ppm, bytes_per_us, lower_turn;
	bool cut, busy;
	uint64_t cut_gen;
	struct list held; /* sent while it was cut */
	struct list queue[NET_CLASSES];
	struct sim_packet *sending;
};

struct sim_world {
	struct sim_config cfg;
	uint64_t now, seq, steps, hash, rng;
	bool stopped;
	struct sim_event *heap;
	size_t n_events, heap_size;
	struct list nodes;
	struct sim_node *at_work; /* whose context this is */
	struct sim_co *co;	  /* NULL: the world's own context */
	struct sim_mem *mem;
	struct sim_counts counts;
	struct sim_link link[SIM_MACHINES][SIM_MACHINES];
	struct list conns, listeners;
	int32_t pid_next;
	int fd_next;
	uint32_t auto_next, tid_next;
	uint64_t key_next;
};
extern struct sim_world sim;

struct sim_timers {
	struct loop base;
	struct sim_node *node;
	struct list timers;
	uint64_t wake_at; /* an event is due then; 0: none */
};

/* A descriptor that a loop watches. */
struct sim_watch {
	struct list link;
	struct sim_node *owner;
	int fd;
	bool posted;
	loop_fd_fn *fn; /* NULL: not watched now */
	void *arg;
};

struct sim_task {
	struct list link;
	sim_event_fn *fn;
	void *arg;
	uint64_t v;
};

struct sim_node {
	struct list link;
	char name[NAME_BYTES];
	unsigned machine;
	int32_t pid;
	bool dead, gone, stopped, running, scheduled, reaping;
	uint64_t busy_until, task_ns;
	struct list tasks, watches;
	struct sim_co *worker; /* runs the tasks, parked in between */
	struct sim_timers loop;
	struct list cos;
	struct sim_waitq hangups;
	bool hangup_wake;
	uint32_t n_cos;
	void *user;
	void (*reap)(void *);
	void *reap_arg;
	struct sim_counts counts;
};

struct sim_net {
	struct net base;
	struct sim_node *node;
};

struct sim_msg {
	struct list link;
	struct sim_conn *from;
	uint32_t len;
	bool is_copy;
	uint8_t data[] __attribute__((aligned(16)));
};

struct sim_conn {
	struct net_conn base;
	struct list link; /* world's */
	struct sim_node *node;
	struct sim_conn *peer;
	struct sim_link *out;
	int fd;
	bool open;    /* the user has it */
	bool dead;    /* no traffic through it any more */
	bool hung_up; /* the peer's end, or the break, has been seen here */
	bool started, told;
	bool refused; /* net_send said -EAGAIN */
	bool first_sent;
	bool waits; /* for its listener to accept it: nobody has it yet */
	int err;
	struct list rx, xfers;
	uint64_t order; /* when the last message from here arrives */
	uint32_t under_way;
	struct sim_waitq wait;
	struct net_peer who;
	struct sim_key *keys; /* granted to us by the peer */
};

struct sim_listener {
	struct net_listener base;
	struct list link;
	struct sim_node *node;
	bool open;
	char addr[ADDR_BYTES];
	void (*accepted)(void *, struct net_conn *);
	void *arg;
};

struct sim_pd {
	struct net_pd base;
	struct sim_node *node;
	uint32_t regions;
	bool open;
};

struct sim_mr {
	struct net_mr base;
	struct sim_pd *pd;
	void *mem;
	bool mapped, sealed, open;
};

struct sim_key {
	struct sim_key *next;
	uint64_t w[4];
	struct sim_mr *mr;
	unsigned access;
	bool taken;
};

struct sim_data {
	struct net_data base;
	struct sim_conn *conn;
	bool open, told;	    /* told: ready() is about to be called */
	uint32_t out, first, count; /* under way; completions */
	uint64_t order, back;	    /* transfers of one net_data keep their order, there and back */
	struct net_completion cq[SIM_CQ_MAX];
	struct sim_waitq wait;
};

struct sim_remote {
	struct net_remote base;
	struct sim_conn *conn;
	struct sim_key *key;
	bool open;
};

/* wrap.c: named by sim_open, so that whoever links sim links that too */
extern const bool sim_wrapped;

/* world.c */
void *sim_alloc(size_t bytes); /* zeroed, the world's */

/* node.c */
void sim_count(struct sim_node *, size_t field, int64_t n);
#define sim_count_up(node, what) sim_count(node, offsetof(struct sim_counts, what), 1)
#define sim_count_down(node, what) sim_count(node, offsetof(struct sim_counts, what), -1)

/* co.c */
struct sim_co *sim_co_new(struct sim_node *, void (*fn)(void *), void *arg);
void sim_co_run(struct sim_co *); /* until it waits, parks or ends */
void sim_co_park(void);		  /* until the next sim_co_run */
void sim_cos_wake(struct sim_node *);
void sim_co_free_stacks(void);

/* loop.c */
void sim_loop_open(struct sim_node *);

/* link.c */
struct sim_link *sim_link(unsigned from, unsigned to);
void sim_links_open(void);
/* fn(arg, v) when it arrives. order: of its stream, or NULL. extra_ns: beside the link's own delay */
void sim_send(struct sim_link *l, uint32_t bytes, enum net_class class, uint64_t *order, uint64_t extra_ns,
	      sim_event_fn *fn, void *arg, uint64_t v);

/* conn.c */
int sim_listen(struct net *, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
	       struct net_listener **);
const char *sim_listener_addr(const struct net_listener *);
void sim_listener_close(struct net_listener *);
int sim_connect(struct net *, const char *addr, uint32_t timeout_ms, struct net_conn **);
int sim_connect_begin(struct net *, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		      struct net_connecting **);
void sim_connect_cancel(struct net_connecting *);
void sim_conn_close(struct net_conn *);
int sim_conn_start(struct net_conn *);
void sim_conn_peer(const struct net_conn *, struct net_peer *);
int sim_conn_wait(struct net_conn *, uint64_t deadline_ns);
int sim_conn_fd(const struct net_conn *);
void sim_conn_kill(struct net_conn *);
bool sim_conn_dead(const struct net_conn *);
/* The connection ends here with err: the user hears of it, the peer (told) by a message, or by its own timeout. */
void sim_conn_break(struct sim_conn *, int err, bool tell);
void sim_conns_drop(struct sim_node *);

/* msg.c */
int sim_msg_send(struct net_conn *, const void *, size_t);
long sim_msg_recv(struct net_conn *, void *, size_t);
void sim_msg_deliver(void *conn, uint64_t);
void sim_msgs_drop(struct sim_conn *);

/* region.c */
int sim_pd_open(struct net *, struct net_pd **);
void sim_pd_close(struct net_pd *);
int sim_mr_alloc(struct net_pd *, uint64_t bytes, bool mapped, struct net_mr **);
void *sim_mr_addr(const struct net_mr *);
int sim_mr_fd(const struct net_mr *);
int sim_mr_grant(struct net_mr *, struct net_conn *, unsigned access, struct net_key *);
int sim_mr_seal(struct net_mr *);
bool sim_mr_sealed(const struct net_mr *);
int sim_mr_share(struct net_mr *, struct net_pd *to, struct net_mr **out);
void sim_mr_free(struct net_mr *);

/* data.c */
int sim_data_open(struct net_conn *, enum net_class, struct net_data **);
void sim_data_close(struct net_data *);
int sim_data_start(struct net_data *);
int sim_remote_open(struct net_conn *, const struct net_key *, uint64_t bytes, struct net_remote **);
void sim_remote_close(struct net_remote *);
int sim_read(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	     uint64_t cookie);
int sim_write(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	      uint64_t cookie);
int sim_data_poll(struct net_data *, struct net_completion *, int n);
int sim_data_wait(struct net_data *, uint64_t deadline_ns);
void sim_xfers_fail(struct sim_conn *, int err);

#endif
