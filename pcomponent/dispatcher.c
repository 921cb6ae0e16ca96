/*
 * Main of the dispatcher: started in place of the program (include/ashlar/launch.h), it joins the rack on the program's
 * behalf, loads it, and jumps to its first instruction. Start-up is the list in main(), in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/keep/keeper.h"
#include "pcomponent/load/load.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/core.h"
#include "pcomponent/proc/exec.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/resize.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/heap.h"
#include "pcomponent/sys/message.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/vm.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2u
#endif
#define USER_CS 0x33
#define USER_SS 0x2b
#define UC_SS_FLAGS 6u /* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */

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

static struct thread *first_thread(void)
{
	struct thread *t = thread_alloc();
	uint64_t ours = SIGS_ALL_BLOCKED;
	int err;

	if (!t)
		proc_fail(125, "out of memory");
	t->tid = (int)syscall(SYS_gettid);
	threads_add(t);
	if ((err = trap_open()) || (err = trap_thread_enter(t)))
		proc_fail(125, "system call user dispatch: %s (ashlar doctor says how to mend it)", strerror(-err));
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &ours, 0, 8);
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
	t->frame = &f;
	signal_set_mask(t, mask);
	resize_begin();
	STAT_SET(process_stats->first_insn_ns, clock_ns());
	trap_resume(&f, 0);
}

/* No program: the tree's shared memory (pcomponent/keep/). */
static void keep(int fd, int first, const struct exec_limits *limits) __attribute__((noreturn));
static void keep(int fd, int first, const struct exec_limits *limits)
{
	int listener = keeper_listen(join_launch()->pid, join_launch()->daemon);

	if (listener < 0)
		_exit(125); /* there is one: who started this one finds it */
	if (proc_limits_open(limits))
		_exit(125);
	message_open(proc_fd_floor());
	log_open("ashlar: keeper", (enum log_level)join_launch()->log_level);
	prctl(PR_SET_NAME, "ashlar-keeper");
	join_keeper(&keeper_shared);
	close(fd);
	vm_open_keeper(join_launch()->excache_bytes);
	join_serve();
	resize_begin();
	keeper_run(first, listener);
}

/* What follows the last slash. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int main(int argc, char **argv, char **envp)
{
	struct load_program p;
	static struct load_result r;
	struct exec_state before = { 0 };
	uint64_t mask = 0, all = ~0UL;
	struct thread *t;
	bool exec;
	int err, fd;

	/*
	 * Signals that come before the program's first instruction wait for it; our own end is SIGKILL's affair. Threads
	 * that libraries make take none, ever.
	 */
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, 8);
	if (argc < 4)
		proc_fail(125, "the dispatcher is started by `ashlar run`, not by hand");
	heap_open();
	fd = join_read(argv[1]);
	exec = join_launch()->flags & LAUNCH_EXEC;
	if (exec)
		exec_state_read(fd, &before);
	if (join_launch()->flags & LAUNCH_KEEPER)
		keep(fd, (int)strtol(argv[3], NULL, 10), &before.limits);
	if ((err = proc_limits_open(exec ? &before.limits : NULL)))
		proc_fail(125, "limit of open files: %s (ashlar doctor looks at limits)", strerror(-err));
	message_open(proc_fd_floor());
	if (!exec)
		host_check();
	log_open("ashlar: dispatcher", (enum log_level)join_launch()->log_level);
	join_stats();
	join_rack(exec ? fd : -1);
	close(fd);
	if ((err = vm_open(join_launch()->excache_bytes)))
		proc_fail(125, "address space: %s", strerror(-err));
	signal_inherit();
	t = first_thread();
	join_serve();
	if (exec)
		mask = exec_state_take(&before);
	p = (struct load_program){ .typed = argv[2], .search = !exec, .argv = argv + 3, .envp = envp };
	load_program(t, &p, &r);
	prctl(PR_SET_NAME, exec ? argv[0] : name_of(p.typed));
	if (proc_limit(RLIMIT_CORE))
		core_spare();
	join_seal();
	start(t, &r, mask);
}
