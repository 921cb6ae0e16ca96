/*
 * net.h's objects but for transfers: finds the provider, checks what every provider would have to check, counts, and
 * passes on.
 */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/core/provider.h"
#include "net/hook/hook.h"

static const struct net_provider *provider_find(const char *fabric, size_t len)
{
	for (size_t i = 0; net_providers[i]; i++)
		if (strlen(net_providers[i]->name) == len && memcmp(net_providers[i]->name, fabric, len) == 0)
			return net_providers[i];
	return NULL;
}

bool net_fabric_known(const char *fabric)
{
	return provider_find(fabric, strcspn(fabric, ":")) != NULL;
}

int net_open(const char *fabric, const struct net_options *opt, struct net **out)
{
	size_t len = strcspn(fabric, ":");
	const struct net_provider *ops = provider_find(fabric, len);
	struct net *wrapped;
	int err;

	if (!ops)
		return -ENOENT;
	if (strlen(fabric) >= NAME_BYTES)
		return -EINVAL;
	err = ops->open(fabric[len] ? fabric + len + 1 : "", opt, out);
	if (err)
		return err;
	(*out)->ops = ops;
	(*out)->opt.loop = opt->loop;
	(*out)->opt.fd_floor = opt->fd_floor;
	strcpy((*out)->name, fabric);
	if (!opt->hook)
		return 0;
	err = hook_open(opt->hook, *out, &wrapped);
	if (err)
		net_close(*out);
	else
		*out = wrapped;
	return err;
}

void net_close(struct net *net)
{
	net->ops->close(net);
}

const struct net_stats *net_stats(const struct net *net)
{
	return &net->stats;
}

const char *net_fabric_name(const struct net *net)
{
	return net->name;
}

bool net_local_any(const struct net *net)
{
	return net->ops->local_any;
}

int net_listen(struct net *net, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
	       struct net_listener **out)
{
	return net->opt.loop ? net->ops->listen(net, addr, accepted, arg, out) : -EINVAL;
}

const char *net_listener_addr(const struct net_listener *l)
{
	return l->net->ops->listener_addr(l);
}

void net_listener_close(struct net_listener *l)
{
	l->net->ops->listener_close(l);
}

int net_connect(struct net *net, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	return net->ops->connect(net, addr, timeout_ms, out);
}

bool net_address_fits(const char *fabric, const char *addr)
{
	size_t n = strlen(fabric);

	return strncmp(addr, fabric, n) == 0 && addr[n] == ':';
}

void net_conn_close(struct net_conn *conn)
{
	conn->net->ops->conn_close(conn);
}

int net_conn_set_events(struct net_conn *conn, const struct net_conn_events *events, void *arg)
{
	BUG_ON(!conn->net->opt.loop || conn->events);
	conn->events = events;
	conn->arg = arg;
	return conn->net->ops->conn_start(conn);
}

void net_conn_deliver(struct net_conn *conn, const void *buf, size_t len)
{
	net_count(&conn->net->stats.msgs_rx, 1);
	conn->events->message(conn->arg, buf, len);
}

void net_conn_peer(const struct net_conn *conn, struct net_peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	conn->net->ops->conn_peer(conn, peer);
}

int net_conn_groups(const struct net_conn *conn, uint32_t *groups, uint32_t max)
{
	return conn->net->ops->conn_groups ? conn->net->ops->conn_groups(conn, groups, max) : -EOPNOTSUPP;
}

int net_send(struct net_conn *conn, const void *buf, size_t len)
{
	int err;

	if (!len || len > MSG_BYTES_MAX)
		return -EMSGSIZE;
	err = conn->net->ops->send(conn, buf, len);
	if (!err)
		net_count(&conn->net->stats.msgs_tx, 1);
	return err;
}

long net_recv(struct net_conn *conn, void *buf, size_t len)
{
	long n = conn->net->ops->recv(conn, buf, len);

	if (n > 0)
		net_count(&conn->net->stats.msgs_rx, 1);
	return n;
}

int net_conn_wait(struct net_conn *conn, uint64_t deadline_ns)
{
	return conn->net->ops->conn_wait(conn, deadline_ns);
}

int net_conn_fd(const struct net_conn *conn)
{
	return conn->net->ops->conn_fd(conn);
}

void net_conn_kill(struct net_conn *conn)
{
	conn->net->ops->conn_kill(conn);
}

bool net_conn_dead(const struct net_conn *conn)
{
	return conn->net->ops->conn_dead(conn);
}

int net_pd_open(struct net *net, struct net_pd **out)
{
	int err = net->ops->pd_open(net, out);

	if (!err)
		(*out)->net = net;
	return err;
}

void net_pd_close(struct net_pd *pd)
{
	pd->net->ops->pd_close(pd);
}

int net_mr_alloc(struct net_pd *pd, uint64_t bytes, bool mapped, struct net_mr **out)
{
	int err;

	if (!bytes || bytes % PAGE_BYTES)
		return -EINVAL;
	err = pd->net->ops->mr_alloc(pd, bytes, mapped, out);
	if (!err) {
		(*out)->net = pd->net;
		(*out)->bytes = bytes;
		list_init(&(*out)->same);
	}
	return err;
}

int net_mr_share(struct net_mr *mr, struct net_pd *to, struct net_mr **out)
{
	int err;

	if (to->net != mr->net || !net_mr_sealed(mr))
		return -EINVAL;
	err = mr->net->ops->mr_share(mr, to, out);
	if (!err) {
		(*out)->net = mr->net;
		(*out)->bytes = mr->bytes;
		list_init(&(*out)->same);
		list_add_tail(&mr->same, &(*out)->same);
	}
	return err;
}

bool net_mr_last(struct net_mr *mr)
{
	bool last = list_empty(&mr->same);

	list_del(&mr->same);
	return last;
}

void *net_mr_addr(const struct net_mr *mr)
{
	return mr->net->ops->mr_addr(mr);
}

int net_mr_fd(const struct net_mr *mr)
{
	return mr->net->ops->mr_fd(mr);
}

int net_mr_grant(struct net_mr *mr, struct net_conn *to, unsigned access, struct net_key *key)
{
	if (!access || access & ~(unsigned)(NET_READ | NET_WRITE))
		return -EINVAL;
	return mr->net->ops->mr_grant(mr, to, access, key);
}

int net_mr_seal(struct net_mr *mr)
{
	return mr->net->ops->mr_seal(mr);
}

bool net_mr_sealed(const struct net_mr *mr)
{
	return mr->net->ops->mr_sealed(mr);
}

void net_mr_free(struct net_mr *mr)
{
	mr->net->ops->mr_free(mr);
}
