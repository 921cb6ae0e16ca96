/*
 * Joining the rack on the program's behalf (join.h): who we are, the node daemon, the fabric, memory and files. What goes
 * wrong here ends the process with one line and status 125, at a start as in a child.
 */
#include "pcomponent/proc/join.h"
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/rpc.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/counters.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/sys.h"

#define CONNECT_MS 5000u

struct placement {
	struct placement_part storage, memory[PROCESS_MEMORY_MAX];
	uint32_t n_memory;
};

/* Who we are, as we were told at the start, by the node daemon, or by the program that was here before. */
struct self {
	struct launch_config launch;
	struct placement placement;
	uint32_t relayed; /* not by a fabric of our own */
};

/* Capabilities are in it: read-only while the program runs. */
static union {
	struct self self;
	char page[PAGE_BYTES];
} sealed __attribute__((aligned(PAGE_BYTES)));
_Static_assert(sizeof(sealed) == PAGE_BYTES, "the start's configuration fits a page");
static struct self *const self = &sealed.self;

static struct net *net;	     /* the rack */
static struct net *node_net; /* the node daemon: always this machine's own fabric */
static struct rpc *daemon_rpc;
static const struct excache_shared *shared; /* NULL: this process is not the keeper */

static bool launch_fits(const struct launch_config *c)
{
	return c->magic == LAUNCH_MAGIC && c->version == LAUNCH_VERSION && c->bytes == sizeof(*c);
}

/* The bytes are our own, but the program that was here before may have got at them. */
static bool self_fits(void)
{
	return self->relayed <= 1 && self->placement.n_memory >= 1 && self->placement.n_memory <= PROCESS_MEMORY_MAX;
}

int join_read(const char *arg)
{
	char *end;
	int fd = (int)strtol(arg, &end, 10);
	ssize_t n = *end ? -1 : pread(fd, self, sizeof(*self), 0);
	ssize_t want = sizeof(self->launch);

	if (n >= want && self->launch.flags & LAUNCH_EXEC)
		want = sizeof(*self);
	if (n < want || !launch_fits(&self->launch) || (self->launch.flags & LAUNCH_EXEC && !self_fits()))
		proc_fail(125, "the dispatcher is started by `ashlar run`, not by hand");
	self->launch.fabric[sizeof(self->launch.fabric) - 1] = 0;
	self->launch.daemon[sizeof(self->launch.daemon) - 1] = 0;
	self->launch.daemon_name[sizeof(self->launch.daemon_name) - 1] = 0;
	self->launch.relay[sizeof(self->launch.relay) - 1] = 0;
	self->launch.hook[sizeof(self->launch.hook) - 1] = 0;
	lseek(fd, want, SEEK_SET);
	return fd;
}

/* As that member in our place. */
static void self_become(struct self *s, const struct member *m)
{
	s->launch.cap = m->cap;
	s->launch.member = m->id;
	s->launch.excache_bytes = m->excache_bytes;
	s->relayed = m->relayed;
	s->placement.storage.cap = m->caps[0];
	for (uint32_t i = 0; i < s->placement.n_memory; i++)
		s->placement.memory[i].cap = m->caps[1 + i];
}

bool join_caps_fit(uint32_t bytes)
{
	return bytes == (self->placement.n_memory + 1) * sizeof(struct cap);
}

int join_save(const struct member *m, uint32_t flags, int fd)
{
	struct self next = *self;

	self_become(&next, m);
	next.launch.flags |= LAUNCH_EXEC | flags;
	return write(fd, &next, sizeof(next)) == sizeof(next) ? 0 : -EIO;
}

const struct launch_config *join_launch(void)
{
	return &self->launch;
}

