/* exec in place; see exec_here.h. */
#include "pcomponent/proc/exec_here.h"
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/load/load.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/fork.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/robust.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/proc/vfork.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/vm.h"

static bool never; /* what a fork inherits of it is more than needed: a timer is not the child's */

void exec_here_never(void)
{
	__atomic_store_n(&never, true, __ATOMIC_RELAXED);
}

long sys_timer_create(struct thread *t, const uint64_t a[6])
{
	exec_here_never();
	return sys_host(t, a);
}

bool exec_here_may(struct thread *t)
{
	bool registered;

	if (__atomic_load_n(&never, __ATOMIC_RELAXED) || threads_count() != 1 || t->tid != getpid())
		return false;
	vm_lock_shared(t);
	registered = vm_registered_in(0, WINDOW_END);
	vm_unlock_shared(t);
	return !registered;
}

/* The thread as a new one begins; its mask, and what waits for it, stay. */
static void thread_reset(struct thread *t)
{
	robust_exit(t);
	t->robust_list = t->clear_child_tid = 0;
	t->altstack = (stack_t){ .ss_flags = SS_DISABLE };
	t->wait_mask_set = false;
	*t->fs = 0;
}

/* Registers as Linux leaves them. Without floating point state in the frame the host kernel sets up a fresh one. */
static void frame_reset(struct trap_frame *f, const struct load_result *r)
{
	const struct trap_frame old = *f;

	memset(&f->regs, 0, sizeof(f->regs));
	f->regs.cs = old.regs.cs;
	f->regs.ss = old.regs.ss;
	f->regs.gs = old.regs.gs;
	f->regs.fs = old.regs.fs;
	f->regs.flags = 0x202;
	f->regs.ip = r->entry;
	f->regs.sp = r->sp;
}

void exec_here(struct thread *t, struct load_found *found, const char *name, char **envp)
{
	struct load_result r;
	int err;

	vm_ends();
	thread_reset(t);
	signal_handlers_clear();
	if ((err = vm_reset()))
		proc_fail(125, "address space of a new program: %s", strerror(-err));
	vfork_child_leaves();
	fork_lent_back(t);
	fd_close_on_exec();
	load_map(t, found, envp, &r);
	prctl(PR_SET_NAME, name);
	frame_reset(t->frame, &r);
}
