/*
 * Joining the gmm and staying joined.
 *
 *  1. connect (again after a growing pause while the first join has time left; once a second after a loss)
 *  2. X2G_JOIN: who we are. A refusal (-EEXIST: the name is taken) ends the first join for good; later ones try again,
 *     as the gmm may not have noticed yet that our old connection is gone.
 *  3. X2G_BEAT every heartbeat_ms, never two at a time.
 *  4. The connection ends: ops->gmm_lost, then 1.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "component/internal.h"

static void retry_arm(struct component *c)
{
	uint64_t ms = REJOIN_MS;

	if (!c->ever_joined) {
		c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : JOIN_BACKOFF_MS_MIN;
		if (c->backoff_ms > JOIN_BACKOFF_MS_MAX)
			c->backoff_ms = JOIN_BACKOFF_MS_MAX;
		ms = c->backoff_ms;
	}
	loop_timer_set(c->loop, &c->retry, loop_now(c->loop) + ms * NS_PER_MS);
}

/* The first join is over without success. Later ones never give up. */
static void give_up(struct component *c, int err)
{
	loop_timer_del(c->loop, &c->retry);
	if (c->failed)
		c->failed(c->failed_arg, err);
}

static void retry_or_give_up(struct component *c, int err)
{
	if (!c->ever_joined && loop_now(c->loop) >= c->give_up_ns) {
		log_error("no gmm answers at %s: %s", c->config.gmm, strerror(-err));
		give_up(c, err);
		return;
	}
	/* Not at once: where a whole rack is taken down, the gmm may just be the first to go. */
	if (c->lost)
		log_warn("lost the gmm at %s; what runs goes on", c->config.gmm);
	c->lost = false;
	retry_arm(c);
}

static void beat_done(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct component *c = arg;

	(void)rep;
	(void)tail;
	(void)tail_bytes;
	c->beat_pending = false;
	if (err || !c->beat_again)
		return;
	c->beat_again = false;
	component_beat(c);
}

static void counts_fill(const struct component *c, struct x2g_beat_req *req)
{
	for (unsigned i = 0; i < MSG_COUNT; i++)
		req->requests += c->counters.requests[i];
	req->refused = c->counters.refused + c->counters.malformed + net_stats(c->net)->failures;
}

void component_beat(struct component *c)
{
	struct x2g_beat_req req = { 0 };

	if (!c->joined)
		return;
	if (c->beat_pending) {
		c->beat_again = true;
		return;
	}
	counts_fill(c, &req);
	if (c->ops->load)
		c->ops->load(c->ctx, &req);
	if (rpc_call(c->gmm, X2G_BEAT, 0, &req, NULL, 0, RPC_DEADLINE_MS, beat_done, c) == 0)
		c->beat_pending = true;
}

static void beat_due(void *arg)
{
	struct component *c = arg;

	component_beat(c);
	log_flush();
	loop_timer_set(c->loop, &c->beat, loop_now(c->loop) + c->heartbeat_ms * NS_PER_MS);
}

static void join_refused(struct component *c, int err)
{
	struct rpc *gmm = c->gmm;

	c->gmm = NULL;
	rpc_close(gmm);
	if (err == -ETIMEDOUT || c->ever_joined) {
		log_warn("the gmm at %s does not take us in: %s", c->config.gmm, strerror(-err));
		retry_or_give_up(c, err);
		return;
	}
	if (err == -EEXIST)
		log_error("the rack of %s has a component named %s already", c->config.gmm, c->config.name);
	else
		log_error("the gmm at %s refuses %s: %s", c->config.gmm, c->config.name, strerror(-err));
	give_up(c, err);
}

static void join_done(void *arg, int err, const void *body, const void *tail, uint32_t tail_bytes)
{
	struct component *c = arg;
	const struct x2g_join_rep *rep = body;

	(void)tail;
	(void)tail_bytes;
	if (err == -EPIPE || err == -ECANCELED)
		return; /* join_lost (or join_end) sees to it */
	if (err) {
		join_refused(c, err);
		return;
	}
	c->id = rep->id;
	c->heartbeat_ms = rep->heartbeat_ms ? rep->heartbeat_ms : HEARTBEAT_MS;
	if (c->ever_joined)
		log_warn("joined the gmm at %s again", c->config.gmm);
	c->joined = c->ever_joined = true;
	log_info("joined as component %u, listening at %s", c->id, component_addr(c));
	if (c->ops->joined)
		c->ops->joined(c->ctx);
	beat_due(c);
}

static int join_send(struct component *c)
{
	struct x2g_join_req req = { .kind = c->config.kind,
				    .bytes = c->config.bytes,
				    .flags = c->ever_joined ? JOIN_AGAIN : 0 };

	snprintf(req.name, sizeof(req.name), "%s", c->config.name);
	snprintf(req.domain, sizeof(req.domain), "%s", c->config.domain);
	snprintf(req.addr, sizeof(req.addr), "%s", component_addr(c));
	return rpc_call(c->gmm, X2G_JOIN, 0, &req, NULL, 0, RPC_DEADLINE_MS, join_done, c);
}

static void join_connected(void *arg, int err, struct net_conn *conn)
{
	struct component *c = arg;

	c->connecting = NULL;
	if (err == -EINVAL && !c->ever_joined) {
		log_error("%s is not an address of this fabric", c->config.gmm);
		give_up(c, err);
		return;
	}
	if (!err)
		err = rpc_open(c->loop, conn, c->config.kind, &component_gmm_service, c, &c->counters, &c->gmm);
	if (err) {
		c->gmm = NULL;
		retry_or_give_up(c, err);
		return;
	}
	err = join_send(c);
	if (err) {
		rpc_close(c->gmm);
		c->gmm = NULL;
		retry_or_give_up(c, err);
	}
}

static void join_try(void *arg)
{
	struct component *c = arg;
	int err = net_connect_begin(c->net, c->config.gmm, JOIN_CONNECT_MS, join_connected, c, &c->connecting);

	if (err)
		join_connected(c, err, NULL);
}

void join_begin(struct component *c)
{
	c->retry.fn = join_try;
	c->retry.arg = c;
	c->beat.fn = beat_due;
	c->beat.arg = c;
	c->give_up_ns = loop_now(c->loop) + c->config.join_ms * NS_PER_MS;
	loop_timer_set(c->loop, &c->retry, loop_now(c->loop));
}

void join_lost(struct component *c, int err)
{
	bool was_joined = c->joined;

	c->gmm = NULL;
	c->joined = c->beat_pending = c->beat_again = false;
	loop_timer_del(c->loop, &c->beat);
	if (was_joined && c->ops->gmm_lost)
		c->ops->gmm_lost(c->ctx);
	if (was_joined) {
		c->lost = true;
		retry_arm(c);
		return;
	}
	if (err == -EPROTO && !c->ever_joined) {
		log_error("the gmm at %s speaks another version", c->config.gmm);
		give_up(c, err);
		return;
	}
	retry_or_give_up(c, err ? err : -EPIPE);
}

void join_end(struct component *c)
{
	struct rpc *gmm = c->gmm;

	if (c->connecting)
		net_connect_cancel(c->connecting);
	c->connecting = NULL;
	loop_timer_del(c->loop, &c->retry);
	loop_timer_del(c->loop, &c->beat);
	c->gmm = NULL;
	c->joined = false;
	if (gmm)
		rpc_close(gmm);
}