/* The memfd is kept, out of the program's way, for the processes that come of this one. */
void join_stats(void)
{
	int fd = self->launch.stats_fd;

	if (fd >= 0 && fd < proc_fd_floor()) {
		self->launch.stats_fd = fcntl(fd, F_DUPFD_CLOEXEC, proc_fd_floor());
		close(fd);
		fd = self->launch.stats_fd;
	} else if (fd >= 0) {
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	counters_open(fd, self->launch.flags & LAUNCH_FIRST);
	if (!process_stats->start_ns)
		process_stats->start_ns = clock_ns();
}

bool join_first(void)
{
	return self->launch.flags & LAUNCH_FIRST;
}

void join_refused(int err)
{
	if (err == -ESRCH) /* the tree has been ended meanwhile: so are we */
		kill(getpid(), SIGKILL);
	proc_fail(125, "processor component %s: %s", self->launch.daemon_name, strerror(-err));
}

static struct d2p_hello_req hello_req(void)
{
	return (struct d2p_hello_req){ .cap = self->launch.cap,
				       .pid = self->launch.pid,
				       .member = self->launch.member };
}

/* Of the tree's first process: it learns where it is placed. */
static void daemon_hello(void)
{
	struct d2p_hello_req req = hello_req();
	struct placement_part parts[PROCESS_MEMORY_MAX + 1];
	uint32_t bytes;
	struct d2p_hello_rep rep;
	bool waiting = false;
	int err;

	err = rpc_connect_early(node_net, self->launch.daemon, KIND_DISPATCHER, KIND_PROCESSOR, CONNECT_MS,
				&daemon_rpc);
	while (!err) {
		bytes = sizeof(parts);
		err = rpc_call_sync(daemon_rpc, D2P_HELLO, self->launch.pid, 0, &req, NULL, 0, RPC_DEADLINE_MS, &rep,
				    parts, &bytes);
		if (!err || err != -EAGAIN)
			break;
		if (!waiting)
			sys_message("processor component %s has no local memory free: the program waits for it",
				    self->launch.daemon_name);
		waiting = true;
		err = 0;
	}
	if (!err && (rep.n_memory < 1 || rep.n_memory > PROCESS_MEMORY_MAX || rep.relayed > 1 ||
		     bytes != (rep.n_memory + 1) * sizeof(parts[0])))
		err = -EPROTO;
	if (err)
		join_refused(err);
	self->relayed = rep.relayed;
	self->launch.excache_bytes = rep.excache_bytes;
	self->placement.storage = parts[0];
	self->placement.n_memory = rep.n_memory;
	memcpy(self->placement.memory, parts + 1, rep.n_memory * sizeof(parts[0]));
}

static struct rpc_answer daemon_answer; /* to the hello of one that was named */

/* Of all others: they know, and go on; the service thread takes the answer. */
static void daemon_greet(void)
{
	struct d2p_hello_req req = hello_req();
	int err = rpc_connect_early(node_net, self->launch.daemon, KIND_DISPATCHER, KIND_PROCESSOR, CONNECT_MS,
				    &daemon_rpc);

	if (!err)
		err = rpc_ask_sync(daemon_rpc, D2P_HELLO, self->launch.pid, &req, RPC_DEADLINE_MS, &daemon_answer);
	if (err)
		join_refused(err);
}

static void memory_config(struct excache_config *c, struct excache_memory m[PROCESS_MEMORY_MAX])
{
	*c = (struct excache_config){
		.net = net,
		.budget_bytes = self->launch.excache_bytes,
		.pid = self->launch.pid,
		.member = self->launch.member,
		.lazy = self->launch.member != 0,
		.shared = shared,
		.connected = service_watch_again,
		.n_memory = self->placement.n_memory,
		.memory = m,
		.stats = process_stats,
		.fd_floor = proc_fd_floor(),
		.message = service_memory_message,
		.kernel_6_1 = self->launch.flags & LAUNCH_KERNEL_6_1,
	};

	for (uint32_t i = 0; i < self->placement.n_memory; i++) {
		m[i].cap = self->placement.memory[i].cap;
		m[i].bytes = self->placement.memory[i].bytes;
		memcpy(m[i].addr, self->placement.memory[i].addr, ADDR_BYTES);
		memcpy(m[i].name, self->placement.memory[i].name, NAME_BYTES);
		m[i].addr[ADDR_BYTES - 1] = m[i].name[NAME_BYTES - 1] = 0;
	}
	process_stats->components = self->placement.n_memory;
}

static void memory_open(void)
{
	struct excache_memory m[PROCESS_MEMORY_MAX];
	struct excache_config c;
	int err;

	memory_config(&c, m);
	if ((err = excache_open(&c)))
		proc_fail(125, "local memory of %lu bytes: %s", (unsigned long)self->launch.excache_bytes,
			  strerror(-err));
}

static void files_config(struct fs_config *c)
{
	static char cwd[4096];
	mode_t mask = umask(0);

	umask(mask);
	self->placement.storage.addr[ADDR_BYTES - 1] = self->placement.storage.name[NAME_BYTES - 1] = 0;
	*c = (struct fs_config){
		.net = net,
		.s_addr = self->placement.storage.addr,
		.s_name = self->placement.storage.name,
		.cap = self->placement.storage.cap,
		.pid = self->launch.pid,
		.member = self->launch.member,
		.cwd = getcwd(cwd, sizeof(cwd)) ? cwd : "/",
		.umask = mask,
		.wait_s = self->launch.storage_wait_s,
		.fd_floor = proc_fd_floor(),
	};
}

static void files_open(int exec_fd)
{
	struct fs_config c;
	int err;

	files_config(&c);
	err = exec_fd < 0 ? fs_open(&c) : fs_exec_restore(&c, exec_fd);
	if (err)
		proc_fail(125, "storage component %s: %s", self->placement.storage.name, strerror(-err));
	fd_limit((int)proc_limit(RLIMIT_NOFILE));
}

static void node_open(void)
{
	struct net_options opt = { .fd_floor = proc_fd_floor() };
	int err = net_open("local", &opt, &node_net);

	if (err)
		proc_fail(125, "fabric local: %s", strerror(-err));
}

/* The rack's fabric as the daemon's answer says: itself, or by the relay. */
static void rack_open(void)
{
	struct net_options opt = { .fd_floor = proc_fd_floor(), .relay = self->launch.relay };
	const char *fabric = self->relayed ? "relay" : self->launch.fabric;
	int err;

	net = node_net;
	opt.hook = self->launch.hook[0] ? self->launch.hook : NULL;
	if ((opt.hook || strcmp(fabric, "local") != 0) && (err = net_open(fabric, &opt, &net)))
		proc_fail(125, "fabric %s: %s", fabric, strerror(-err));
}

static pid_t joined; /* which process has; 0: not yet */

bool join_foreign(void)
{
	return joined && joined != getpid();
}

void join_rack(int exec_fd)
{
	node_open();
	if (exec_fd < 0)
		daemon_hello();
	else
		daemon_greet();
	rack_open();
	memory_open();
	files_open(exec_fd);
	joined = getpid();
}

void join_keeper(const struct excache_shared *host)
{
	shared = host;
	self->launch.flags &= ~(uint32_t)LAUNCH_FIRST;
	join_stats();
	node_open();
	daemon_greet();
	rack_open();
	memory_open();
	joined = getpid();
}

void join_serve(void)
{
	int err = service_open(net, daemon_rpc, self->launch.pid, self->launch.daemon_name,
			       self->launch.member ? &daemon_answer : NULL);

	if (err)
		proc_fail(125, "service thread: %s (ashlar doctor looks at limits)", strerror(-err));
}

static void seal(int prot)
{
	if (mprotect(&sealed, sizeof(sealed), prot))
		proc_fail(125, "memory protection: %s", strerror(errno));
}

void join_seal(void)
{
	seal(PROT_READ);
}

void join_forked(const struct member *m, int (*ranges)(int (*registered)(uint64_t, uint64_t)))
{
	struct excache_memory components[PROCESS_MEMORY_MAX];
	struct excache_config memory;
	struct fs_config files;
	int err;

	seal(PROT_READ | PROT_WRITE);
	self_become(self, m);
	self->launch.flags &= ~(uint32_t)LAUNCH_FIRST;
	counters_forked();
	process_stats->start_ns = clock_ns();
	node_open();
	daemon_greet();
	rack_open();
	memory_config(&memory, components);
	files_config(&files);
	seal(PROT_READ);
	if ((err = excache_fork_child(&memory, ranges)))
		proc_fail(125, "local memory of the forked process: %s", strerror(-err));
	if ((err = fs_fork_child(&files)))
		proc_fail(125, "files of the forked process: %s", strerror(-err));
	joined = getpid();
}
