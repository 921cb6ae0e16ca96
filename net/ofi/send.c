/*
 * Sending. A frame goes out when the peer has given a credit for it, else it waits in a queue, in order. Messages and
 * keys have a bound each, so that a service that has accepted a request can always grant what it asks for; the frames
 * that take keys back are bounded by the keys given.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

static void give_up(struct ofi_conn *c, int err)
{
	log_error("connection given up: %s", strerror(-err));
	ofi_conn_kill(&c->base);
}

static struct ofi_tx *tx_new(enum ofi_kind kind, const void *body, size_t len)
{
	const struct ofi_frame f = { .kind = (uint16_t)kind };
	struct ofi_tx *t = malloc(sizeof(*t) + sizeof(f) + len);

	if (!t)
		return NULL;
	t->len = (uint32_t)(sizeof(f) + len);
	memcpy(t->data, &f, sizeof(f));
	if (len)
		memcpy(t->data + sizeof(f), body, len);
	return t;
}

static struct ofi_frame *tx_frame(struct ofi_tx *t)
{
	return (struct ofi_frame *)(void *)t->data;
}

/* Hand a frame to libfabric: 0, -EAGAIN, or the connection is given up and it is freed. */
static int tx_post(struct ofi_conn *c, struct ofi_tx *t)
{
	ssize_t err;

	tx_frame(t)->credits = (uint16_t)c->owed;
	err = fi_send(c->ep, t->data, t->len, NULL, 0, t);
	if (err == -FI_EAGAIN)
		return -EAGAIN;
	if (err) {
		give_up(c, (int)err);
		free(t);
		return -EPIPE;
	}
	c->window += c->owed;
	c->owed = 0;
	list_add_tail(&c->tx_flight, &t->link);
	return 0;
}

/* Once half of the window is consumed and nothing else carries the news, a frame of its own does. */
static void credit_send(struct ofi_conn *c)
{
	struct ofi_tx *t;

	if (c->owed < OFI_WINDOW / 2)
		return;
	t = tx_new(OFI_CREDIT, NULL, 0);
	if (t && tx_post(c, t) == -EAGAIN)
		free(t);
}

void ofi_flush(struct ofi_conn *c)
{
	if (net_life_dead(c->life) || c->over)
		return;
	while (!list_empty(&c->tx) && c->credits) {
		struct ofi_tx *t = container_of(c->tx.next, struct ofi_tx, link);
		bool key = tx_frame(t)->kind == OFI_KEY;
		uint32_t len = t->len;
		int err;

		list_del(&t->link);
		err = tx_post(c, t);
		if (err == -EAGAIN) {
			list_add_tail(c->tx.next, &t->link); /* first again */
			return;
		}
		c->tx_bytes -= len;
		c->tx_keys -= key;
		if (err)
			return;
		c->credits--;
	}
	credit_send(c);
}

static void tx_queue(struct ofi_conn *c, struct ofi_tx *t)
{
	c->tx_bytes += t->len;
	c->tx_keys += tx_frame(t)->kind == OFI_KEY;
	list_add_tail(&c->tx, &t->link);
	ofi_flush(c);
}

bool ofi_tx_room(const struct ofi_conn *c)
{
	uint32_t most = c->base.net->opt.loop ? OFI_TX_BYTES_MAX : OFI_TX_BYTES_SYNC;

	return c->tx_bytes <= most / 2 && c->tx_keys < OFI_TX_KEYS_MAX;
}

/* Room is asked for as the queue stands; credits that came meanwhile are used first. */
static int tx_check(struct ofi_conn *c, size_t len)
{
	uint32_t most = c->base.net->opt.loop ? OFI_TX_BYTES_MAX : OFI_TX_BYTES_SYNC;

	if (net_life_dead(c->life) || c->over)
		return -EPIPE;
	if (c->tx_bytes + len <= most && c->tx_keys < OFI_TX_KEYS_MAX)
		return 0;
	c->tx_refused = true;
	return -EAGAIN;
}

int ofi_send(struct net_conn *conn, const void *buf, size_t len)
{
	struct ofi_conn *c = ofi_conn(conn);
	struct ofi_tx *t;
	int err = tx_check(c, len);

	if (err)
		return err;
	t = tx_new(OFI_MESSAGE, buf, len);
	if (!t)
		return -ENOMEM;
	tx_queue(c, t);
	return 0;
}

int ofi_send_key(struct ofi_conn *c, const struct net_key_body *k)
{
	struct ofi_tx *t;
	int err = tx_check(c, sizeof(*k));

	if (err)
		return err;
	t = tx_new(OFI_KEY, k, sizeof(*k));
	if (!t)
		return -ENOMEM;
	tx_queue(c, t);
	return 0;
}

void ofi_send_control(struct ofi_conn *c, enum ofi_kind kind, const void *body, size_t len)
{
	struct ofi_tx *t;

	if (net_life_dead(c->life) || c->over)
		return;
	t = tx_new(kind, body, len);
	if (t)
		tx_queue(c, t);
	else
		give_up(c, -ENOMEM);
}

void ofi_tx_drop(struct ofi_conn *c)
{
	struct list *lists[] = { &c->tx, &c->tx_flight };

	for (unsigned i = 0; i < 2; i++) {
		while (!list_empty(lists[i])) {
			struct ofi_tx *t = container_of(lists[i]->next, struct ofi_tx, link);

			list_del(&t->link);
			free(t);
		}
	}
	c->tx_bytes = c->tx_keys = 0;
}
