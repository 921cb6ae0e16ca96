/*
 * A process with its dispatcher's part: it learns its placement, has an ExCache over a modelled kernel, and some threads
 * that read and write their pages, forget some, use files, and check every byte.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/stats.h"
#include "pcomponent/excache/backing.h"
#include "rack.h"

#define CONNECT_MS 5000u
#define DAEMON_FIRST_NS (20 * NS_PER_MS)

struct proc *proc_self(void)
{
	return sim_node_user(sim_node_self());
}

/* ---- the layout lock ---- */

static void lock_shared(struct proc *p)
{
	while (p->writer)
		sim_yield();
	p->readers++;
}

static void unlock_shared(struct proc *p)
{
	p->readers--;
}

void proc_lock(struct proc *p)
{
	while (p->writer)
		sim_yield();
	p->writer = true;
	while (p->readers)
		sim_yield();
}

void proc_unlock(struct proc *p)
{
	p->writer = false;
}

/* ---- memory ---- */

struct thread {
	struct proc *p;
	struct excache_port *port;
	unsigned index, at; /* page of the last access */
};

/* Make the page fit for the access, as the MMU and the SIGBUS handler do. From its return on nothing else runs. */
static int page_touch(struct thread *t, unsigned page, bool write)
{
	struct proc *p = t->p;
	struct kernel *k = p->kernel;

	while (!k->present[page] || (write && k->protect[page])) {
		uint64_t addr = k->base + page * PAGE_BYTES;
		int err;

		if (sim_node_dead(p->node))
			return -EPIPE;
		lock_shared(p);
		err = p->excache->fault(t->port, addr + 8, write, k->base, k->base + k->pages * PAGE_BYTES);
		unlock_shared(p);
		if (err)
			return err;
	}
	return 0;
}

static int page_check(struct thread *t, unsigned page, unsigned off, unsigned n)
{
	struct proc *p = t->p;
	int err = page_touch(t, page, false);
	const uint8_t *is = p->kernel->mem + page * PAGE_BYTES, *want = p->expect + page * PAGE_BYTES;

	if (err || memcmp(is + off, want + off, n) == 0)
		return err;
	while (is[off] == want[off])
		off++;
	fail("process %u: byte %u of page %u is %02x, not %02x", p->index, off, page, is[off], want[off]);
}

static int page_write(struct thread *t, unsigned page, unsigned off, unsigned n)
{
	struct proc *p = t->p;
	int err = page_touch(t, page, true);
	uint64_t v = sim_random();

	if (err)
		return err;
	for (unsigned i = 0; i < n; i++)
		p->expect[page * PAGE_BYTES + off + i] = (uint8_t)(v >> i % 8 * 8);
	memcpy(p->kernel->mem + page * PAGE_BYTES + off, p->expect + page * PAGE_BYTES + off, n);
	return 0;
}

static void pages_forget(struct thread *t, unsigned page, unsigned n)
{
	struct proc *p = t->p;
	uint64_t start = p->kernel->base + page * PAGE_BYTES;

	proc_lock(p);
	if (!sim_node_dead(p->node)) {
		kernel_unmap(p->kernel, page, n);
		p->excache->forget(start, start + n * PAGE_BYTES);
		memset(p->expect + page * PAGE_BYTES, 0, n * PAGE_BYTES);
		memset(p->lost + page, 0, n);
	}
	proc_unlock(p);
}

/* What happens to a process that a fault cannot be resolved for. */
static int page_failed(struct thread *t, unsigned page, int err)
{
	struct proc *p = t->p;

	if (sim_node_dead(p->node))
		return -EPIPE;
	sim_trace("page %u: %s (present %d, protected %d)", page, strerror(-err), p->kernel->present[page],
		  p->kernel->protect[page]);
	if (err == -ENOMEM) {
		p->outcome = FULL_MEMORY;
		return err;
	}
	p->lost[page] = true;
	p->outcome = LOST_MEMORY;
	return 0; /* others of its pages must still be right */
}

static unsigned page_choose(struct thread *t)
{
	unsigned n = t->p->pages;

	switch (sim_below(8)) {
	case 0:
	case 1:
	case 2:
		return t->at = (t->at + 1) % n;
	case 3:
		return (unsigned)sim_below(n < 16 ? n : 16);
	default:
		return t->at = (unsigned)sim_below(n);
	}
}

