/* The `ashlar run` of one process: asks the gmm, announces it to the node daemon, starts the dispatcher, waits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "rack.h"

#define CONNECT_MS 5000u

static int ask_gmm(struct proc *p, struct net *net)
{
	struct x2g_run_req req = { .excache_bytes = p->config.budget_bytes, .uid = geteuid(), .gid = getegid() };
	struct rpc *rpc;
	int err = rpc_connect_sync(net, "sim:gmm", KIND_COMMAND, KIND_GMM, CONNECT_MS, &rpc);

	if (err)
		return err;
	p->promised = sim_chance(300000);
	if (p->promised)
		req.memory_bytes = (uint64_t)p->pages * PAGE_BYTES * 2;
	err = rpc_call_sync(rpc, X2G_RUN, 0, 0, &req, NULL, 0, 0, &p->run, NULL, NULL);
	rpc_close(rpc);
	return err;
}

static int announce(struct proc *p, struct net *net, struct rpc **out)
{
	struct d2p_announce_req req = { .cap = p->run.cap, .pid = p->run.pid };
	struct d2p_announce_rep rep;
	int err = rpc_connect_sync(net, p->run.p_addr, KIND_COMMAND, KIND_PROCESSOR, CONNECT_MS, out);

	if (err)
		return err;
	return rpc_call_sync(*out, D2P_ANNOUNCE, p->run.pid, 0, &req, NULL, 0, 0, &rep, NULL, NULL);
}

/* The tree is over by itself, soon after those that were named and never came. */
static void tree_over(const struct proc *p)
{
	if (p->left || sim_node_dead(p->command) || !sim_chance(200000))
		return;
	sim_sleep((DMEMBER_MS + 5000) * NS_PER_MS);
	check(!rack_runs(p->run.pid) || proc_troubled(p) || sim_node_dead(p->command), "process %u is not over",
	      p->index);
}

static void command_main(void *arg)
{
	struct proc *p = arg;
	struct rpc *life = NULL;
	struct net *net;
	int err;

	check(!sim_net_open(p->command, false, &net), "no net");
	err = ask_gmm(p, net);
	if (!err)
		err = announce(p, net, &life);
	if (err) {
		sim_trace("process %u does not start: %s", p->index, strerror(-err));
		p->outcome = NOT_STARTED;
	} else if (!sim_node_dead(p->command)) {
		dispatcher_start(p);
		while ((p->node || ((p->members || p->children) && !p->left)) && !sim_node_dead(p->command)) {
			if (sim_wait(&p->wait, 0))
				break;
			p->left |= !p->node && sim_chance(100000); /* Ctrl-C */
		}
		p->left |= p->members || p->children;
		tree_over(p);
	}
	if (life)
		rpc_close(life);
	net_close(net);
	sim_node_end(p->command);
	p->command = NULL;
}

struct proc *proc_start(unsigned index, unsigned slot, const struct workload *w)
{
	struct proc *p = calloc(1, sizeof(*p));
	char name[NAME_BYTES] = "cmd0";

	name[3] = (char)('0' + index);
	p->index = index;
	p->slot = slot;
	p->pages = w->pages;
	p->n_threads = w->threads;
	p->steps = w->steps;
	p->begin_ns = sim_now();
	p->config.budget_bytes = w->budget_lines * PAGE_BYTES;
	p->excache = &excache_copy[slot];
	p->wants_files = w->files;
	p->forks = w->forks;
	p->command = sim_node_open(name, rack.daemon->machine);
	sim_spawn(p->command, command_main, p);
	return p;
}

void proc_kill(struct proc *p, bool command)
{
	struct sim_node *node = command ? p->command : p->node;

	if (!node)
		return;
	sim_trace("KILL the %s of process %u", command ? "command" : "dispatcher", p->index);
	p->harmed = true;
	sim_node_kill(node);
}

bool proc_over(const struct proc *p)
{
	return !p->command && !p->node && !p->members && !p->children;
}

void proc_free(struct proc *p)
{
	free(p);
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = { "running", "not started", "finished",
					     "killed",	"lost memory", "memory full" };

	return names[o];
}
