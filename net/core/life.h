/*
 * The life of a connection: what its transfers must know of it, outliving it. For providers whose transfers run on threads
 * of their own.
 */
#ifndef ASHLAR_NET_CORE_LIFE_H
#define ASHLAR_NET_CORE_LIFE_H
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* refs and dead are atomic. */
struct net_life {
	int refs;
	bool dead;
	int event_fd; /* becomes readable, for ever, with dead */
};

struct net_life *net_life_new(int fd_floor); /* one reference, or NULL */
struct net_life *net_life_get(struct net_life *);
void net_life_put(struct net_life *);
void net_life_kill(struct net_life *); /* any thread, signal handlers too */

static inline bool net_life_dead(const struct net_life *life)
{
	return __atomic_load_n(&life->dead, __ATOMIC_ACQUIRE);
}

/* Move a descriptor to floor and above, if it is not there: the new one, or -errno and the old one is closed. */
int net_fd_raise(int fd, int floor);
int net_poll_until(struct pollfd *, unsigned n, uint64_t deadline_ns); /* 0, -ETIMEDOUT, -EINTR */
int net_random(uint64_t *words, unsigned n);			       /* 0 or -EIO */

#endif
