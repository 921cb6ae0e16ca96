/* Components of the rack: each a real monitor with its struct component, on a node of its own. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gmm/internal.h"
#include "mcomponent/mcomponent.h"
#include "pcomponent/daemon/internal.h"
#include "rack.h"
#include "scomponent/scomponent.h"

struct rack rack;

/* ---- what the mains of the monitors do ---- */

static void storage_accepted(void *ctx, struct net_conn *conn)
{
	scomponent_accepted(ctx, conn);
}
static int storage_admit(void *ctx, const struct g2x_admit_req *req, const struct placement_part *p, uint32_t n)
{
	return scomponent_admit(ctx, req);
}
static uint64_t storage_revoke(void *ctx, uint32_t pid)
{
	scomponent_revoke(ctx, pid);
	return 0;
}
static void storage_load(void *ctx, struct x2g_beat_req *beat)
{
	struct scomponent_usage u;

	scomponent_usage(ctx, &u);
	beat->processes = (uint32_t)u.processes;
}
static void storage_gmm_lost(void *ctx)
{
	scomponent_gmm_lost(ctx);
}
static void memory_changed(void *arg)
{
	component_beat(arg);
}

static const struct component_ops gmm_ops = { .accepted = gmm_accepted };
static const struct component_ops memory_ops = {
	.accepted = mcomponent_accepted,
	.admit = mcomponent_admit,
	.revoke = mcomponent_revoke,
	.load = mcomponent_load,
	.usage = mcomponent_usage,
	.gmm_lost = mcomponent_gmm_lost,
};
static const struct component_ops storage_ops = {
	.accepted = storage_accepted,
	.admit = storage_admit,
	.revoke = storage_revoke,
	.load = storage_load,
	.gmm_lost = storage_gmm_lost,
};
static const struct component_ops daemon_ops = {
	.accepted = daemon_accepted,
	.admit = daemon_admit,
	.revoke = daemon_revoke,
	.load = daemon_load,
	.listening = daemon_listening,
	.usage = daemon_usage,
	.signal = daemon_signal,
	.gmm_lost = daemon_gmm_lost,
	.joined = daemon_joined,
};
static const struct component_ops *const ops_of[KIND_MAX] = {
	[KIND_GMM] = &gmm_ops,
	[KIND_MEMORY] = &memory_ops,
	[KIND_STORAGE] = &storage_ops,
	[KIND_PROCESSOR] = &daemon_ops,
};

static int host_signal(int fd, int signal)
{
	return -ESRCH;
}
static int host_usage(int fd, int32_t pid, struct process_usage *usage)
{
	return -ESRCH;
}
static const struct daemon_host host = {
	.process_open = sim_pidfd_open,
	.process_kill = sim_pidfd_kill,
	.process_signal = host_signal,
	.process_usage = host_usage,
	.process_close = sim_pidfd_close,
};

/* ---- a component's life ---- */

static int monitor_open(struct part *p)
{
	struct loop *loop = sim_node_loop(p->node);
	struct rpc_counters *counters = component_counters(p->component);
	struct gmm_config g = { .loop = loop, .net = p->net, .counters = counters };
	struct mcomponent_config m = { .loop = loop,
				       .net = p->net,
				       .bytes = p->bytes,
				       .counters = counters,
				       .changed = memory_changed,
				       .changed_arg = p->component };
	struct scomponent_config s = { .root = rack.dir };
	struct daemon_config d = { .loop = loop,
				   .net = p->net,
				   .host = &host,
				   .component = p->component,
				   .counters = counters,
				   .excache_bytes = p->bytes };

	switch (p->kind) {
	case KIND_GMM:
		return gmm_open(&g, (struct gmm **)&p->monitor);
	case KIND_MEMORY:
		return mcomponent_open(&m, (struct mcomponent **)&p->monitor);
	case KIND_STORAGE:
		return scomponent_open(loop, p->net, counters, &s, (struct scomponent **)&p->monitor);
	default:
		return daemon_open(&d, (struct daemon **)&p->monitor);
	}
}

static void join_failed(void *arg, int err)
{
	struct part *p = arg;

	check(sim_node_dead(p->node) || p->trouble_ns || rack.gmm->trouble_ns || chaos_links, "%s cannot join: %s",
	      p->name, strerror(-err));
}

