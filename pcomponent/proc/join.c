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
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/sys.h"

#define CONNECT_MS 5000u

struct placement {
	struct placement_part storage, memory[PROCESS_MEMORY_MAX];
	uint32_t n_memory;
};

/* What the process was started with, its capabilities among it: read-only while the program runs. */
static union {
	struct {
		struct launch_config launch;
		struct placement placement;
		uint32_t relayed; /* not by a fabric of our own */
	};
	char page[PAGE_BYTES];
} sealed __attribute__((aligned(PAGE_BYTES)));
_Static_assert(sizeof(sealed) == PAGE_BYTES, "the start's configuration fits a page");

static struct net *net;	     /* the rack */
static struct net *node_net; /* the node daemon: always this machine's own fabric */
static struct rpc *daemon_rpc;

int join_read(const char *arg)
{
	char *end;
	long fd = strtol(arg, &end, 10);

	if (*end || pread((int)fd, &sealed.launch, sizeof(sealed.launch), 0) != sizeof(sealed.launch) ||
	    sealed.launch.magic != LAUNCH_MAGIC || sealed.launch.version != LAUNCH_VERSION ||
	    sealed.launch.bytes != sizeof(sealed.launch))
		proc_fail(125, "the dispatcher is started by `ashlar run`, not by hand");
	sealed.launch.fabric[sizeof(sealed.launch.fabric) - 1] = 0;
	sealed.launch.daemon[sizeof(sealed.launch.daemon) - 1] = 0;
	sealed.launch.daemon_name[sizeof(sealed.launch.daemon_name) - 1] = 0;
	sealed.launch.relay[sizeof(sealed.launch.relay) - 1] = 0;
	sealed.launch.hook[sizeof(sealed.launch.hook) - 1] = 0;
	lseek((int)fd, sizeof(sealed.launch), SEEK_SET);
	return (int)fd;
}

const struct launch_config *join_launch(void)
{
	return &sealed.launch;
}

static struct stats_tree *tree; /* NULL: nobody asked for counters */
static void *own_page;		/* of this process alone */

