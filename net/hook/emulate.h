/*
 * Wrapper `emulate`: what the link to a peer adds to the bare fabric.
 *
 * A link is (this process, peer): all connections that were made to one address share it, and all their threads and data
 * connections; so do all connections accepted from one process of this machine. A connection from where the fabric
 * cannot tell has a link of its own. Each direction of a link carries one message or transfer after the other at the
 * asked bandwidth (it is busy until free_ns).
 *
 * Where things are counted, so that nothing is counted twice when both ends have this wrapper:
 *  - a transfer by its initiator: it posts, and sees the completion late;
 *  - a message by its receiver: it is handed up late. Sending adds nothing.
 * With the wrapper on one side only, what that side sends as messages is not slowed down.
 *
 * When a completion is handed out (all in ns of the clock):
 *   end  = max(posted, free of that direction) + bytes * 8 / bandwidth; free becomes end
 *   due  = max(end + bare, done) + latency (+- jitter) + retransmit for each loss
 * with done: when the bare fabric had completed it, and bare: how long that fabric needs for such a transfer. So a
 * single transfer takes bare + its time on the link + latency, and a full queue of them moves at the bandwidth or at
 * what the bare fabric gives, whichever is less. A fabric that completes a transfer inside the posting call (`local`)
 * is seen to do so, and bare is exact. With others, done is seen when somebody looks: who waits or polls sees it at
 * once; who comes back late is not charged for it: the usual time of such transfers (least of those seen exactly,
 * by powers of two of their size) is taken then.
 *
 * What this wrapper itself takes of a transfer (OWN_LOOKS looks at the clock, measured when it is opened) counts as part of
 * the latency.
 *
 * When a message is handed up:
 *   due  = max(arrived, free of the incoming direction) + bytes * 8 / bandwidth + latency / 2 (...)
 * Completions of one data connection and messages of one connection keep their order: one that is lost holds up those
 * behind it. The end of a connection is told behind its last message.
 *
 * Waiting is exact where it matters: the last SPIN_NS are spent at the clock, what is before them asleep. A loop goes
 * round in that time, so that others are served.
 */
#ifndef ASHLAR_NET_HOOK_EMULATE_H
#define ASHLAR_NET_HOOK_EMULATE_H
#include <pthread.h>
#include "ashlar/base/loop.h"
#include "net/hook/wrap.h"

#define SPIN_NS 100000u /* a sleep of this machine may end so much late */
#define NEAR_NS 2000u	/* a loop is held up for so long at most */
#define OWN_LOOKS 7u
#define EMULATE_OPS 256u	      /* transfers of one data connection under way */
#define EMULATE_HELD_BYTES (8u << 20) /* messages of one connection that are held; beyond, the first goes up early */
#define EMULATE_HELD_SYNC 64u	      /* messages taken ahead in synchronous use */
#define EMULATE_RETRIES_MAX 16u	      /* losses of one message or transfer */

enum direction { LINK_IN, LINK_OUT };

struct link {
	struct list list;
	unsigned refs;	     /* under emulate_net.lock */
	uint64_t free_ns[2]; /* atomic, by enum direction */
	int32_t host_pid;    /* of the peer, where connections were accepted from it; 0: none */
	char addr[ADDR_BYTES];
};

struct emulate_net {
	struct wrap_net w;
	struct emulate_config c;
	uint64_t own_ns;      /* what the wrapper itself takes of a transfer; part of its latency */
	pthread_mutex_t lock; /* links; not taken on the path of a transfer */
	struct list links;
	uint64_t streams; /* of random numbers; atomic */
};

/* What transfers must know of a connection, outliving it. refs and dead are atomic. */
struct emulate_life {
	unsigned refs;
	bool dead;
	struct emulate_net *net;
	struct link *link;
};

/* A message that has arrived and is not due yet. */
struct held {
	struct list list;
	uint64_t due_ns;
	uint32_t len;
	uint64_t msg[];
};

struct emulate_conn {
	struct wrap_conn w;
	struct emulate_life *life;
	uint64_t random, due_last_ns; /* due_last: of the newest held message */
	struct list held;
	uint32_t n_held, bytes_held;
	struct loop_timer timer; /* loop use: the first one is due */
	uint64_t fired_ns;
	int end;      /* the inner connection ended so; 0: not yet */
	bool refused; /* -EAGAIN was said: a wait for room may end early */
	bool busy, closing, ended, crowded_logged;
};

struct emulate_op {
	uint64_t cookie, posted_ns, end_ns, due_ns;
	uint32_t size_class;
	int err;
	bool done;
};

struct emulate_data {
	struct wrap_data w;
	struct emulate_life *life;
	uint64_t random, looked_ns, now_ns; /* looked: when inner was last polled; now: the latest time known */
	uint32_t first, count;
	uint64_t bare_ns[32];	 /* by size class; 0: never seen exactly */
	struct loop_timer timer; /* loop use with events: the first one is due */
	uint64_t fired_ns;
	struct emulate_op op[EMULATE_OPS];
};

static inline struct emulate_net *emulate_net(struct net *n)
{
	return container_of(n, struct emulate_net, w.base);
}

/* emulate.c */
uint64_t emulate_now(struct emulate_net *);
/* Until due_ns or, if that is earlier, deadline_ns. false: the clock stands still, as a simulated one does. */
bool emulate_sleep_until(struct emulate_net *, uint64_t due_ns, uint64_t deadline_ns);
/*
 * In the callback of a timer that was set by emulate_timer: is it due? If not the timer is set again: the loop goes round
 * until then, or, where only the loop moves the clock, is left for so long. *fired_ns: of the round before.
 */
bool emulate_due(struct emulate_net *, struct loop_timer *, uint64_t *fired_ns, uint64_t due_ns);
void emulate_timer(struct emulate_net *, struct loop_timer *, uint64_t due_ns);
/* Put bytes on the link from now_ns on: when the last of them has passed. */
uint64_t emulate_link_take(struct emulate_life *, enum direction, uint64_t bytes, uint64_t now_ns);
/* A latency drawn anew, with what its losses cost. */
uint64_t emulate_latency(struct emulate_net *, uint64_t *random, uint64_t latency_ns, uint64_t jitter_ns);
uint64_t emulate_stream(struct emulate_net *);
struct emulate_life *emulate_life_get(struct emulate_life *);
void emulate_life_put(struct emulate_life *);
struct emulate_life *emulate_life_new(struct emulate_net *, struct net_conn *inner, const char *addr);

/* emulate_conn.c, emulate_data.c: put their functions into the table */
void emulate_conn_slots(struct emulate_net *);
void emulate_data_slots(struct emulate_net *);

#endif
