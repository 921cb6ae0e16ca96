/* What the gmm asks about processes that run here, and what it is told when it is not the one that placed them. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "pcomponent/daemon/internal.h"

void daemon_usage(void *ctx, const uint32_t *pids, uint32_t n, struct process_usage *rows)
{
	const struct daemon *d = ctx;

	for (uint32_t i = 0; i < n; i++) {
		const struct dprocess *p = dprocess_find(ctx, pids[i]);

		if (p && p->host_fd >= 0 && d->host->process_usage(p->host_fd, p->host_pid, &rows[i]))
			memset(&rows[i], 0, sizeof(rows[i]));
	}
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

int daemon_signal(void *ctx, uint32_t pid, int signal)
{
	const struct daemon *d = ctx;
	const struct dprocess *p = dprocess_find(ctx, pid);
	int err;

	if (!p)
		return -ESRCH;
	if (p->host_fd < 0)
		return -EAGAIN;
	err = d->host->process_signal(p->host_fd, signal);
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
		if (i && p->dispatcher && !p->hello && !p->guard[i - 1].rpc)
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