static void part_begin(void *arg, uint64_t v)
{
	struct part *p = arg;
	struct component_config c = { .kind = p->kind, .bytes = p->bytes, .domain = "rack", .join_ms = 600000 };

	strcpy(c.name, p->name);
	strcpy(c.listen, p->addr);
	strcpy(c.gmm, "sim:gmm");
	check(!sim_net_open(p->node, true, &p->net), "no net");
	check(!component_open(sim_node_loop(p->node), p->net, &c, ops_of[p->kind], NULL, &p->component),
	      "no component");
	check(!monitor_open(p), "%s does not open", p->name);
	component_set_ctx(p->component, p->monitor);
	check(!component_start(p->component, join_failed, p), "%s does not start", p->name);
}

struct corpse {
	struct part p;
};

/* The objects of an ended process are taken down as by its main's stop(): nobody else sees it any more. */
static void part_reap(void *arg)
{
	struct part *p = &((struct corpse *)arg)->p;
	struct sim_counts left;

	switch (p->kind) {
	case KIND_GMM:
		gmm_close(p->monitor);
		break;
	case KIND_MEMORY:
		mcomponent_close(p->monitor);
		break;
	case KIND_STORAGE:
		if (p->monitor)
			scomponent_close(p->monitor);
		break;
	default:
		daemon_close(p->monitor);
	}
	component_close(p->component);
	if (p->net)
		net_close(p->net);
	sim_node_counts(p->node, &left);
	check(!left.timers && !left.conns && !left.listeners && !left.pds && !left.mrs && !left.datas && !left.remotes,
	      "%s left at its end: %u timers, %u connections, %u listeners, %u domains, %u regions, %u data, %u remotes",
	      p->name, left.timers, left.conns, left.listeners, left.pds, left.mrs, left.datas, left.remotes);
	free(arg);
}

void part_start(struct part *p)
{
	if (p->trouble_ns)
		p->trouble_ns = sim_now() + TROUBLE_NS;
	p->node = sim_node_open(p->name, p->machine);
	sim_node_post(p->node, part_begin, p, 0);
}

void part_kill(struct part *p)
{
	struct corpse *c;

	if (!p->node)
		return;
	sim_trace("KILL %s", p->name);
	p->trouble_ns = UINT64_MAX;
	c = malloc(sizeof(*c));
	c->p = *p;
	sim_node_on_death(p->node, part_reap, c);
	sim_node_kill(p->node);
	p->node = NULL;
	p->monitor = NULL;
	p->component = NULL;
	p->net = NULL;
}

bool rack_runs(uint32_t pid)
{
	return rack.daemon->monitor && dprocess_find(rack.daemon->monitor, pid);
}

bool part_up(const struct part *p)
{
	return p->node && p->component && (p->kind == KIND_GMM || component_gmm(p->component));
}

struct part *part_of_memory(const char *name)
{
	for (unsigned i = 0; i < rack.n_parts; i++)
		if (strcmp(rack.part[i].name, name) == 0)
			return &rack.part[i];
	fail("no component is named %s", name);
}

/* ---- the rack ---- */

static struct part *part_add(enum wire_kind kind, const char *name, uint64_t bytes)
{
	struct part *p = &rack.part[rack.n_parts];

	*p = (struct part){ .kind = kind, .machine = rack.n_parts, .index = rack.n_parts, .bytes = bytes };
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->addr, sizeof(p->addr), "sim:%s", name);
	rack.n_parts++;
	part_start(p);
	return p;
}