static void stats_own(void)
{
	void *p = mmap(NULL, sizeof(*process_stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		proc_fail(125, "statistics page: %s", strerror(errno));
	if (own_page) /* a parent's */
		munmap(own_page, sizeof(*process_stats));
	own_page = p;
	process_stats = p;
	process_stats->magic = STATS_MAGIC;
}

/*
 * The counters of the first process outlive it in the memfd that its parent holds; those of others are added there when
 * they end. The memfd is kept, out of the program's way, for the program that this one may become.
 */
void join_stats(void)
{
	int fd = sealed.launch.stats_fd;
	void *p;

	if (fd >= 0 && fd < proc_fd_floor()) {
		sealed.launch.stats_fd = fcntl(fd, F_DUPFD_CLOEXEC, proc_fd_floor());
		close(fd);
		fd = sealed.launch.stats_fd;
	} else if (fd >= 0) {
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	p = fd < 0 ? NULL : mmap(NULL, sizeof(*tree), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		proc_fail(125, "statistics page: %s", strerror(errno));
	tree = p;
	if (tree && sealed.launch.flags & LAUNCH_FIRST)
		process_stats = &tree->first;
	else
		stats_own();
	process_stats->magic = STATS_MAGIC;
	if (!process_stats->start_ns)
		process_stats->start_ns = clock_ns();
}

void join_stats_tell(void)
{
	if (!tree)
		return;
	process_stats->processes = 1;
	stats_merge(&tree->others, process_stats);
	stats_clear(process_stats);
}

bool join_first(void)
{
	return sealed.launch.flags & LAUNCH_FIRST;
}

static void daemon_hello(void)
{
	struct d2p_hello_req req = { .cap = sealed.launch.cap,
				     .pid = sealed.launch.pid,
				     .member = sealed.launch.member };
	struct placement_part parts[PROCESS_MEMORY_MAX + 1];
	uint32_t bytes;
	struct d2p_hello_rep rep;
	bool waiting = false;
	int err;

	err = rpc_connect_sync(node_net, sealed.launch.daemon, KIND_DISPATCHER, KIND_PROCESSOR, CONNECT_MS,
			       &daemon_rpc);
	while (!err) {
		bytes = sizeof(parts);
		err = rpc_call_sync(daemon_rpc, D2P_HELLO, sealed.launch.pid, 0, &req, NULL, 0, RPC_DEADLINE_MS, &rep,
				    parts, &bytes);
		if (!err || err != -EAGAIN)
			break;
		if (!waiting)
			sys_message("processor component %s has no local memory free: the program waits for it",
				    sealed.launch.daemon_name);
		waiting = true;
		err = 0;
	}
	if (!err && (rep.n_memory < 1 || rep.n_memory > PROCESS_MEMORY_MAX || rep.relayed > 1 ||
		     bytes != (rep.n_memory + 1) * sizeof(parts[0])))
		err = -EPROTO;
	if (err == -ESRCH) /* the tree has been ended meanwhile: so are we */
		kill(getpid(), SIGKILL);
	if (err)
		proc_fail(125, "processor component %s: %s", sealed.launch.daemon_name, strerror(-err));
	sealed.relayed = rep.relayed;
	sealed.launch.excache_bytes = rep.excache_bytes;
	sealed.placement.storage = parts[0];
	sealed.placement.n_memory = rep.n_memory;
	memcpy(sealed.placement.memory, parts + 1, rep.n_memory * sizeof(parts[0]));
}

static void memory_config(struct excache_config *c, struct excache_memory m[PROCESS_MEMORY_MAX])
{
	*c = (struct excache_config){
		.net = net,
		.budget_bytes = sealed.launch.excache_bytes,
		.pid = sealed.launch.pid,
		.member = sealed.launch.member,
		.lazy = sealed.launch.member != 0,
		.connected = service_watch_again,
		.n_memory = sealed.placement.n_memory,
		.memory = m,
		.stats = process_stats,
		.fd_floor = proc_fd_floor(),
		.message = service_memory_message,
		.kernel_6_1 = sealed.launch.flags & LAUNCH_KERNEL_6_1,
	};

	for (uint32_t i = 0; i < sealed.placement.n_memory; i++) {
		m[i].cap = sealed.placement.memory[i].cap;
		m[i].bytes = sealed.placement.memory[i].bytes;
		memcpy(m[i].addr, sealed.placement.memory[i].addr, ADDR_BYTES);
		memcpy(m[i].name, sealed.placement.memory[i].name, NAME_BYTES);
		m[i].addr[ADDR_BYTES - 1] = m[i].name[NAME_BYTES - 1] = 0;
	}
	process_stats->components = sealed.placement.n_memory;
}

static void memory_open(void)
{
	struct excache_memory m[PROCESS_MEMORY_MAX];
	struct excache_config c;
	int err;

	memory_config(&c, m);
	if ((err = excache_open(&c)))
		proc_fail(125, "local memory of %lu bytes: %s", (unsigned long)sealed.launch.excache_bytes,
			  strerror(-err));
}

static void files_config(struct fs_config *c)
{
	static char cwd[4096];
	mode_t mask = umask(0);

	umask(mask);
	sealed.placement.storage.addr[ADDR_BYTES - 1] = sealed.placement.storage.name[NAME_BYTES - 1] = 0;
	*c = (struct fs_config){
		.net = net,
		.s_addr = sealed.placement.storage.addr,
		.s_name = sealed.placement.storage.name,
		.cap = sealed.placement.storage.cap,
		.pid = sealed.launch.pid,
		.member = sealed.launch.member,
		.cwd = getcwd(cwd, sizeof(cwd)) ? cwd : "/",
		.umask = mask,
		.wait_s = sealed.launch.storage_wait_s,
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
		proc_fail(125, "storage component %s: %s", sealed.placement.storage.name, strerror(-err));
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
	struct net_options opt = { .fd_floor = proc_fd_floor(), .relay = sealed.launch.relay };
	const char *fabric = sealed.relayed ? "relay" : sealed.launch.fabric;
	int err;

	net = node_net;
	opt.hook = sealed.launch.hook[0] ? sealed.launch.hook : NULL;
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
	daemon_hello();
	rack_open();
	memory_open();
	files_open(exec_fd);
	joined = getpid();
}

void join_serve(void)
{
	int err = service_open(net, daemon_rpc, sealed.launch.pid, sealed.launch.daemon_name);

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

void join_forked(const struct cap *cap, uint32_t member, int (*ranges)(int (*registered)(uint64_t, uint64_t)))
{
	struct excache_memory m[PROCESS_MEMORY_MAX];
	struct excache_config memory;
	struct fs_config files;
	int err;

	seal(PROT_READ | PROT_WRITE);
	sealed.launch.cap = *cap;
	sealed.launch.member = member;
	sealed.launch.flags &= ~(uint32_t)LAUNCH_FIRST;
	stats_own();
	process_stats->start_ns = clock_ns();
	node_open();
	daemon_hello();
	rack_open();
	memory_config(&memory, m);
	files_config(&files);
	seal(PROT_READ);
	if ((err = excache_fork_child(&memory, ranges)))
		proc_fail(125, "local memory of the forked process: %s", strerror(-err));
	if ((err = fs_fork_child(&files)))
		proc_fail(125, "files of the forked process: %s", strerror(-err));
	joined = getpid();
}
