/* The node daemon as an object. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "ashlar/relay.h"
#include "pcomponent/daemon/internal.h"
#include "pcomponent/daemon/start.h"

int daemon_open(const struct daemon_config *config, struct daemon **out)
{
	struct daemon *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	if (peers_open(&d->peers, config->loop, KIND_PROCESSOR, &daemon_service, config->counters)) {
		free(d);
		return -ENOMEM;
	}
	d->loop = config->loop;
	d->net = config->net;
	d->relay_net = config->relay;
	d->direct_max = config->direct_max;
	d->host = config->host;
	d->component = config->component;
	d->counters = config->counters;
	d->excache_bytes = config->excache_bytes;
	list_init(&d->processes);
	list_init(&d->starts);
	d->dispatcher = config->dispatcher;
	d->hook = config->hook;
	budgets_open(d);
	*out = d;
	return 0;
}

int daemon_listening(void *ctx)
{
	struct daemon *d = ctx;
	char addr[ADDR_BYTES];
	int err;

	if (!d->relay_net)
		return 0;
	err = relay_address(component_addr(d->component), addr);
	if (!err)
		err = relay_open(d->loop, d->relay_net, d->net, addr, &d->relay);
	if (err)
		log_error("no relay at %s-relay: %s", component_addr(d->component), strerror(-err));
	return err;
}

void daemon_close(struct daemon *d)
{
	if (!d)
		return;
	while (!list_empty(&d->processes))
		dprocess_end(container_of(d->processes.next, struct dprocess, link), "the daemon ends", true);
	starts_close(d);
	peers_close(&d->peers);
	loop_timer_del(d->loop, &d->settle);
	if (d->relay)
		relay_close(d->relay);
	free(d);
}

void daemon_load(void *ctx, struct x2g_beat_req *beat)
{
	struct daemon *d = ctx;
	struct list *pos, *next;

	list_for_each_safe(pos, next, &d->processes) {
		const struct dprocess *p = container_of(pos, struct dprocess, link);

		if (!p->begun)
			continue;
		beat->processes++;
		beat->used_bytes += p->promised_bytes;
	}
}
