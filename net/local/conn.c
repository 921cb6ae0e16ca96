/*
 * Life of a connection. With a loop: a hang-up marks it dead first, so that transfers fail from then on; then what the
 * peer still sent is delivered; then closed() is called, once. The object lives until local_conn_close, which may come
 * from inside any callback.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/local/local.h"

static struct local_conn *local_conn(struct net_conn *c)
{
	return container_of(c, struct local_conn, base);
}

static void life_kill(struct local_life *life)
{
	__atomic_store_n(&life->dead, true, __ATOMIC_RELEASE);
}

struct local_life *local_life_get(struct local_life *life)
{
	__atomic_fetch_add(&life->refs, 1, __ATOMIC_RELAXED);
	return life;
}

void local_life_put(struct local_life *life)
{
	if (__atomic_sub_fetch(&life->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(life);
}

int local_conn_new(struct net *net, int fd, const struct net_peer *peer, struct local_conn **out)
{
	struct local_net *local = container_of(net, struct local_net, base);
	struct local_conn *c = calloc(1, sizeof(*c));
	struct local_life *life = calloc(1, sizeof(*life));

	if (!c || !life) {
		free(life);
		free(c);
		close(fd);
		return -ENOMEM;
	}
	life->refs = 1;
	c->base.net = net;
	c->fd = fd;
	c->life = life;
	c->peer = *peer;
	c->keys_max = LOCAL_KEYS_MAX;
	list_init(&c->tx);
	__atomic_fetch_add(&local->conns, 1, __ATOMIC_RELAXED);
	*out = c;
	return 0;
}

static void conn_end(struct local_conn *c, int err)
{
	life_kill(c->life);
	loop_fd_del(c->base.net->opt.loop, c->fd);
	c->started = false;
	c->ended = true;
	c->base.events->closed(c->base.arg, err);
}

/* Deliver up to a round of messages; false when the connection is over or closed. */
static bool conn_receive(struct local_conn *c)
{
	struct local_net *net = container_of(c->base.net, struct local_net, base);

	for (unsigned i = 0; i < LOCAL_ROUND_MAX; i++) {
		long n = local_recv(&c->base, net->rx, sizeof(net->rx));

		if (n == -EAGAIN)
			return true;
		if (n < 0) {
			conn_end(c, (int)n);
			return false;
		}
		net_conn_deliver(&c->base, net->rx, (size_t)n);
		if (c->closing)
			return false;
	}
	return true;
}

static void conn_transmit(struct local_conn *c)
{
	if (local_flush(c) == 0 && c->tx_refused) {
		c->tx_refused = false;
		c->base.events->writable(c->base.arg);
	}
	if (!c->closing)
		local_conn_poll_out(c);
}

static void conn_event(void *arg, uint32_t events)
{
	struct local_conn *c = arg;

	c->busy = true;
	if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
		life_kill(c->life);
	if (conn_receive(c) && (events & EPOLLOUT))
		conn_transmit(c);
	c->busy = false;
	if (c->closing)
		free(c);
}

int local_conn_start(struct net_conn *conn)
{
	struct local_conn *c = local_conn(conn);
	int err;

	err = loop_fd_add(conn->net->opt.loop, c->fd, EPOLLIN | EPOLLRDHUP, conn_event, c);
	if (err)
		return err;
	c->started = true;
	local_conn_poll_out(c);
	return 0;
}

void local_conn_poll_out(struct local_conn *c)
{
	bool want = !list_empty(&c->tx) || c->tx_refused;

	if (!c->started || want == c->polls_out)
		return;
	c->polls_out = want;
	loop_fd_mod(c->base.net->opt.loop, c->fd, EPOLLIN | EPOLLRDHUP | (want ? (uint32_t)EPOLLOUT : 0));
}

int local_conn_take(struct net_conn *conn)
{
	struct local_conn *c = local_conn(conn);
	int fd;

	BUG_ON(conn->net->ops != &net_provider_local || c->started || c->busy);
	fd = c->fd;
	c->fd = -1;
	local_conn_close(conn);
	return fd;
}

void local_conn_close(struct net_conn *conn)
{
	struct local_net *net = container_of(conn->net, struct local_net, base);
	struct local_conn *c = local_conn(conn);

	if (c->closing)
		return;
	life_kill(c->life);
	if (c->started)
		loop_fd_del(conn->net->opt.loop, c->fd);
	c->started = false;
	local_tx_drop(c);
	local_keys_drop(c);
	local_user_put(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	local_life_put(c->life);
	__atomic_fetch_sub(&net->conns, 1, __ATOMIC_RELAXED);
	c->closing = true;
	if (!c->busy)
		free(c);
}

void local_conn_peer(const struct net_conn *conn, struct net_peer *peer)
{
	*peer = container_of(conn, struct local_conn, base)->peer;
}

int local_conn_groups(const struct net_conn *conn, uint32_t *groups, uint32_t max)
{
	socklen_t len = max * (socklen_t)sizeof(*groups);

	if (getsockopt(container_of(conn, struct local_conn, base)->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return -errno;
	return (int)(len / sizeof(*groups));
}

int local_conn_fd(const struct net_conn *conn)
{
	return container_of(conn, struct local_conn, base)->fd;
}

/* The shutdown wakes whoever waits on either end; both calls are async-signal-safe. */
void local_conn_kill(struct net_conn *conn)
{
	struct local_conn *c = local_conn(conn);
	int saved = errno;

	life_kill(c->life);
	shutdown(c->fd, SHUT_RDWR);
	errno = saved;
}

bool local_conn_dead(const struct net_conn *conn)
{
	return life_dead(container_of(conn, struct local_conn, base)->life);
}

int local_conn_wait(struct net_conn *conn, uint64_t deadline_ns)
{
	struct local_conn *c = local_conn(conn);
	uint64_t now = clock_ns();
	uint64_t left = now < deadline_ns ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int n;

	if (c->tx_refused)
		p.events |= POLLOUT;
	n = ppoll(&p, 1, &ts, NULL);
	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	if (p.revents & POLLOUT)
		c->tx_refused = false;
	/* At a hang-up too: net_recv delivers what is left and then says so. */
	return 0;
}
