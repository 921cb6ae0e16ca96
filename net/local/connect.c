/* Connecting, and the check of who is at the other end. */
#include <errno.h>
#include <sys/time.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/local/local.h"

int local_peer_check(int fd, struct net_peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	uid_t self = geteuid();

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*peer = (struct net_peer){ .known = true, .uid = cred.uid, .gid = cred.gid, .host_pid = cred.pid };
	return cred.uid == self || cred.uid == 0 || self == 0 ? 0 : -EACCES;
}

/* A socket of the local machine waits in connect only for room in the listener's backlog: a send timeout bounds that. */
static int connect_within(int fd, const struct sockaddr_un *sa, socklen_t len, uint32_t timeout_ms)
{
	uint64_t now = clock_ns(), deadline = now + timeout_ms * NS_PER_MS;

	do {
		uint64_t left = now < deadline ? deadline - now : 0;
		struct timeval tv = { .tv_sec = (time_t)(left / NS_PER_S),
				      .tv_usec = (suseconds_t)(left % NS_PER_S / 1000) + 1 };

		if (tv.tv_usec == 1000000)
			tv.tv_usec = 999999;
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)sa, len) == 0)
			return 0;
		now = clock_ns();
	} while (errno == EINTR && now < deadline);
	return errno == EAGAIN || errno == EINTR ? -ETIMEDOUT : -errno;
}

int local_connect(struct net *net, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	struct local_conn *c;
	struct sockaddr_un sa;
	struct net_peer peer;
	socklen_t len;
	int fd, err;

	err = local_address_parse(addr, &sa, &len);
	if (err)
		return err;
	fd = local_fd_place(net, socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return fd;
	err = connect_within(fd, &sa, len, timeout_ms);
	if (err)
		goto out_close;
	err = local_peer_check(fd, &peer);
	if (err) {
		net_count(&net->stats.failures, 1);
		log_warn("%s belongs to user %u: not connected", addr, peer.uid);
		goto out_close;
	}
	err = local_conn_new(net, fd, &peer, &c);
	if (err)
		return err;
	*out = &c->base;
	return 0;

out_close:
	close(fd);
	return err;
}
