/* fork, vfork, clone and clone3 of processes; see fork.h. */
#include "pcomponent/proc/fork.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/lists.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/newborn.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/resize.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/proc/vfork.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/message.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/kept.h"
#include "pcomponent/vm/vm.h"

#define BUSY_MS 10000u	  /* so long a change of our budget may be under way */
#define FULL_MS 1000u	  /* so long no local memory may be free: where many processes run, some end all the time */
#define REGISTERED_PART 8 /* of its ExCache a process gives its child so much to begin with, */
#define REGISTERED_MOST (4UL << 20) /* but no more: it has to evict for it */

/* ---- a member number, and a part of the ExCache ---- */

/* The child of a process that fits fits as well, if that can be; else it starts small, and grows as it asks. */
static uint64_t offer_bytes(uint64_t budget)
{
	const uint64_t least = EXCACHE_LEAST_BYTES;
	bool registered;
	uint64_t weight = vm_weight(&registered), offer;

	if (budget < 2 * least)
		return 0;
	if (registered) {
		offer = budget / REGISTERED_PART < REGISTERED_MOST ? budget / REGISTERED_PART : REGISTERED_MOST;
	} else {
		uint64_t spare = budget > weight ? budget - weight : 0, fits = weight + weight / 4 + 4 * least;

		offer = spare / 2 > fits ? spare / 2 : fits;
		if (offer > spare)
			offer = spare;
	}
	if (offer < least)
		offer = least;
	return (offer > budget - least ? budget - least : offer) / PAGE_BYTES * PAGE_BYTES;
}

static void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static long ask(struct thread *t, enum member_kind kind, struct member *out)
{
	struct d2p_fork_req req = { .exec = kind == MEMBER_EXEC };
	uint32_t caps = sizeof(out->caps);
	struct d2p_fork_rep rep;
	uint64_t budget = 0;
	long err;

	resize_block();
	if (kind == MEMBER_FORK) {
		budget = excache_budget();
		req.offer_bytes = offer_bytes(budget);
		if (req.offer_bytes && resize_to(t, budget - req.offer_bytes))
			req.offer_bytes = 0; /* the rack's memory is full: the child gets what the daemon has */
	}
	err = service_call(D2P_FORK, &req, &rep, out->caps, &caps);
	if (!err && (!join_caps_fit(caps) || rep.relayed > 1 || !rep.excache_bytes || rep.kept_bytes % PAGE_BYTES))
		err = -EPROTO;
	if (err && req.offer_bytes)
		(void)resize_to(t, budget);
	else if (!err && kind == MEMBER_FORK && rep.kept_bytes > budget - req.offer_bytes)
		(void)resize_to(t, rep.kept_bytes);
	resize_unblock();
	if (err)
		return err;
	out->cap = rep.cap;
	out->id = rep.member;
	out->excache_bytes = rep.excache_bytes;
	out->relayed = rep.relayed;
	return 0;
}

long member_new(struct thread *t, enum member_kind kind, struct member *out)
{
	unsigned busy = 0, full = 0;
	long err;

	for (;;) {
		err = ask(t, kind, out);
		if (err == -EBUSY && busy++ < BUSY_MS)
			pause_ms(1);
		else if (err == -EAGAIN && kind == MEMBER_FORK && newborn_look())
			continue;
		else if (err == -EAGAIN && kind == MEMBER_FORK && full++ < FULL_MS / 10)
			pause_ms(10);
		else
			break;
	}
	return err == -ENOMEM ? err : err ? -EAGAIN : 0;
}

void member_drop(const struct member *m)
{
	struct d2p_unfork_req req = { .member = m->id };
	struct d2p_unfork_rep rep;

	resize_block();
	if (!service_call(D2P_UNFORK, &req, &rep, NULL, NULL) && rep.excache_bytes > excache_budget())
		(void)resize_to(thread_self(), rep.excache_bytes);
	resize_unblock();
}

/* ---- the gate ---- */

void fork_gate_close(void)
{
	resize_block();
	vm_lock_exclusive();
}

void fork_gate_open(void)
{
	vm_unlock_exclusive();
	resize_unblock();
}

