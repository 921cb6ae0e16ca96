/*
 * Loop: the event loop of a monitor, one thread. Time, randomness and descriptors reach a monitor only through it, so
 * that a simulated loop (virtual time, seeded) can stand in: struct loop is an interface, loop_open() the real one.
 * Not thread-safe; every callback runs on the loop's thread.
 */
#ifndef ASHLAR_BASE_LOOP_H
#define ASHLAR_BASE_LOOP_H
#include <stdint.h>
#include "ashlar/base/list.h"

struct loop;
typedef void loop_fd_fn(void *arg, uint32_t epoll_events);
typedef void loop_timer_fn(void *arg);

/* Owned by the caller; may be re-armed inside its own callback. Zero-initialise before first use. */
struct loop_timer {
	struct list link;
	uint64_t due_ns;
	loop_timer_fn *fn;
	void *arg;
};

struct loop_ops {
	uint64_t (*now_ns)(struct loop *);			/* monotonic */
	void (*random)(struct loop *, void *buf, uint32_t len); /* cryptographic in the real loop */
	int (*fd_add)(struct loop *, int fd, uint32_t epoll_events, loop_fd_fn *, void *arg);
	int (*fd_mod)(struct loop *, int fd, uint32_t epoll_events);
	void (*fd_del)(struct loop *, int fd);
	void (*timer_set)(struct loop *, struct loop_timer *, uint64_t due_ns);
	void (*timer_del)(struct loop *, struct loop_timer *); /* harmless when not armed */
	int (*run)(struct loop *);			       /* until loop_stop(); 0 or -errno */
	void (*stop)(struct loop *);			       /* from a callback */
	void (*close)(struct loop *);
};

struct loop {
	const struct loop_ops *ops;
};

/* The real loop: epoll, CLOCK_MONOTONIC, getrandom. *out is owned by the caller (loop_close). 0 or -errno. */
int loop_open(struct loop **out);

static inline uint64_t loop_now(struct loop *l)
{
	return l->ops->now_ns(l);
}
static inline void loop_random(struct loop *l, void *buf, uint32_t len)
{
	l->ops->random(l, buf, len);
}
static inline int loop_fd_add(struct loop *l, int fd, uint32_t ev, loop_fd_fn *fn, void *arg)
{
	return l->ops->fd_add(l, fd, ev, fn, arg);
}
static inline int loop_fd_mod(struct loop *l, int fd, uint32_t ev)
{
	return l->ops->fd_mod(l, fd, ev);
}
static inline void loop_fd_del(struct loop *l, int fd)
{
	l->ops->fd_del(l, fd);
}
static inline void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_ns)
{
	l->ops->timer_set(l, t, due_ns);
}
static inline void loop_timer_del(struct loop *l, struct loop_timer *t)
{
	l->ops->timer_del(l, t);
}
static inline int loop_run(struct loop *l)
{
	return l->ops->run(l);
}
static inline void loop_stop(struct loop *l)
{
	l->ops->stop(l);
}
static inline void loop_close(struct loop *l)
{
	l->ops->close(l);
}

#endif