static int thread_step(struct thread *t)
{
	unsigned page = page_choose(t), what = (unsigned)sim_below(100), off, n;
	bool write = what < 45;
	int err;

	if (sim_chance(400000))
		sim_sleep(sim_below(8000));
	if (t->p->forks && t->index == 0)
		members_step(t->p);
	if (what >= 98) {
		n = (unsigned)sim_between(1, 24);
		pages_forget(t, page, n < t->p->pages - page ? n : t->p->pages - page);
		return 0;
	}
	if (what >= 95 && t->index == 0 && t->p->files) {
		err = files_step(t->p->files);
		return err == -EPIPE ? err : 0;
	}
	if (what == 94 && t->p->forks && t->index == 0 && t->p->memory_forks < MEMORY_FORKS_MAX && sim_chance(400000)) {
		t->p->memory_forks++;
		fork_step(t->p);
		return 0;
	}
	if (t->p->lost[page])
		return 0;
	off = (unsigned)sim_below(PAGE_BYTES);
	n = (unsigned)sim_between(1, what % 8 == 0 ? PAGE_BYTES : 64);
	n = n < PAGE_BYTES - off ? n : PAGE_BYTES - off;
	err = write ? page_write(t, page, off, n) : page_check(t, page, off, n);
	return err ? page_failed(t, page, err) : 0;
}

static void thread_main(void *arg)
{
	struct thread *t = arg;
	struct proc *p = t->p;
	int err = p->excache->port_open(&t->port);

	for (unsigned i = 0; !err && i < p->steps && p->outcome != FULL_MEMORY && !sim_node_dead(p->node); i++)
		err = thread_step(t);
	/* The last one looks at everything. */
	for (unsigned i = 0; !err && p->threads_left == 1 && i < p->pages && p->outcome != FULL_MEMORY; i++)
		if (!p->lost[i]) {
			err = page_check(t, i, 0, PAGE_BYTES);
			if (err)
				err = page_failed(t, i, err);
		}
	if (t->port)
		p->excache->port_close(t->port);
	p->threads_left--;
	sim_wake(&p->wait);
	free(t);
}

/* ---- beginning ---- */

/* As the dispatcher's: memory components that let the process go because its daemon is dead are not the news. */
static void message(const char *fmt, ...)
{
	struct proc *p = proc_self();
	va_list ap;

	sim_sleep(DAEMON_FIRST_NS);
	if (!p->ending && net_conn_dead(rpc_conn(p->daemon)))
		sim_node_kill(p->node);
	va_start(ap, fmt);
	vsnprintf(p->said, sizeof(p->said), fmt, ap);
	va_end(ap);
	sim_trace("says: %s", p->said);
}

static int placement_get(struct proc *p)
{
	struct d2p_hello_req req = { .cap = p->run.cap, .pid = p->run.pid };
	uint32_t n = sizeof(p->placement);
	struct d2p_hello_rep rep;
	int err = rpc_connect_sync(p->net, p->run.p_addr, KIND_DISPATCHER, KIND_PROCESSOR, CONNECT_MS, &p->daemon);

	if (err)
		return err;
	err = rpc_call_sync(p->daemon, D2P_HELLO, p->run.pid, 0, &req, NULL, 0, 0, &rep, p->placement, &n);
	if (err)
		return err;
	check(rep.n_memory && n == (rep.n_memory + 1) * sizeof(p->placement[0]), "a placement of %u bytes", n);
	p->n_memory = rep.n_memory;
	for (uint32_t i = 0; i < p->n_memory; i++) {
		const struct placement_part *from = &p->placement[1 + i];
		struct excache_memory *m = &p->memory[i];

		m->cap = from->cap;
		m->bytes = from->bytes;
		memcpy(m->addr, from->addr, ADDR_BYTES);
		memcpy(m->name, from->name, NAME_BYTES);
	}
	return 0;
}

static int memory_get(struct proc *p)
{
	unsigned touched = (unsigned)sim_below(40);
	int err;

	p->config.net = p->net;
	p->config.pid = p->run.pid;
	p->config.n_memory = p->n_memory;
	p->config.memory = p->memory;
	p->config.stats = p->stats;
	p->config.message = message;
	err = p->excache->open(&p->config);
	if (err)
		return err;
	/* Some pages are there before they come under the ExCache. */
	for (unsigned i = 0; i < touched; i++) {
		unsigned page = (unsigned)sim_below(p->pages);

		memset(p->kernel->mem + page * PAGE_BYTES, 0, PAGE_BYTES);
		p->expect[page * PAGE_BYTES] = p->kernel->mem[page * PAGE_BYTES] = (uint8_t)(page | 1);
		p->kernel->present[page] = true;
	}
	return p->excache->reg(p->kernel->base, p->kernel->base + p->pages * PAGE_BYTES);
}

