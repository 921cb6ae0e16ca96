/*
 * Connection events of a net with a loop: requests to listeners, and the begin and end of what was accepted. One event
 * queue for all, so that the loop has one descriptor for them.
 *
 * Connections that a stranger opens and leaves half open are libfabric's: they wake us without bringing an event, and so
 * does a listener that is out of descriptors, again at once. After many empty wake-ups in a row there is a pause.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

static void conn_event(struct ofi_conn *c, uint32_t event)
{
	if (event == FI_CONNECTED)
		ofi_accepted(c);
	else if (c->listener)
		ofi_conn_close(&c->base);
	else
		ofi_conn_run(c);
}

static void request(struct ofi_net *net, const struct fi_eq_cm_entry *e, size_t len)
{
	const struct ofi_context *x = e->fid->context;

	if (x && x->what == OFI_IS_LISTENER)
		ofi_request(net, container_of(x, struct ofi_listener, context), e->info,
			    (const struct ofi_hello *)e->data, len);
	ofi_lib.freeinfo(e->info);
}

static void end_or_begin(const struct fid *fid, uint32_t event)
{
	struct ofi_context *x = fid->context;

	switch (x->what) {
	case OFI_IS_CONN:
		conn_event(container_of(x, struct ofi_conn, context), event);
		break;
	case OFI_IS_END:
		if (event != FI_CONNECTED)
			ofi_end_close(container_of(x, struct ofi_end, context));
		break;
	case OFI_IS_LANE:
		ofi_lane_event(container_of(x, struct ofi_lane, context), event == FI_CONNECTED);
		break;
	case OFI_IS_LISTENER:
		break;
	}
}

struct event {
	struct list link;
	const struct fid *fid;
	uint32_t what;
	size_t len; /* of the private data */
	union {
		struct fi_eq_cm_entry cm;
		uint8_t bytes[sizeof(struct fi_eq_cm_entry) + 256];
	} u;
};

/* Read one event: 1, 0 when there is none, -1 when it is of no interest. */
static int event_read(struct ofi_net *net, struct event *e)
{
	struct fi_eq_err_entry failed = { 0 };
	ssize_t n;

	errno = 0; /* libfabric's tcp takes an old EAGAIN in errno for one of its own */
	n = fi_eq_read(net->eq.eq, &e->what, &e->u, sizeof(e->u), 0);
	if (n == -FI_EAVAIL) {
		e->what = FI_SHUTDOWN;
		n = fi_eq_readerr(net->eq.eq, &failed, 0);
		e->fid = failed.fid;
		return n > 0 && e->fid ? 1 : -1;
	}
	if (n < (ssize_t)sizeof(e->u.cm))
		return 0;
	e->fid = e->u.cm.fid;
	e->len = (size_t)n - sizeof(e->u.cm);
	return e->what == FI_CONNREQ || e->what == FI_CONNECTED || e->what == FI_SHUTDOWN ? 1 : -1;
}

static void event_handle(struct ofi_net *net, const struct event *e)
{
	if (e->what == FI_CONNREQ)
		request(net, &e->u.cm, e->len);
	else
		end_or_begin(e->fid, e->what);
}

static bool of_a_lane(const struct event *e)
{
	const struct ofi_hello *h = (const void *)e->u.cm.data;

	if (e->what == FI_CONNREQ)
		return e->len == sizeof(*h) && h->magic == OFI_MAGIC && h->kind == OFI_HELLO_BACK;
	return ((const struct ofi_context *)e->fid->context)->what == OFI_IS_LANE;
}

static void event_defer(struct ofi_net *net, const struct event *e)
{
	struct event *copy = malloc(sizeof(*copy));

	if (!copy) {
		log_error("out of memory: an event of a connection is lost");
		if (e->what == FI_CONNREQ)
			ofi_lib.freeinfo(e->u.cm.info);
		return;
	}
	*copy = *e;
	list_add_tail(&net->deferred, &copy->link);
	loop_timer_set(net->base.opt.loop, &net->eq_timer, loop_now(net->base.opt.loop));
}

void ofi_events_lanes(struct ofi_net *net)
{
	struct event e;
	int got;

	while ((got = event_read(net, &e))) {
		if (got < 0)
			continue;
		if (of_a_lane(&e))
			event_handle(net, &e);
		else
			event_defer(net, &e);
	}
}

void ofi_events_forget(struct ofi_net *net, const struct fid *fid)
{
	for (struct list *l = net->deferred.next, *next; l != &net->deferred; l = next) {
		struct event *e = container_of(l, struct event, link);

		next = l->next;
		if (e->fid != fid)
			continue;
		if (e->what == FI_CONNREQ)
			ofi_lib.freeinfo(e->u.cm.info);
		list_del(&e->link);
		free(e);
	}
}

static void events_deferred(struct ofi_net *net)
{
	while (!list_empty(&net->deferred)) {
		struct event *e = container_of(net->deferred.next, struct event, link), copy = *e;

		list_del(&e->link);
		free(e);
		event_handle(net, &copy);
	}
}

static void events_run(struct ofi_net *net)
{
	struct event e;
	int got;

	events_deferred(net);
	for (unsigned i = 0; i < OFI_ROUNDS_MAX && (got = event_read(net, &e)); i++) {
		net->eq_empty = 0;
		if (got > 0)
			event_handle(net, &e);
	}
}

static void events_event(void *arg, uint32_t events)
{
	struct ofi_net *net = arg;
	struct loop *loop = net->base.opt.loop;

	(void)events;
	net->eq_empty++;
	events_run(net);
	if (net->eq_empty >= OFI_EMPTY_MAX) {
		net->eq_empty = 0;
		loop_fd_mod(loop, net->eq.fd, 0);
		loop_timer_set(loop, &net->eq_timer, loop_now(loop) + OFI_EMPTY_MS * NS_PER_MS);
	} else if (!ofi_eq_may_wait(net, &net->eq)) {
		loop_timer_set(loop, &net->eq_timer, loop_now(loop));
	}
}

static void events_again(void *arg)
{
	struct ofi_net *net = arg;

	loop_fd_mod(net->base.opt.loop, net->eq.fd, EPOLLIN);
	events_event(net, 0);
}

int ofi_events_open(struct ofi_net *net)
{
	int err = ofi_eq_open(net, &net->eq);

	if (err)
		return err;
	net->eq_timer.fn = events_again;
	net->eq_timer.arg = net;
	return loop_fd_add(net->base.opt.loop, net->eq.fd, EPOLLIN, events_event, net);
}

void ofi_events_close(struct ofi_net *net)
{
	loop_timer_del(net->base.opt.loop, &net->eq_timer);
	loop_fd_del(net->base.opt.loop, net->eq.fd);
	ofi_eq_close(&net->eq);
}
