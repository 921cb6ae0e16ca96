/* Provider `relay`: opening it, asking the daemon, and the table of its slots. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/local/socket.h"
#include "net/relay/client.h"

#define CONNECT_MS 5000u

static struct relay_net *relay_net(struct net *net)
{
	return container_of(net, struct relay_net, base);
}

int relay_poll(int fd, short events, uint64_t deadline_ns, short *seen)
{
	uint64_t now = clock_ns(), left = now < deadline_ns ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	struct pollfd p = { .fd = fd, .events = events };
	int n = ppoll(&p, 1, &ts, NULL);

	if (n < 0)
		return -errno;
	*seen = p.revents;
	return n ? 0 : -ETIMEDOUT;
}

static int session_send(struct relay_net *r, const struct relay_ask *ask, uint64_t deadline_ns)
{
	short seen;
	int err;

	while ((err = packet_send(r->session, ask, sizeof(*ask), -1)) == -EAGAIN) {
		err = relay_poll(r->session, POLLOUT, deadline_ns, &seen);
		if (err && err != -EINTR)
			break;
	}
	return err;
}

static int session_recv(struct relay_net *r, const struct relay_ask *ask, uint64_t deadline_ns, struct relay_answer *a,
			int *fd)
{
	short seen;
	long n;

	*fd = -1;
	while ((n = packet_recv(r->session, a, sizeof(*a), fd)) == -EAGAIN) {
		int err = relay_poll(r->session, POLLIN, deadline_ns, &seen);

		if (err && err != -EINTR)
			return err;
	}
	if (n < 0)
		return (int)n;
	return n == sizeof(*a) && a->op == ask->op && a->err <= 0 ? 0 : -EPROTO;
}

/* The session is of no use any more: what follows would be taken for the answer to something else. */
static int session_break(struct relay_net *r, int err)
{
	log_info("the relay of this machine's node daemon does not answer: %s", strerror(-err));
	close(r->session);
	r->session = -1;
	return err;
}

static int descriptor_place(struct relay_net *r, int got, int *want)
{
	if (!want) {
		if (got >= 0)
			close(got);
		return got >= 0 ? -EPROTO : 0;
	}
	if (got < 0)
		return -EPROTO;
	*want = local_fd_place(r->local, got);
	return *want < 0 ? *want : 0;
}

int relay_ask(struct net *net, const struct relay_ask *ask, uint32_t ms, struct relay_answer *a, int *fd)
{
	uint64_t deadline_ns = clock_ns() + ms * NS_PER_MS;
	struct relay_net *r = relay_net(net);
	int got = -1, err = -EPIPE;

	pthread_mutex_lock(&r->lock);
	if (r->session >= 0) {
		err = session_send(r, ask, deadline_ns);
		if (!err)
			err = session_recv(r, ask, deadline_ns, a, &got);
		if (err)
			err = session_break(r, err);
		else
			err = a->err;
	}
	pthread_mutex_unlock(&r->lock);
	if (!err)
		return descriptor_place(r, got, fd);
	if (got >= 0)
		close(got);
	return err;
}

void relay_tell(struct net *net, const struct relay_ask *ask)
{
	struct relay_net *r = relay_net(net);

	pthread_mutex_lock(&r->lock);
	if (r->session >= 0) {
		int err = session_send(r, ask, clock_ns() + RELAY_ANSWER_MS * NS_PER_MS);

		if (err)
			session_break(r, err);
	}
	pthread_mutex_unlock(&r->lock);
}

static int session_open(struct relay_net *r, const char *addr)
{
	static const struct relay_ask hello = { .op = RELAY_HELLO, .arg = RELAY_VERSION };
	struct relay_answer answer;
	struct net_conn *conn;
	int err = net_connect(r->local, addr, CONNECT_MS, &conn);

	if (err) {
		log_info("the relay of this machine's node daemon does not answer at %s: %s", addr, strerror(-err));
		return err;
	}
	r->session = local_conn_take(conn);
	err = relay_ask(&r->base, &hello, CONNECT_MS, &answer, NULL);
	if (err && r->session >= 0)
		close(r->session);
	return err;
}

static int relay_open_net(const char *arg, const struct net_options *opt, struct net **out)
{
	struct net_options local = { .fd_floor = opt->fd_floor };
	struct relay_net *r;
	int err;

	if (*arg || !opt->relay || !*opt->relay || opt->loop) {
		log_error("the fabric \"relay\" takes no argument, no loop, and needs the address of a relay");
		return -EINVAL;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	err = net_open("local", &local, &r->local);
	if (err)
		goto out_free;
	err = session_open(r, opt->relay);
	if (err)
		goto out_close;
	*out = &r->base;
	return 0;

out_close:
	net_close(r->local);
out_free:
	pthread_mutex_destroy(&r->lock);
	free(r);
	return err;
}

static void relay_close_net(struct net *net)
{
	struct relay_net *r = relay_net(net);

	if (r->session >= 0)
		close(r->session);
	net_close(r->local);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Who listens is reached through the rack's fabric itself. */
static int no_listen(struct net *net, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
		     struct net_listener **out)
{
	(void)net;
	(void)addr;
	(void)accepted;
	(void)arg;
	(void)out;
	return -ENOTSUP;
}

static const char *no_listener_addr(const struct net_listener *l)
{
	(void)l;
	return "";
}

static void no_listener_close(struct net_listener *l)
{
	(void)l;
}

static int no_start(struct net_conn *conn)
{
	(void)conn;
	return -ENOTSUP;
}

static void unknown_peer(const struct net_conn *conn, struct net_peer *peer)
{
	(void)conn;
	peer->known = false;
}

static int no_fd(const struct net_mr *mr)
{
	(void)mr;
	return -ENOTSUP;
}

const struct net_provider net_provider_relay = {
	.name = "relay",
	.local_any = false,
	.open = relay_open_net,
	.close = relay_close_net,
	.listen = no_listen,
	.listener_addr = no_listener_addr,
	.listener_close = no_listener_close,
	.connect = relay_connect,
	.conn_close = relay_conn_close,
	.conn_start = no_start,
	.conn_peer = unknown_peer,
	.send = relay_send,
	.recv = relay_recv,
	.conn_wait = relay_conn_wait,
	.conn_fd = relay_conn_fd,
	.conn_kill = relay_conn_kill,
	.conn_dead = relay_conn_dead,
	.pd_open = relay_pd_open,
	.pd_close = relay_pd_close,
	.mr_alloc = relay_mr_alloc,
	.mr_addr = relay_mr_addr,
	.mr_fd = no_fd,
	.mr_grant = relay_mr_grant,
	.mr_seal = relay_mr_seal,
	.mr_sealed = relay_mr_sealed,
	.mr_share = relay_mr_share,
	.mr_free = relay_mr_free,
	.data_open = relay_data_open,
	.data_close = relay_data_close,
	.remote_open = relay_remote_open,
	.remote_close = relay_remote_close,
	.read = relay_read,
	.write = relay_write,
	.data_poll = relay_data_poll,
	.data_wait = relay_data_wait,
};
