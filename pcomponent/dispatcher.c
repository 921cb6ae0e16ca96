/*
 * Main of the dispatcher: started in place of the program (include/ashlar/launch.h), it joins the rack on the program's
 * behalf, loads it, and jumps to its first instruction. Start-up is the list in main(), in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/launch.h"
#include "ashlar/rpc.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/load/load.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/resize.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/heap.h"
#include "pcomponent/sys/message.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/vm.h"

#define CONNECT_MS 5000u
#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2u
#endif
#define USER_CS 0x33
#define USER_SS 0x2b
#define UC_SS_FLAGS 6u /* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */

struct placement {
	struct placement_part storage, memory[PROCESS_MEMORY_MAX];
	uint32_t n_memory;
};

/* What the process was started with, its capabilities among it: read-only from the program's first instruction on. */
static union {
	struct {
		struct launch_config launch;
		struct placement placement;
	};
	char page[PAGE_BYTES];
} sealed __attribute__((aligned(PAGE_BYTES)));
_Static_assert(sizeof(sealed) == PAGE_BYTES, "the start's configuration fits a page");

static struct net *net;	     /* the rack */
static struct net *node_net; /* the node daemon: always this machine's own fabric */
static struct rpc *daemon_rpc;

static void config_read(const char *arg)
{
	char *end;
	long fd = strtol(arg, &end, 10);

	if (*end || pread((int)fd, &sealed.launch, sizeof(sealed.launch), 0) != sizeof(sealed.launch) ||
	    sealed.launch.magic != LAUNCH_MAGIC || sealed.launch.version != LAUNCH_VERSION ||
	    sealed.launch.bytes != sizeof(sealed.launch))
		proc_fail(125, "the dispatcher is started by `ashlar run`, not by hand");
	close((int)fd);
	sealed.launch.fabric[sizeof(sealed.launch.fabric) - 1] = 0;
	sealed.launch.daemon[sizeof(sealed.launch.daemon) - 1] = 0;
	sealed.launch.daemon_name[sizeof(sealed.launch.daemon_name) - 1] = 0;
	sealed.launch.relay[sizeof(sealed.launch.relay) - 1] = 0;
	sealed.launch.hook[sizeof(sealed.launch.hook) - 1] = 0;
}

/* The counters outlive us in the memfd that our parent holds; without one they are our own. */
static void stats_open(void)
{
	int flags = sealed.launch.stats_fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	struct stats_page *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, flags,
				    sealed.launch.stats_fd < 0 ? -1 : sealed.launch.stats_fd, 0);

	if (s == MAP_FAILED)
		proc_fail(125, "statistics page: %s", strerror(errno));
	if (sealed.launch.stats_fd >= 0)
		close(sealed.launch.stats_fd);
	s->magic = STATS_MAGIC;
	s->start_ns = clock_ns();
	process_stats = s;
}

static void daemon_hello(void)
{
	struct d2p_hello_req req = { .cap = sealed.launch.cap, .pid = sealed.launch.pid };
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
	if (err)
		proc_fail(125, "processor component %s: %s", sealed.launch.daemon_name, strerror(-err));
	if (rep.relayed)
		strcpy(sealed.launch.fabric, "relay");
	sealed.launch.excache_bytes = rep.excache_bytes;
	sealed.placement.storage = parts[0];
	sealed.placement.n_memory = rep.n_memory;
	memcpy(sealed.placement.memory, parts + 1, rep.n_memory * sizeof(parts[0]));
}

/*
 * What every program needs sooner or later is looked for before it starts: a container may deny it, and a program that
 * grows must not be the one to find out.
 */
static void host_check(void)
{
	int err = excache_host_check();

	if (err)
		proc_fail(125, "userfaultfd: %s (ashlar doctor says how to mend it)", strerror(-err));
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		proc_fail(125, "this processor or kernel has no FSGSBASE (ashlar doctor says how to mend it)");
}

static void memory_open(void)
{
	struct excache_memory m[PROCESS_MEMORY_MAX];
	struct excache_config c = {
		.net = net,
		.budget_bytes = sealed.launch.excache_bytes,
		.pid = sealed.launch.pid,
		.n_memory = sealed.placement.n_memory,
		.memory = m,
		.stats = process_stats,
		.fd_floor = proc_fd_floor(),
		.message = service_memory_message,
		.kernel_6_1 = sealed.launch.flags & LAUNCH_KERNEL_6_1,
	};
	uint32_t i;
	int err;

	for (i = 0; i < sealed.placement.n_memory; i++) {
		m[i].cap = sealed.placement.memory[i].cap;
		m[i].bytes = sealed.placement.memory[i].bytes;
		memcpy(m[i].addr, sealed.placement.memory[i].addr, ADDR_BYTES);
		memcpy(m[i].name, sealed.placement.memory[i].name, NAME_BYTES);
		m[i].addr[ADDR_BYTES - 1] = m[i].name[NAME_BYTES - 1] = 0;
	}
	process_stats->components = sealed.placement.n_memory;
	if ((err = excache_open(&c)))
		proc_fail(125, "local memory of %lu bytes: %s", (unsigned long)sealed.launch.excache_bytes,
			  strerror(-err));
}