void rack_open(unsigned memories, uint64_t memory_bytes)
{
	const char *tmp = getenv("TMPDIR");
	char name[NAME_BYTES];

	memset(&rack, 0, sizeof(rack));
	snprintf(rack.dir, sizeof(rack.dir), "%s/ashlar-sim-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	check(mkdtemp(rack.dir), "no folder for files");
	rack.gmm = part_add(KIND_GMM, "gmm", 0);
	rack.daemon = part_add(KIND_PROCESSOR, "proc0", 64 << 20);
	rack.storage = part_add(KIND_STORAGE, "sto0", 1 << 30);
	for (unsigned i = 0; i < memories; i++) {
		snprintf(name, sizeof(name), "mem%u", i);
		part_add(KIND_MEMORY, name, memory_bytes);
	}
}

/* A component that was slow is silent to the gmm until its next heartbeat, and gets no process before that. */
static bool all_heard_of(void)
{
	const struct gmm *g = rack.gmm->monitor;

	for (const struct list *l = g->members.next; l != &g->members; l = l->next)
		if (container_of(l, const struct member, link)->state == RACK_SILENT)
			return false;
	return true;
}

bool rack_ready(uint64_t limit_ns)
{
	uint64_t limit = sim_now() + limit_ns;

	for (;;) {
		unsigned up = 0;

		for (unsigned i = 0; i < rack.n_parts; i++)
			up += part_up(&rack.part[i]);
		if (up == rack.n_parts && all_heard_of())
			return true;
		if (sim_now() > limit)
			return false;
		sim_sleep(10 * NS_PER_MS);
	}
}

/* ---- what is held ---- */

static char held[160];
#define hold(cond, ...)                                   \
	do {                                              \
		if (cond) {                               \
			snprintf(held, 160, __VA_ARGS__); \
			return held;                      \
		}                                         \
	} while (0)

static const char *gmm_held(const struct part *p)
{
	const struct gmm *g = p->monitor;

	hold(g->n_processes, "gmm: %u processes", g->n_processes);
	for (const struct list *l = g->members.next; l != &g->members; l = l->next) {
		const struct member *m = container_of(l, struct member, link);

		hold(m->promised || m->placed, "gmm: %s: %lu bytes promised, %u placed", m->name,
		     (unsigned long)m->promised, m->placed);
	}
	hold(g->n_peers != rack.n_parts - 1, "gmm: %u connections", g->n_peers);
	return NULL;
}

static const char *memory_held(const struct part *p)
{
	struct mcomponent_stat s;

	mcomponent_stat(p->monitor, &s);
	hold(s.granted_bytes || s.promised_bytes || s.processes || s.connections,
	     "%s: %lu bytes granted, %lu promised, %u processes, %u connections", p->name,
	     (unsigned long)s.granted_bytes, (unsigned long)s.promised_bytes, s.processes, s.connections);
	return NULL;
}

static const char *storage_held(const struct part *p)
{
	struct scomponent_usage u;

	scomponent_usage(p->monitor, &u);
	hold(u.processes || u.clients || u.handles, "%s: %lu processes, %lu clients, %lu handles", p->name,
	     (unsigned long)u.processes, (unsigned long)u.clients, (unsigned long)u.handles);
	return NULL;
}

static const char *daemon_held(const struct part *p)
{
	const struct daemon *d = p->monitor;

	hold(d->n_processes || d->peers.n || d->excache_promised,
	     "%s: %u processes, %u connections, %lu bytes promised", p->name, d->n_processes, d->peers.n,
	     (unsigned long)d->excache_promised);
	return NULL;
}

/* What a node of the fabric may hold when nothing runs: its listener, and its connection to the gmm. */
static const char *node_held(const struct part *p)
{
	struct sim_counts c;
	unsigned conns = p->kind == KIND_GMM ? rack.n_parts - 1 : 1, io = p->kind == KIND_STORAGE;

	sim_node_counts(p->node, &c);
	hold(c.conns != conns || c.listeners != 1 || c.pds != io || c.mrs != io || c.datas || c.remotes,
	     "%s: %u connections, %u listeners, %u domains, %u regions, %u data, %u remotes", p->name, c.conns,
	     c.listeners, c.pds, c.mrs, c.datas, c.remotes);
	return NULL;
}

const char *rack_held(void)
{
	for (unsigned i = 0; i < rack.n_parts; i++) {
		const struct part *p = &rack.part[i];
		const char *what = p->kind == KIND_GMM	     ? gmm_held(p)
				   : p->kind == KIND_MEMORY  ? memory_held(p)
				   : p->kind == KIND_STORAGE ? storage_held(p)
							     : daemon_held(p);

		if (!what)
			what = node_held(p);
		if (what)
			return what;
	}
	return NULL;
}

void rack_note(void)
{
	for (unsigned i = 0; i < rack.n_parts; i++) {
		const struct rpc_counters *c = component_counters(rack.part[i].component);

		for (unsigned k = 0; k < MSG_COUNT; k++)
			sim_note(c->requests[k], k);
		sim_note(c->duplicates, c->retries);
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void rack_remove(void)
{
	if (rack.dir[0])
		nftw(rack.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	rack.dir[0] = '\0';
}

void rack_close(void)
{
	for (unsigned i = rack.n_parts; i-- > 0;)
		part_kill(&rack.part[i]);
	sim_sleep(NS_PER_S);
	rack_remove();
}
