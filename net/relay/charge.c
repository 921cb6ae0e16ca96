/* Which process of the rack a process of this machine is, as the node daemon says (relay.h), and its weight. */
#include <errno.h>
#include <stdlib.h>
#include "net/relay/serve.h"

struct charge {
	struct list link; /* relay.charges */
	int32_t host_pid;
	struct rwho who;
};

static struct charge *charge_find(const struct relay *r, int32_t host_pid)
{
	for (struct list *l = r->charges.next; l != &r->charges; l = l->next) {
		struct charge *c = container_of(l, struct charge, link);

		if (c->host_pid == host_pid)
			return c;
	}
	return NULL;
}

static void charge_free(struct charge *c)
{
	list_del(&c->link);
	free(c);
}

struct rwho charge_who(const struct relay *r, int32_t host_pid)
{
	const struct charge *c = charge_find(r, host_pid);

	return c ? c->who : (struct rwho){ .host_pid = host_pid, .weight = WEIGHT_DEFAULT };
}

int relay_charge(struct relay *r, int32_t host_pid, uint32_t pid, uint32_t weight)
{
	struct charge *c = charge_find(r, host_pid);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->host_pid = host_pid;
		list_add_tail(&r->charges, &c->link);
	}
	c->who = (struct rwho){ .pid = pid, .weight = weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : weight };
	return 0;
}

void relay_uncharge(struct relay *r, int32_t host_pid)
{
	struct charge *c = charge_find(r, host_pid);

	if (c)
		charge_free(c);
}

void charges_end(struct relay *r)
{
	while (!list_empty(&r->charges))
		charge_free(container_of(r->charges.next, struct charge, link));
}
