/*
 * Shares of users: where the monitor is root, connections of all users come in, and none of them may take all. Root and
 * the monitor's own user are not bounded: they can end the monitor anyhow.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/local/local.h"

static struct local_user *user_find(struct local_net *net, uint32_t uid)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &net->users) {
		struct local_user *u = container_of(pos, struct local_user, link);

		if (u->uid == uid)
			return u;
	}
	return NULL;
}

static struct local_user *user_new(struct local_net *net, uint32_t uid)
{
	struct local_user *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->uid = uid;
	list_add_tail(&net->users, &u->link);
	return u;
}

int local_user_take(struct local_conn *c)
{
	struct local_net *net = container_of(c->base.net, struct local_net, base);
	struct local_user *u;

	if (c->peer.uid == 0 || c->peer.uid == geteuid())
		return 0;
	u = user_find(net, c->peer.uid);
	if (!u)
		u = user_new(net, c->peer.uid);
	if (!u)
		return -ENOMEM;
	if (u->conns == CONNECTIONS_USER_MAX)
		return -EUSERS;
	u->conns++;
	c->user = u;
	return 0;
}

void local_user_put(struct local_conn *c)
{
	if (!c->user || --c->user->conns)
		return;
	list_del(&c->user->link);
	free(c->user);
	c->user = NULL;
}
