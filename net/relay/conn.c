/* Connections of the client: each is a message socket, whose datagrams are the messages. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/relay/client.h"

static struct relay_conn *relay_conn(struct net_conn *c)
{
	return container_of(c, struct relay_conn, base);
}

struct relay_life *relay_life_get(struct relay_life *life)
{
	__atomic_fetch_add(&life->refs, 1, __ATOMIC_RELAXED);
	return life;
}

void relay_life_put(struct relay_life *life)
{
	if (__atomic_sub_fetch(&life->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(life);
}

static void life_kill(struct relay_life *life)
{
	__atomic_store_n(&life->dead, true, __ATOMIC_RELEASE);
}

int relay_connect(struct net *net, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	struct relay_ask ask = { .op = RELAY_CONNECT, .ms = timeout_ms };
	struct relay_conn *c = calloc(1, sizeof(*c));
	struct relay_life *life = calloc(1, sizeof(*life));
	struct relay_answer answer;
	int err = -ENOMEM;

	if (!c || !life)
		goto out_free;
	err = -EINVAL;
	if (strlen(addr) >= sizeof(ask.addr))
		goto out_free;
	strcpy(ask.addr, addr);
	err = relay_ask(net, &ask, timeout_ms + RELAY_ANSWER_MS, &answer, &c->fd);
	if (err)
		goto out_free;
	life->refs = 1;
	life->id = answer.id;
	c->base.net = net;
	c->life = life;
	*out = &c->base;
	return 0;

out_free:
	free(life);
	free(c);
	return err;
}

void relay_conn_close(struct net_conn *conn)
{
	struct relay_conn *c = relay_conn(conn);

	life_kill(c->life);
	close(c->fd);
	relay_life_put(c->life);
	free(c);
}

int relay_send(struct net_conn *conn, const void *buf, size_t len)
{
	struct relay_conn *c = relay_conn(conn);
	int err;

	if (relay_dead(c->life))
		return -EPIPE;
	err = packet_send(c->fd, buf, len, -1);
	c->refused = err == -EAGAIN;
	return err;
}

long relay_recv(struct net_conn *conn, void *buf, size_t len)
{
	struct relay_conn *c = relay_conn(conn);
	long n = packet_recv(c->fd, buf, len, NULL);

	if (n == -EPIPE || n == -EPROTO)
		relay_conn_kill(conn); /* who reads the end need not watch for it */
	return n;
}

int relay_conn_wait(struct net_conn *conn, uint64_t deadline_ns)
{
	struct relay_conn *c = relay_conn(conn);
	short events = POLLIN, seen;
	int err;

	if (c->refused)
		events |= POLLOUT;
	err = relay_poll(c->fd, events, deadline_ns, &seen);
	if (!err && seen & POLLOUT)
		c->refused = false;
	return err;
}

int relay_conn_fd(const struct net_conn *conn)
{
	return container_of(conn, struct relay_conn, base)->fd;
}

/* The shutdown is the word to the daemon: it ends the connection, and with it all transfers. Async-signal-safe. */
void relay_conn_kill(struct net_conn *conn)
{
	struct relay_conn *c = relay_conn(conn);
	int saved = errno;

	life_kill(c->life);
	shutdown(c->fd, SHUT_RDWR);
	errno = saved;
}

bool relay_conn_dead(const struct net_conn *conn)
{
	return relay_dead(container_of(conn, struct relay_conn, base)->life);
}
