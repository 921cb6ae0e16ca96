/* The relay's server: opening, accepting, the ends of clients. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/local/socket.h"
#include "net/relay/serve.h"

#define IDS_MIN 16u

uint32_t ids_add(struct ids *t, void *thing)
{
	uint32_t i = 0, size = t->size ? t->size * 2 : IDS_MIN;
	void **at;

	if (t->used < t->size) {
		while (t->at[i])
			i++;
	} else {
		if (t->size >= t->max)
			return RELAY_ID_NONE;
		at = realloc(t->at, size * sizeof(*at));
		if (!at)
			return RELAY_ID_NONE;
		memset(at + t->size, 0, (size - t->size) * sizeof(*at));
		i = t->size;
		t->at = at;
		t->size = size;
	}
	t->at[i] = thing;
	t->used++;
	return i;
}

void *ids_get(const struct ids *t, uint32_t id)
{
	return id < t->size ? t->at[id] : NULL;
}

void ids_del(struct ids *t, uint32_t id)
{
	t->at[id] = NULL;
	t->used--;
}

void rclient_end(struct rclient *c, const char *words)
{
	if (c->over)
		return;
	if (words) {
		c->r->stats.cut++;
		log_warn("relay: process %d of user %u is cut off: %s", c->host_pid, c->uid, words);
	}
	c->over = true;
	loop_timer_set(c->r->loop, &c->r->reap, loop_now(c->r->loop));
}

static void regions_free(struct rclient *c)
{
	for (uint32_t i = 0; i < c->regions.size; i++)
		if (c->regions.at[i])
			rregion_put(c->regions.at[i]);
	free(c->regions.at);
	if (c->pd)
		net_pd_close(c->pd);
}

static void remotes_free(struct rclient *c)
{
	for (uint32_t i = 0; i < c->remotes.size; i++)
		if (c->remotes.at[i]) {
			c->r->stats.remotes--;
			rremote_put(c->remotes.at[i]);
		}
	free(c->remotes.at);
}

/* Connections first: after them nothing is under way, so that regions and remotes have no users. */
static void client_free(struct rclient *c)
{
	while (!list_empty(&c->conns))
		rconn_free(container_of(c->conns.next, struct rconn, link));
	while (!list_empty(&c->datas))
		rdata_free(container_of(c->datas.next, struct rdata, link));
	remotes_free(c);
	regions_free(c);
	loop_fd_del(c->r->loop, c->fd);
	close(c->fd);
	list_del(&c->link);
	c->r->stats.clients--;
	free(c);
}

static void reap(void *arg)
{
	struct relay *r = arg;
	struct list *pos, *next;

	list_for_each_safe(pos, next, &r->clients) {
		struct rclient *c = container_of(pos, struct rclient, link);

		if (c->over)
			client_free(c);
	}
}

static void again(void *arg)
{
	struct relay *r = arg;
	struct list *pos, *next;

	list_for_each_safe(pos, next, &r->targets)
		schedule(r, container_of(pos, struct rtarget, link));
}

static int client_open(struct relay *r, int fd, const struct net_peer *peer)
{
	struct rclient *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->r = r;
	c->fd = fd;
	c->host_pid = peer->host_pid;
	c->uid = peer->uid;
	c->gid = peer->gid;
	c->regions.max = RELAY_REGIONS_MAX;
	c->remotes.max = RELAY_REMOTES_MAX;
	list_init(&c->conns);
	list_init(&c->datas);
	err = loop_fd_add(r->loop, fd, EPOLLIN | EPOLLRDHUP, rclient_event, c);
	if (err) {
		free(c);
		return err;
	}
	list_add_tail(&r->clients, &c->link);
	r->stats.clients++;
	return 0;
}

static void accepted(void *arg, struct net_conn *conn)
{
	struct relay *r = arg;
	struct net_peer peer;
	int fd, err = -EMFILE;

	net_conn_peer(conn, &peer);
	fd = local_conn_take(conn);
	if (r->stats.clients < RELAY_CLIENTS_MAX)
		err = client_open(r, fd, &peer);
	if (!err)
		return;
	log_warn("relay: process %d is not served: %s", peer.host_pid, strerror(-err));
	close(fd);
}

int relay_open(struct loop *loop, struct net *node, struct net *rack, const char *addr, struct relay **out)
{
	struct relay *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->node = node;
	r->rack = rack;
	list_init(&r->clients);
	list_init(&r->targets);
	list_init(&r->charges);
	r->reap = (struct loop_timer){ .fn = reap, .arg = r };
	r->again = (struct loop_timer){ .fn = again, .arg = r };
	err = net_listen(node, addr, accepted, r, &r->listener);
	if (err) {
		free(r);
		return err;
	}
	*out = r;
	return 0;
}

void relay_close(struct relay *r)
{
	net_listener_close(r->listener);
	while (!list_empty(&r->clients))
		client_free(container_of(r->clients.next, struct rclient, link));
	loop_timer_del(r->loop, &r->reap);
	loop_timer_del(r->loop, &r->again);
	BUG_ON(!list_empty(&r->targets));
	charges_end(r);
	free(r);
}

void relay_stats(const struct relay *r, struct relay_stats *s)
{
	*s = r->stats;
}

int relay_address(const char *node, char *out)
{
	return snprintf(out, ADDR_BYTES, "%s-relay", node) < (int)ADDR_BYTES ? 0 : -EINVAL;
}