static void files_open(void)
{
	static char cwd[4096];
	mode_t mask = umask(0);
	struct fs_config c = {
		.net = net,
		.s_addr = sealed.placement.storage.addr,
		.s_name = sealed.placement.storage.name,
		.cap = sealed.placement.storage.cap,
		.pid = sealed.launch.pid,
		.cwd = getcwd(cwd, sizeof(cwd)) ? cwd : "/",
		.umask = mask,
		.wait_s = sealed.launch.storage_wait_s,
		.fd_floor = proc_fd_floor(),
	};
	int err;

	umask(mask);
	sealed.placement.storage.addr[ADDR_BYTES - 1] = sealed.placement.storage.name[NAME_BYTES - 1] = 0;
	if ((err = fs_open(&c)))
		proc_fail(125, "storage component %s: %s", sealed.placement.storage.name, strerror(-err));
}

static struct thread *first_thread(void)
{
	struct thread *t = thread_alloc();
	int err;

	if (!t)
		proc_fail(125, "out of memory");
	t->tid = (int)syscall(SYS_gettid);
	threads_add(t);
	if ((err = trap_open()) || (err = trap_thread_enter(t)))
		proc_fail(125, "system call user dispatch: %s (ashlar doctor says how to mend it)", strerror(-err));
	return t;
}

/* The first instruction, with the registers and the signal mask that execve would leave. */
static void start(struct thread *t, const struct load_result *r, uint64_t mask) __attribute__((noreturn));
static void start(struct thread *t, const struct load_result *r, uint64_t mask)
{
	static struct trap_frame f;

	f.uc_flags = UC_SS_FLAGS;
	f.uc_stack.ss_sp = t->trap_stack;
	f.uc_stack.ss_size = THREAD_STACK_BYTES;
	f.regs.ip = r->entry;
	f.regs.sp = r->sp;
	f.regs.flags = 0x202;
	f.regs.cs = USER_CS;
	f.regs.ss = USER_SS;
	f.sigmask = mask & ~SIGS_OURS;
	t->mask_virtual = mask & SIGS_OURS;
	resize_begin();
	STAT_SET(process_stats->first_insn_ns, clock_ns());
	trap_resume(&f, 0);
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
	int err;

	net = node_net;
	opt.hook = sealed.launch.hook[0] ? sealed.launch.hook : NULL;
	if ((opt.hook || strcmp(sealed.launch.fabric, "local") != 0) &&
	    (err = net_open(sealed.launch.fabric, &opt, &net)))
		proc_fail(125, "fabric %s: %s", sealed.launch.fabric, strerror(-err));
}

int main(int argc, char **argv, char **envp)
{
	struct load_program p;
	static struct load_result r;
	uint64_t mask = 0, all = SIGS_ALL_BLOCKED;
	struct thread *t;
	int err;

	/* Signals that come before the program's first instruction wait for it; our own end is SIGKILL's affair. */
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, 8);
	if (argc < 4)
		proc_fail(125, "the dispatcher is started by `ashlar run`, not by hand");
	heap_open();
	config_read(argv[1]);
	if ((err = proc_limits_open()))
		proc_fail(125, "limit of open files: %s (ashlar doctor looks at limits)", strerror(-err));
	message_open(proc_fd_floor());
	host_check();
	log_open("ashlar: dispatcher", (enum log_level)sealed.launch.log_level);
	stats_open();
	node_open();
	daemon_hello();
	rack_open();
	memory_open();
	files_open();
	if ((err = vm_open(sealed.launch.excache_bytes)))
		proc_fail(125, "address space: %s", strerror(-err));
	signal_inherit();
	t = first_thread();
	if ((err = service_open(net, daemon_rpc, sealed.launch.pid, sealed.launch.daemon_name)))
		proc_fail(125, "service thread: %s (ashlar doctor looks at limits)", strerror(-err));
	p = (struct load_program){ .typed = argv[2], .argv = argv + 3, .envp = envp };
	load_program(t, &p, &r);
	fs_proc_self(r.exe, r.argv);
	prctl(PR_SET_NAME, strrchr(r.exe, '/') + 1);
	if (mprotect(&sealed, sizeof(sealed), PROT_READ))
		proc_fail(125, "memory protection: %s", strerror(errno));
	start(t, &r, mask);
}