/* ---- the child ---- */

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* All descriptors of the dispatcher's are the parent's connections and memory: closed, but for what is kept. */
static void descriptors_close(void)
{
	int keep[] = { message_fd(), vfork_child_fd(), join_launch()->stats_fd, kept_child_fd() },
	    from = proc_fd_floor();
	const unsigned n = sizeof(keep) / sizeof(keep[0]);

	qsort(keep, n, sizeof(keep[0]), by_number);
	for (unsigned i = 0; i < n; i++) {
		if (keep[i] > from)
			host3(SYS_close_range, from, keep[i] - 1, 0);
		if (keep[i] >= from)
			from = keep[i] + 1;
	}
	host3(SYS_close_range, from, ~0U, 0);
}

static uint64_t lent; /* the budget of a child whose parent waits for it, with what it was lent; 0: none was */

void fork_lent_back(struct thread *t)
{
	resize_block();
	/* Unless the daemon has set another one meanwhile */
	if (lent && excache_budget() == lent && resize_to(t, join_launch()->excache_bytes))
		proc_end_nomem();
	lent = 0;
	resize_unblock();
}

static void child_begins(struct thread *t, const struct member *m, int newborn)
{
	t->tid = (int)host0(SYS_gettid);
	t->pending = 0;
	t->robust_list = 0;
	t->port = NULL;
	descriptors_close();
	service_forked();
	threads_forked(t);
	if (trap_forked(t))
		proc_fail(125, "system call user dispatch in a forked process");
	join_forked(m, vm_each_registered);
	if (kept_fork_child())
		proc_fail(125, "shared memory of the forked process");
	newborn_came(newborn);
	vm_forked();
	vm_unlock_exclusive();
	resize_forked();
	join_serve();
	/*
	 * What is resident is its parent's too, and takes no memory of its own until it is written. A child whose parent waits
	 * for it to become another program keeps that, and has its own part besides; others fit themselves in at once.
	 */
	lent = vfork_child_fd() >= 0 ? process_stats->resident_bytes + m->excache_bytes : 0;
	if (lent)
		excache_budget_set(lent);
	else if (resize_to(t, m->excache_bytes))
		proc_end_nomem();
	resize_begin();
}

/* ---- the call ---- */

struct fork_args {
	uint64_t flags, stack, parent_tid, child_tid, tls, pidfd;
};

/* Everything under the gate; in the child it returns 0. */
static long fork_locked(const struct member *m)
{
	long pid, err = fs_fork_prepare(m->id);

	if (err)
		return err;
	err = excache_fork_prepare(m->id);
	if (err) {
		fs_fork_parent();
		return err;
	}
	err = kept_fork_prepare();
	if (err) {
		excache_fork_parent();
		fs_fork_parent();
		return err;
	}
	vm_shared_processes(1);
	pid = fork();
	if (pid == 0)
		return 0;
	if (pid < 0) {
		pid = -errno;
		vm_shared_processes(-1);
	}
	kept_fork_parent();
	excache_fork_parent();
	fs_fork_parent();
	return pid;
}

/* In the parent, with the child running: what it is told. */
static void parent_tells(const struct fork_args *f, long pid)
{
	long fd;

	if (f->flags & CLONE_PARENT_SETTID)
		uaccess_store32(f->parent_tid, (uint32_t)pid);
	if (f->flags & CLONE_PIDFD) {
		fd = fd_adopt(host2(SYS_pidfd_open, pid, 0));
		uaccess_store32(f->pidfd, (uint32_t)fd);
	}
}

/* The child returns through the trap frame as its parent does, by what it has of its own in it. */
static void child_frame(struct thread *t, const struct fork_args *f)
{
	if (f->stack)
		t->frame->regs.sp = f->stack;
	if (f->flags & CLONE_SETTLS)
		*t->fs = f->tls;
	if (f->flags & CLONE_CLEAR_SIGHAND)
		signal_handlers_clear();
	t->clear_child_tid = f->flags & CLONE_CHILD_CLEARTID ? f->child_tid : 0;
	if (f->flags & CLONE_CHILD_SETTID)
		uaccess_store32(f->child_tid, (uint32_t)t->tid);
}

