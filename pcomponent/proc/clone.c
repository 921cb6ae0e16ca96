/* Threads, and the plain word for what is not here yet: processes. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/trap.h"

#define CLONE_THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

static long refuse(const char *what)
{
	static atomic_uint said;

	if (atomic_fetch_add(&said, 1) < 3)
		sys_message("%s is not supported yet: programs run as single processes with threads", what);
	return -ENOSYS;
}

long sys_clone(struct thread *t, const uint64_t a[6])
{
	struct trap_frame child;
	uint64_t flags = a[0];

	if ((flags & CLONE_THREAD_FLAGS) != CLONE_THREAD_FLAGS)
		return refuse(flags & CLONE_VFORK ? "starting another program" : "fork");
	child = *t->frame;
	child.regs.ax = 0;
	if (a[1])
		child.regs.sp = a[1];
	return thread_start(&child, flags & CLONE_SETTLS ? a[4] : *t->fs, flags & CLONE_PARENT_SETTID ? a[2] : 0,
			    flags & CLONE_CHILD_SETTID ? a[3] : 0, flags & CLONE_CHILD_CLEARTID ? a[3] : 0, t);
}

long sys_fork(struct thread *t, const uint64_t a[6])
{
	(void)t, (void)a;
	return refuse("fork");
}

long sys_execve(struct thread *t, const uint64_t a[6])
{
	(void)t, (void)a;
	return refuse("exec");
}

long sys_exit(struct thread *t, const uint64_t a[6])
{
	thread_exit(t, (int)a[0] & 0xff);
}
