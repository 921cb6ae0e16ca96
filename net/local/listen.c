/*
 * Listening. A socket file that a dead listener left behind is replaced; one that answers is not. Whoever may not
 * connect is turned away here, before a byte of his is read, and counted as a failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/local/local.h"

static struct local_listener *local_listener(struct net_listener *l)
{
	return container_of(l, struct local_listener, base);
}

static void refuse(struct local_listener *l, int fd, const char *why, uint32_t uid)
{
	net_count(&l->base.net->stats.failures, 1);
	log_warn("%s: connection of user %u refused: %s", l->addr, uid, why);
	close(fd);
}

static void accept_one(struct local_listener *l, int fd)
{
	struct local_net *net = container_of(l->base.net, struct local_net, base);
	struct net_peer peer = { 0 };
	struct local_conn *c;
	int err;

	err = local_peer_check(fd, &peer);
	if (err) {
		refuse(l, fd, "another user", peer.uid);
		return;
	}
	if (__atomic_load_n(&net->conns, __ATOMIC_RELAXED) >= CONNECTIONS_MAX) {
		refuse(l, fd, "too many connections", peer.uid);
		return;
	}
	err = local_conn_new(l->base.net, fd, &peer, &c);
	if (err) {
		log_error("%s: connection lost: %s", l->addr, strerror(-err));
		return;
	}
	c->keys_max = LOCAL_KEYS_ACCEPTED;
	if (local_user_take(c)) {
		net_count(&l->base.net->stats.failures, 1);
		log_warn("%s: connection of user %u refused: this user has %u", l->addr, peer.uid,
			 CONNECTIONS_USER_MAX);
		local_conn_close(&c->base);
		return;
	}
	l->accepted(l->arg, &c->base);
}

static void listener_free(struct local_listener *l)
{
	struct stat st;

	loop_timer_del(l->base.net->opt.loop, &l->full);
	loop_fd_del(l->base.net->opt.loop, l->fd);
	close(l->fd);
	if (l->ino && lstat(strchr(l->addr, '/'), &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(strchr(l->addr, '/'));
	free(l);
}

/* The next connection; -1: errno. The last descriptors are for those who are there: what they ask for may need some. */
static int accept_next(const struct local_listener *l)
{
	int next = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	struct rlimit r;

	if (next < 0)
		return -1;
	close(next);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && (rlim_t)next >= r.rlim_cur - r.rlim_cur / LOCAL_FD_RESERVE) {
		errno = EMFILE;
		return -1;
	}
	return accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
}

/* Out of descriptors or memory: the socket would be readable again at once. */
static void listener_pause(struct local_listener *l)
{
	struct loop *loop = l->base.net->opt.loop;

	if (!l->full_logged)
		log_error("%s: accept: %s; trying again until it goes", l->addr, strerror(errno));
	l->full_logged = true;
	loop_fd_mod(loop, l->fd, 0);
	loop_timer_set(loop, &l->full, loop_now(loop) + LOCAL_FULL_MS * NS_PER_MS);
}

static void listener_event(void *arg, uint32_t events)
{
	struct local_listener *l = arg;

	(void)events;
	l->busy = true;
	for (unsigned i = 0; i < LOCAL_ROUND_MAX && !l->closing; i++) {
		int fd = accept_next(l);

		if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			break;
		if (fd < 0) {
			listener_pause(l);
			break;
		}
		l->full_logged = false;
		fd = local_fd_place(l->base.net, fd);
		if (fd >= 0)
			accept_one(l, fd);
	}
	l->busy = false;
	if (l->closing)
		listener_free(l);
}

static void listener_again(void *arg)
{
	struct local_listener *l = arg;

	loop_fd_mod(l->base.net->opt.loop, l->fd, EPOLLIN);
}

/* Is path a socket that nobody listens on? */
static bool socket_is_stale(const struct sockaddr_un *sa, socklen_t len)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(sa->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)sa, len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int listener_bind(struct local_listener *l, const struct sockaddr_un *sa, socklen_t len)
{
	const struct sockaddr *addr = (const struct sockaddr *)sa;
	struct stat st;

	if (bind(l->fd, addr, len) < 0) {
		if (errno != EADDRINUSE || !sa->sun_path[0] || !socket_is_stale(sa, len))
			return -errno;
		if (unlink(sa->sun_path) < 0 || bind(l->fd, addr, len) < 0)
			return -errno;
	}
	if (sa->sun_path[0]) {
		/* Who may come in is decided by local_peer_check, not by the file. */
		if (chmod(sa->sun_path, 0666) < 0 || lstat(sa->sun_path, &st) < 0)
			return -errno;
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return listen(l->fd, LOCAL_BACKLOG) < 0 ? -errno : 0;
}

int local_listen(struct net *net, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
		 struct net_listener **out)
{
	struct local_listener *l = calloc(1, sizeof(*l));
	struct sockaddr_un sa;
	socklen_t len;
	int err;

	if (!l)
		return -ENOMEM;
	*l = (struct local_listener){ .base.net = net, .accepted = accepted, .arg = arg };
	l->full.fn = listener_again;
	l->full.arg = l;
	err = local_address_auto(addr, l->addr);
	if (!err)
		err = local_address_parse(l->addr, &sa, &len);
	if (err)
		goto out_free;
	l->fd = local_fd_place(net, socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (l->fd < 0) {
		err = l->fd;
		goto out_free;
	}
	err = listener_bind(l, &sa, len);
	if (!err)
		err = loop_fd_add(net->opt.loop, l->fd, EPOLLIN, listener_event, l);
	if (err) {
		listener_free(l);
		return err;
	}
	*out = &l->base;
	return 0;

out_free:
	free(l);
	return err;
}

const char *local_listener_addr(const struct net_listener *l)
{
	return container_of(l, struct local_listener, base)->addr;
}

void local_listener_close(struct net_listener *listener)
{
	struct local_listener *l = local_listener(listener);

	if (l->busy)
		l->closing = true;
	else
		listener_free(l);
}