/* The dispatcher's service thread: with the daemon everything ends, a memory component's end is told to the ExCache. */
static void service_main(void *arg)
{
	struct proc *p = arg;
	int fd[PROCESS_MEMORY_MAX + 1] = { net_conn_fd(rpc_conn(p->daemon)) };
	unsigned n = 1 + p->excache->watch_fds(fd + 1, PROCESS_MEMORY_MAX);

	while (!p->ending && !sim_node_dead(p->node)) {
		int i = sim_fds_wait(fd, n);

		if (i < 0 || p->ending)
			break;
		if (i == 0) {
			sim_trace("the node daemon is gone");
			sim_node_kill(p->node);
			break;
		}
		p->excache->watch_dead(fd[i]);
		fd[i] = -1;
	}
	p->service_left = 0;
	sim_wake(&p->wait);
}

static void threads_run(struct proc *p)
{
	members_serve(p->daemon);
	p->service_left = 1;
	sim_spawn(p->node, service_main, p);
	p->threads_left = p->n_threads;
	p->stats->threads_peak = p->n_threads;
	for (unsigned i = 0; i < p->n_threads; i++) {
		struct thread *t = calloc(1, sizeof(*t));

		t->p = p;
		t->index = i;
		sim_spawn(p->node, thread_main, t);
	}
	while (p->threads_left) /* also a dead one's threads end by themselves */
		if (sim_wait(&p->wait, 0))
			sim_sleep(NS_PER_MS);
}

/* ---- the end ---- */

static void memory_put(struct proc *p)
{
	struct backing_usage u;

	p->excache->flush();
	if (!sim_node_dead(p->node) && sim_chance(500000)) {
		kernel_unmap(p->kernel, 0, p->pages);
		p->excache->forget(p->kernel->base, p->kernel->base + p->pages * PAGE_BYTES);
		p->excache->usage(&u);
		/* Frames of a write that failed for good are never used again. */
		check(!u.used || p->said[0], "process %u has %lu frames in use after it forgot all", p->index,
		      (unsigned long)u.used);
	}
	p->excache->close();
}

static void dispatcher_end(struct proc *p, bool excache_open)
{
	bool daemon_first = sim_chance(500000);

	p->ending = true;
	while (p->service_left) {
		sim_fds_wake(p->node);
		if (sim_wait(&p->wait, 0))
			sim_sleep(NS_PER_MS);
	}
	if (p->files)
		files_close(p->files);
	if (p->daemon && daemon_first)
		rpc_close(p->daemon);
	if (excache_open)
		memory_put(p);
	if (p->daemon && !daemon_first)
		rpc_close(p->daemon);
	net_close(p->net);
	kernel_close(p->kernel);
	free(p->expect);
	free(p->lost);
	free(p->stats);
}

static void node_check(struct proc *p)
{
	struct sim_counts c;

	sim_node_counts(p->node, &c);
	check(!c.conns && !c.pds && !c.mrs && !c.datas && !c.remotes,
	      "process %u left at its end: %u connections, %u domains, %u regions, %u data, %u remotes", p->index,
	      c.conns, c.pds, c.mrs, c.datas, c.remotes);
}

static void dispatcher_main(void *arg)
{
	struct proc *p = arg;
	bool open = false;
	int err;

	p->kernel = kernel_open(p->slot, p->pages);
	p->expect = calloc(p->pages, PAGE_BYTES);
	p->lost = calloc(p->pages, sizeof(*p->lost));
	p->stats = calloc(1, sizeof(*p->stats));
	check(!sim_net_open(p->node, false, &p->net), "no net");
	err = placement_get(p);
	if (!err) {
		err = memory_get(p);
		open = !err;
	}
	if (!err && p->wants_files)
		p->files = files_open(p);
	if (!err)
		threads_run(p);
	if (sim_node_dead(p->node))
		p->outcome = KILLED;
	else if (err)
		p->outcome = NOT_STARTED;
	else if (p->outcome == RUNNING)
		p->outcome = FINISHED; /* here a program calls exit */
	dispatcher_end(p, open);
	node_check(p);
	sim_node_end(p->node);
	p->node = NULL;
	sim_wake(&p->wait);
}

void dispatcher_start(struct proc *p)
{
	char name[NAME_BYTES] = "run0";

	name[3] = (char)('0' + p->index);
	p->node = sim_node_open(name, rack.daemon->machine);
	sim_node_set_user(p->node, p);
	sim_spawn(p->node, dispatcher_main, p);
}
