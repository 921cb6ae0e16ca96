/*
 * The real event loop: epoll, CLOCK_MONOTONIC, getrandom.
 *
 * Descriptors are kept in a table by number; an event carries the generation of its entry, so that one that was taken
 * out (or replaced) by an earlier callback of the same round is not delivered. Timers are a list sorted by time,
 * searched from its end, where nearly all of them belong.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"

#define LOOP_EVENTS 64
#define LOOP_FD_MAX (1u << 20)

struct loop_fd {
	loop_fd_fn *fn; /* NULL: not in the loop */
	void *arg;
	uint32_t generation;
};

struct loop_epoll {
	struct loop base;
	int epoll;
	bool stopped;
	uint32_t generation;
	struct list timers;
	struct loop_fd *fds;
	uint32_t n_fds;
};

static struct loop_epoll *loop_epoll(struct loop *l)
{
	return container_of(l, struct loop_epoll, base);
}

static uint64_t epoll_now(struct loop *l)
{
	(void)l;
	return clock_ns();
}

static void epoll_random(struct loop *l, void *buf, uint32_t len)
{
	uint8_t *p = buf;
	ssize_t n;

	(void)l;
	while (len) {
		n = getrandom(p, len, 0);
		BUG_ON(n < 0 && errno != EINTR);
		if (n > 0) {
			p += n;
			len -= (uint32_t)n;
		}
	}
}

static int fds_grow(struct loop_epoll *e, uint32_t fd)
{
	uint32_t n = e->n_fds ? e->n_fds : 64;
	struct loop_fd *fds;

	if (fd >= LOOP_FD_MAX)
		return -EMFILE;
	while (n <= fd)
		n *= 2;
	if (n == e->n_fds)
		return 0;
	fds = realloc(e->fds, n * sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	memset(fds + e->n_fds, 0, (n - e->n_fds) * sizeof(*fds));
	e->fds = fds;
	e->n_fds = n;
	return 0;
}

static struct epoll_event event_of(const struct loop_epoll *e, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events };

	ev.data.u64 = (uint64_t)e->fds[fd].generation << 32 | (uint32_t)fd;
	return ev;
}

static int epoll_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	struct loop_epoll *e = loop_epoll(l);
	struct epoll_event ev;
	int err;

	if (fd < 0)
		return -EBADF;
	err = fds_grow(e, (uint32_t)fd);
	if (err)
		return err;
	if (e->fds[fd].fn)
		return -EEXIST;
	e->fds[fd] = (struct loop_fd){ fn, arg, ++e->generation };
	ev = event_of(e, fd, events);
	if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		err = -errno;
		e->fds[fd].fn = NULL;
		return err;
	}
	return 0;
}

static bool fd_known(const struct loop_epoll *e, int fd)
{
	return fd >= 0 && (uint32_t)fd < e->n_fds && e->fds[fd].fn;
}

static int epoll_fd_mod(struct loop *l, int fd, uint32_t events)
{
	struct loop_epoll *e = loop_epoll(l);
	struct epoll_event ev;

	if (!fd_known(e, fd))
		return -ENOENT;
	ev = event_of(e, fd, events);
	return epoll_ctl(e->epoll, EPOLL_CTL_MOD, fd, &ev) < 0 ? -errno : 0;
}

static void epoll_fd_del(struct loop *l, int fd)
{
	struct loop_epoll *e = loop_epoll(l);

	if (!fd_known(e, fd))
		return;
	e->fds[fd].fn = NULL;
	epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void epoll_timer_del(struct loop *l, struct loop_timer *t)
{
	(void)l;
	if (t->link.next)
		list_del(&t->link);
}

static void epoll_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_ns)
{
	struct loop_epoll *e = loop_epoll(l);
	struct list *after;

	epoll_timer_del(l, t);
	t->due_ns = due_ns;
	after = e->timers.prev;
	while (after != &e->timers && container_of(after, struct loop_timer, link)->due_ns > due_ns)
		after = after->prev;
	list_add_tail(after->next, &t->link);
}

static struct loop_timer *timer_first(struct list *timers)
{
	return list_empty(timers) ? NULL : container_of(timers->next, struct loop_timer, link);
}

/* Fires what is due now; what is armed meanwhile waits for the next round, so that descriptors get their turn. */
static void timers_fire(struct loop_epoll *e)
{
	uint64_t now = clock_ns();
	struct loop_timer *t;
	struct list due;

	list_init(&due);
	while ((t = timer_first(&e->timers)) && t->due_ns <= now) {
		list_del(&t->link);
		list_add_tail(&due, &t->link);
	}
	while ((t = timer_first(&due))) {
		list_del(&t->link);
		if (e->stopped) /* stays armed for the next run */
			epoll_timer_set(&e->base, t, t->due_ns);
		else
			t->fn(t->arg);
	}
}

static int events_wait(struct loop_epoll *e, struct epoll_event *ev)
{
	struct loop_timer *t = timer_first(&e->timers);
	struct timespec ts = { 0, 0 };
	uint64_t now;

	if (!t)
		return epoll_pwait2(e->epoll, ev, LOOP_EVENTS, NULL, NULL);
	now = clock_ns();
	if (t->due_ns > now) {
		ts.tv_sec = (time_t)((t->due_ns - now) / NS_PER_S);
		ts.tv_nsec = (long)((t->due_ns - now) % NS_PER_S);
	}
	return epoll_pwait2(e->epoll, ev, LOOP_EVENTS, &ts, NULL);
}

static int epoll_run(struct loop *l)
{
	struct loop_epoll *e = loop_epoll(l);
	struct epoll_event ev[LOOP_EVENTS];

	e->stopped = false;
	while (!e->stopped) {
		int n = events_wait(e, ev);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !e->stopped; i++) {
			uint32_t fd = (uint32_t)ev[i].data.u64;
			struct loop_fd f = e->fds[fd];

			if (f.fn && f.generation == ev[i].data.u64 >> 32)
				f.fn(f.arg, ev[i].events);
		}
		if (!e->stopped)
			timers_fire(e);
	}
	return 0;
}

static void epoll_stop(struct loop *l)
{
	loop_epoll(l)->stopped = true;
}

static void epoll_close(struct loop *l)
{
	struct loop_epoll *e = loop_epoll(l);

	close(e->epoll);
	free(e->fds);
	free(e);
}

static const struct loop_ops epoll_ops = {
	.now_ns = epoll_now,
	.random = epoll_random,
	.fd_add = epoll_fd_add,
	.fd_mod = epoll_fd_mod,
	.fd_del = epoll_fd_del,
	.timer_set = epoll_timer_set,
	.timer_del = epoll_timer_del,
	.run = epoll_run,
	.stop = epoll_stop,
	.close = epoll_close,
};

int loop_open(struct loop **out)
{
	struct loop_epoll *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->base.ops = &epoll_ops;
	list_init(&e->timers);
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll < 0) {
		err = -errno;
		free(e);
		return err;
	}
	*out = &e->base;
	return 0;
}
