/*
 * Provider `relay`: what a dispatcher or a command uses where the rack's fabric cannot live in its process. The node
 * daemon of the machine holds endpoints and keys (serve.h); here are the other ends of its sockets (wire.h).
 *
 *   open.c    the table of slots, the session        region.c   memory, allocated by the daemon and mapped here
 *   conn.c    connections, messages                  data.c     transfers
 *
 * Synchronous use only: net_options.loop must be NULL. Threads may share the session, under its lock. Everything ends
 * with the daemon: each call then fails with -EPIPE.
 */
#ifndef ASHLAR_NET_RELAY_CLIENT_H
#define ASHLAR_NET_RELAY_CLIENT_H
#include <pthread.h>
#include "ashlar/base/list.h"
#include "net/core/provider.h"
#include "net/relay/wire.h"

#define RELAY_ANSWER_MS 10000u /* a daemon that does not answer for so long is as good as gone */

struct relay_net {
	struct net base;
	struct net *local; /* makes the session's connection */
	pthread_mutex_t lock;
	int session; /* one ask at a time, under lock; -1: broken */
};

/* What transfers must know of a connection, outliving it. refs and dead are atomic. */
struct relay_life {
	int refs;
	bool dead;
	uint32_t id; /* of the connection, at the daemon */
};

struct relay_conn {
	struct net_conn base;
	struct relay_life *life;
	int fd;
	bool refused; /* -EAGAIN was said: a wait for room */
};

struct relay_pd {
	struct net_pd base;
	uint32_t regions;
};

struct relay_mr {
	struct net_mr base;
	struct relay_pd *pd;
	uint32_t id;
	char *addr;
	bool sealed;
};

struct relay_data {
	struct net_data base;
	struct relay_life *life;
	uint32_t id;
	int fd;
	unsigned under_way;
	bool has_done; /* net_data_wait took it */
	struct relay_done done;
};

struct relay_remote {
	struct net_remote base;
	struct relay_life *life;
	uint32_t id;
};

static inline bool relay_dead(const struct relay_life *life)
{
	return __atomic_load_n(&life->dead, __ATOMIC_ACQUIRE);
}

/*
 * open.c: ask the daemon. 0 and the answer, whose descriptor goes to *fd (above the floor) where one is due; fd NULL: none
 * is. The answer's err, or -EPIPE: the daemon is gone.
 */
int relay_ask(struct net *, const struct relay_ask *, uint32_t ms, struct relay_answer *, int *fd);
void relay_tell(struct net *, const struct relay_ask *); /* what has no answer */

/* Wait for a descriptor of ours. 0, -ETIMEDOUT, -EINTR. */
int relay_poll(int fd, short events, uint64_t deadline_ns, short *seen);

/* conn.c */
struct relay_life *relay_life_get(struct relay_life *);
void relay_life_put(struct relay_life *);
int relay_connect(struct net *, const char *addr, uint32_t timeout_ms, struct net_conn **out);
void relay_conn_close(struct net_conn *);
int relay_send(struct net_conn *, const void *buf, size_t len);
long relay_recv(struct net_conn *, void *buf, size_t len);
int relay_conn_wait(struct net_conn *, uint64_t deadline_ns);
int relay_conn_fd(const struct net_conn *);
void relay_conn_kill(struct net_conn *);
bool relay_conn_dead(const struct net_conn *);

/* region.c */
int relay_pd_open(struct net *, struct net_pd **out);
void relay_pd_close(struct net_pd *);
int relay_mr_alloc(struct net_pd *, uint64_t bytes, bool mapped, struct net_mr **out);
void *relay_mr_addr(const struct net_mr *);
int relay_mr_grant(struct net_mr *, struct net_conn *to, unsigned access, struct net_key *);
int relay_mr_seal(struct net_mr *);
bool relay_mr_sealed(const struct net_mr *);
int relay_mr_share(struct net_mr *, struct net_pd *to, struct net_mr **out);
void relay_mr_free(struct net_mr *);

/* data.c */
int relay_data_open(struct net_conn *, enum net_class, struct net_data **out);
void relay_data_close(struct net_data *);
int relay_remote_open(struct net_conn *, const struct net_key *, uint64_t bytes, struct net_remote **out);
void relay_remote_close(struct net_remote *);
int relay_read(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	       uint64_t cookie);
int relay_write(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
		uint64_t total, uint64_t cookie);
int relay_data_poll(struct net_data *, struct net_completion *, int n);
int relay_data_wait(struct net_data *, uint64_t deadline_ns);

#endif
