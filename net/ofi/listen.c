/*
 * Listening. A request says in its private data what it wants to be: a message connection, a lane to regions of ours
 * (let in by the token of a tie) or a lane that we asked for. What says nothing of the kind is turned away, and counted
 * as a failure; nothing that it sends is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

static struct ofi_listener *ofi_listener(struct net_listener *l)
{
	return container_of(l, struct ofi_listener, base);
}

static void refuse(struct ofi_net *net, struct ofi_listener *l, struct fi_info *info, const char *why)
{
	char from[ADDR_BYTES] = "?";

	net_count(&net->base.stats.failures, 1);
	if (info->dest_addr)
		ofi_address_name(net, info->dest_addr, from);
	if (!net->refusal_logged)
		log_warn("%s: connection from %s refused: %s (further ones are only counted)", l->addr, from, why);
	net->refusal_logged = true;
	fi_reject(l->pep, info->handle, NULL, 0);
}

static void conn_request(struct ofi_net *net, struct ofi_listener *l, struct fi_info *info)
{
	struct ofi_conn *c;
	int err;

	if (__atomic_load_n(&net->conns, __ATOMIC_RELAXED) >= CONNECTIONS_MAX) {
		refuse(net, l, info, "too many connections");
		return;
	}
	err = ofi_conn_new(net, info, false, &c);
	if (err) {
		log_error("%s: connection lost: %s", l->addr, strerror(-err));
		fi_reject(l->pep, info->handle, NULL, 0);
		return;
	}
	c->listener = l;
	list_add_tail(&l->accepting, &c->accepting);
	err = fi_accept(c->ep, NULL, 0);
	if (err) {
		log_error("%s: accept: %s", l->addr, strerror(-err));
		ofi_conn_close(&c->base);
		fi_reject(l->pep, info->handle, NULL, 0);
	}
}

void ofi_request(struct ofi_net *net, struct ofi_listener *l, struct fi_info *info, const struct ofi_hello *h,
		 size_t len)
{
	struct ofi_lane *lane;
	struct net_tie *tie;

	if (len != sizeof(*h) || h->magic != OFI_MAGIC) {
		refuse(net, l, info, "not one of ours");
	} else if (h->version != OFI_VERSION) {
		refuse(net, l, info, "it speaks another version");
	} else if (h->kind == OFI_HELLO_CONN) {
		conn_request(net, l, info);
	} else if (h->kind == OFI_HELLO_LANE) {
		tie = net_tie_find(&net->ties, h->token);
		if (!tie || ofi_end_accept(tie, info))
			refuse(net, l, info, tie ? "too many data connections" : "wrong token for data");
	} else if (h->kind == OFI_HELLO_BACK) {
		lane = ofi_lane_waiting(net, h->token);
		if (!lane || ofi_lane_accept(lane, info))
			refuse(net, l, info, "nobody asked for this data connection");
	} else {
		refuse(net, l, info, "unknown kind");
	}
}

static void listener_free(struct ofi_listener *l)
{
	if (l->pep) {
		ofi_events_forget(ofi_net(l->base.net), &l->pep->fid);
		ofi_fid_close(&l->pep->fid);
	}
	free(l);
}

void ofi_accepted(struct ofi_conn *c)
{
	struct ofi_listener *l = c->listener;

	if (!l)
		return;
	c->listener = NULL;
	list_del(&c->accepting);
	list_init(&c->accepting);
	l->busy = true;
	l->accepted(l->arg, &c->base);
	l->busy = false;
	if (l->closing)
		listener_free(l);
}

static int listener_bind(struct ofi_net *net, struct ofi_listener *l, struct fi_info *info)
{
	struct sockaddr_storage sa;
	size_t len = sizeof(sa);
	int err;

	err = fi_passive_ep(net->fabric, info, &l->pep, l);
	if (!err)
		err = fi_pep_bind(l->pep, &net->eq.eq->fid, 0);
	if (!err)
		err = fi_listen(l->pep);
	if (!err)
		err = fi_getname(&l->pep->fid, &sa, &len);
	return err ? err : ofi_address_name(net, (struct sockaddr *)&sa, l->addr);
}

int ofi_listen(struct net *base, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
	       struct net_listener **out)
{
	struct ofi_net *net = ofi_net(base);
	struct ofi_listener *l;
	struct fi_info *info;
	int err;

	err = ofi_address_info(net, addr, true, &info);
	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	if (l) {
		l->context.what = OFI_IS_LISTENER;
		l->base.net = base;
		l->accepted = accepted;
		l->arg = arg;
		list_init(&l->accepting);
		err = listener_bind(net, l, info);
		if (err)
			listener_free(l);
	} else {
		err = -ENOMEM;
	}
	ofi_lib.freeinfo(info);
	if (err)
		return err;
	*out = &l->base;
	return 0;
}

const char *ofi_listener_addr(const struct net_listener *l)
{
	return container_of(l, struct ofi_listener, base)->addr;
}

void ofi_listener_close(struct net_listener *listener)
{
	struct ofi_listener *l = ofi_listener(listener);

	while (!list_empty(&l->accepting)) {
		struct ofi_conn *c = container_of(l->accepting.next, struct ofi_conn, accepting);

		c->listener = NULL;
		ofi_conn_close(&c->base);
	}
	if (l->busy)
		l->closing = true;
	else
		listener_free(l);
}
