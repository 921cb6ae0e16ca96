/* One-sided transfers under way: see xfer.h. */
#include <errno.h>
#include <stdlib.h>
#include "net/core/xfer.h"

int net_keyed_open(struct net_keys *keys, struct net_life *life, const struct net_key *key, uint64_t bytes,
		   struct net_remote **out)
{
	struct net_keyed *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = net_keys_take(keys, key, bytes, &r->grant);
	if (err) {
		free(r);
		return err;
	}
	r->life = net_life_get(life);
	*out = &r->base;
	return 0;
}

void net_keyed_close(struct net_remote *base)
{
	struct net_keyed *r = container_of(base, struct net_keyed, base);

	net_grant_put(r->grant);
	net_life_put(r->life);
	free(r);
}

void net_xfers_init(struct net_xfers *s, struct net_life *life)
{
	list_init(&s->free);
	list_init(&s->done);
	s->pending = 0;
	s->life = net_life_get(life);
}

int net_xfers_room(const struct net_xfers *s, const struct net_keyed *r)
{
	if (r->life != s->life)
		return -EINVAL;
	if (list_empty(&s->free))
		return -EAGAIN;
	return net_life_dead(s->life) ? -EPIPE : 0;
}

void net_xfer_begin(struct net_xfers *s, struct net_xfer *x, const struct net_keyed *r, uint64_t off, unsigned n,
		    uint64_t cookie, bool write)
{
	list_del(&x->link);
	x->grant = r->grant;
	net_grant_get(x->grant);
	x->off = off;
	x->cookie = cookie;
	x->n = n;
	x->write = write;
	s->pending++;
}

void net_xfer_done(struct net_xfers *s, struct net_xfer *x, int err)
{
	if (!err && net_life_dead(s->life))
		err = -EPIPE;
	x->err = err;
	net_grant_put(x->grant);
	x->grant = NULL;
	s->pending--;
	list_add_tail(&s->done, &x->link);
}

int net_xfers_take(struct net_xfers *s, struct net_completion *c, int n)
{
	int taken = 0;

	while (taken < n && !list_empty(&s->done)) {
		struct net_xfer *x = container_of(s->done.next, struct net_xfer, link);

		c[taken++] = (struct net_completion){ x->cookie, x->err };
		list_del(&x->link);
		/* The one used last is the one whose memory is warm. */
		list_add_tail(s->free.next, &x->link);
	}
	return taken;
}
