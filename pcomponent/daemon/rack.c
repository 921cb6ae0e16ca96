/* What the gmm asks about processes that run here, and what it is told when it is not the one that placed them. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "pcomponent/daemon/internal.h"

/* All members together; what it is called and does is the program that was placed, or the eldest one that is left. */
static void usage_add(const struct dmember *m, struct process_usage *row)
{
	struct process_usage u = { 0 };
	const struct daemon *d = m->tree->d;

	if (m->host_fd < 0 || d->host->process_usage(m->host_fd, m->host_pid, &u))
		return;
	row->bytes += u.bytes;
	row->cpu_ns += u.cpu_ns;
	row->members++;
	if (u.age_ms > row->age_ms)
		row->age_ms = u.age_ms;
	if (row->state)
		return;
	row->state = u.state;
	memcpy(row->program, u.program, sizeof(row->program));
}

void daemon_usage(void *ctx, const uint32_t *pids, uint32_t n, struct process_usage *rows)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct dprocess *p = dprocess_find(ctx, pids[i]);
		struct list *pos, *next;

		if (!p)
			continue;
		list_for_each_safe(pos, next, &p->members)
			usage_add(container_of(pos, struct dmember, link), &rows[i]);
	}
}

/* They are kept in the order of their coming, but one that became another program has a later number: by numbers. */
static const struct dmember *member_above(struct dprocess *p, uint32_t after)
{
	const struct dmember *best = NULL;
	struct list *pos, *next;

	list_for_each_safe(pos, next, &p->members) {
		const struct dmember *m = container_of(pos, struct dmember, link);

		if (m->host_fd >= 0 && (after == UINT32_MAX || m->id > after) && (!best || m->id < best->id))
			best = m;
	}
	return best;
}

int daemon_tree(void *ctx, uint32_t pid, uint32_t after, struct member_row *rows, uint32_t max)
{
	const struct daemon *d = ctx;
	struct dprocess *p = dprocess_find(ctx, pid);
	const struct dmember *m = p ? member_above(p, after) : NULL;
	uint32_t n = 0;

	if (!p)
		return -ESRCH;
	for (; n < max && m; m = member_above(p, m->id), n++) {
		struct process_usage u = { 0 };

		if (d->host->process_usage(m->host_fd, m->host_pid, &u))
			memset(&u, 0, sizeof(u));
		rows[n] = (struct member_row){ .member = m->id, .host_pid = m->host_pid, .state = u.state };
		memcpy(rows[n].program, u.program, NAME_BYTES);
	}
	return (int)n;
}

/*
 * A command stops when its program stops, for the shell's sake. Where the program goes on or ends by our hand, the
 * command has to wake to see it; as the other end of a connection that stands, it is sure to be the one.
 */
static void command_wake(const struct daemon *d, const struct dprocess *p)
{
	struct net_peer who = { 0 };
	int fd;

	if (!p->command)
		return;
	net_conn_peer(rpc_conn(p->command->base.rpc), &who);
	fd = who.known ? d->host->process_open(who.host_pid) : -1;
	if (fd < 0)
		return;
	d->host->process_signal(fd, SIGCONT);
	d->host->process_close(fd);
}

/* To the program that was placed while it lives, else to all that are left; SIGKILL ends all in any case. */
int daemon_signal(void *ctx, uint32_t pid, int signal)
{
	const struct daemon *d = ctx;
	const struct dprocess *p = dprocess_find(ctx, pid);
	struct list *pos, *next;
	int err = -EAGAIN;

	if (!p)
		return -ESRCH;
	list_for_each_safe(pos, next, &p->members) {
		const struct dmember *m = container_of(pos, struct dmember, link);

		if (m->host_fd < 0 || (p->first && m != p->first && signal != SIGKILL))
			continue;
		err = d->host->process_signal(m->host_fd, signal) && err ? -ESRCH : 0;
	}
	if (!err && (signal == SIGCONT || signal == SIGKILL))
		command_wake(d, p);
	return err;
}

void daemon_gmm_lost(void *ctx)
{
	((struct daemon *)ctx)->gmm_was_lost = true;
}

static void told(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)arg;
	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err && err != -EPIPE && err != -ECANCELED)
		log_warn("the gmm does not take a process that runs here: %s", strerror(-err));
}

/* Storage first; a memory component whose guard is gone has nothing of the process any more. */
static uint32_t parts_fill(const struct dprocess *p, struct kept_part *kept)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i <= p->n_memory; i++) {
		if (i && p->guarded && !p->guard[i].rpc)
			continue;
		kept[n] = (struct kept_part){
			.cap = p->parts[i].cap,
			.bytes = p->parts[i].bytes,
			.promised = p->parts[i].promised,
		};
		memcpy(kept[n++].name, p->parts[i].name, NAME_BYTES);
	}
	return n;
}

static int tell(struct rpc *gmm, const struct dprocess *p)
{
	struct kept_part kept[PROCESS_MEMORY_MAX + 1];
	struct x2g_keep_req req = {
		.excache_bytes = p->promised_bytes, .pid = p->pid, .uid = p->uid, .gid = p->gid, .weight = p->weight
	};
	uint32_t n = parts_fill(p, kept);

	return rpc_call(gmm, X2G_KEEP, p->pid, &req, kept, n * (uint32_t)sizeof(kept[0]), RPC_DEADLINE_MS, told, NULL);
}

void daemon_joined(void *ctx)
{
	struct x2g_keep_req last = { .pid = 0 };
	struct daemon *d = ctx;
	struct rpc *gmm = component_gmm(d->component);
	struct list *pos, *next;
	int err = 0;

	if (!d->gmm_was_lost)
		return;
	d->gmm_was_lost = false;
	list_for_each_safe(pos, next, &d->processes) {
		const struct dprocess *p = container_of(pos, struct dprocess, link);

		if (p->command) /* else nobody announces it any more, and it goes by itself */
			err = err ? err : tell(gmm, p);
	}
	if (!err)
		err = rpc_call(gmm, X2G_KEEP, 0, &last, NULL, 0, RPC_DEADLINE_MS, told, NULL);
	if (err)
		log_error("the gmm cannot be told what runs here: %s", strerror(-err));
}