static long fork_process(struct thread *t, const struct fork_args *f)
{
	bool waits = f->flags & CLONE_VFORK;
	struct vfork v;
	struct member m;
	long pid = member_new(t, MEMBER_FORK, &m);
	int newborn;

	if (pid)
		return pid;
	newborn = newborn_named(m.id);
	pid = waits ? vfork_open(&v, t->frame->regs.sp) : 0;
	if (!pid) {
		fork_gate_close();
		pid = fork_locked(&m);
		if (pid == 0) {
			vfork_forked(waits ? &v : NULL);
			child_begins(t, &m, newborn);
			child_frame(t, f);
			return 0;
		}
		fork_gate_open();
		if (pid > 0) {
			newborn_forked(newborn, m.id, (int32_t)pid);
			parent_tells(f, pid);
		}
		if (waits)
			vfork_wait(&v);
	}
	if (pid >= 0)
		return pid;
	newborn_forked(newborn, m.id, 0);
	member_drop(&m);
	return pid == -ENOMEM ? pid : -EAGAIN; /* what a component answered is no word of fork's */
}

/*
 * What a process may share with the one that made it: nothing but what fork shares. CLONE_VM is served with CLONE_VFORK
 * only (vfork.h); a child that goes on in its parent's memory beside it is no thread of ours and no process either.
 */
#define FLAGS_OF_PROCESSES                                                                                    \
	(CSIGNAL | CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | \
	 CLONE_SETTLS | CLONE_PIDFD | CLONE_CLEAR_SIGHAND)

static long clone_process(struct thread *t, const struct fork_args *f)
{
	if (f->flags & ~(uint64_t)FLAGS_OF_PROCESSES || (f->flags & CSIGNAL) != SIGCHLD)
		return f->flags & (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
				   CLONE_NEWUTS | CLONE_NEWCGROUP)
			       ? -EPERM
			       : -EINVAL;
	if ((f->flags & CLONE_VM) && !(f->flags & CLONE_VFORK))
		return -EINVAL;
	return fork_process(t, f);
}

#define CLONE_THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

static long clone_any(struct thread *t, const struct fork_args *f)
{
	struct trap_frame child;

	if (!(f->flags & CLONE_THREAD))
		return clone_process(t, f);
	if ((f->flags & CLONE_THREAD_FLAGS) != CLONE_THREAD_FLAGS)
		return -EINVAL;
	child = *t->frame;
	child.regs.ax = child.regs.cx = 0; /* as a call that is over: trap/doors.c */
	if (f->stack)
		child.regs.sp = f->stack;
	return thread_start(&child, f->flags & CLONE_SETTLS ? f->tls : *t->fs,
			    f->flags & CLONE_PARENT_SETTID ? f->parent_tid : 0,
			    f->flags & CLONE_CHILD_SETTID ? f->child_tid : 0,
			    f->flags & CLONE_CHILD_CLEARTID ? f->child_tid : 0, t);
}

long sys_clone(struct thread *t, const uint64_t a[6])
{
	struct fork_args f = { a[0], a[1], a[2], a[3], a[4], a[2] };

	if ((f.flags & CLONE_PIDFD) && (f.flags & CLONE_PARENT_SETTID))
		return -EINVAL; /* one word for two */
	return clone_any(t, &f);
}

long sys_clone3(struct thread *t, const uint64_t a[6])
{
	struct clone_args c = { 0 };
	struct fork_args f;

	if (a[1] < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (a[1] > sizeof(c))
		return -E2BIG;
	if (uaccess_in(&c, a[0], a[1]))
		return -EFAULT;
	if ((c.flags & CSIGNAL) || c.exit_signal > 64 || (!c.stack != !c.stack_size) || c.set_tid || c.set_tid_size ||
	    (c.flags & (CLONE_INTO_CGROUP | CLONE_DETACHED)))
		return -EINVAL;
	f = (struct fork_args){
		c.flags | c.exit_signal, c.stack + c.stack_size, c.parent_tid, c.child_tid, c.tls, c.pidfd
	};
	return clone_any(t, &f);
}

long sys_fork(struct thread *t, const uint64_t a[6])
{
	struct fork_args f = { .flags = SIGCHLD };

	(void)a;
	return fork_process(t, &f);
}

long sys_vfork(struct thread *t, const uint64_t a[6])
{
	struct fork_args f = { .flags = SIGCHLD | CLONE_VM | CLONE_VFORK };

	(void)a;
	return fork_process(t, &f);
}
