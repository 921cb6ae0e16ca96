/*
 * Program signals. The program's handlers, alternate stacks and its view of SIGSYS, SIGSEGV and SIGBUS are virtual: the
 * host kernel only ever enters our doors, on local memory, and the frame that the program's handler sees is written here,
 * in user mode, onto what may be remote memory. Masks are native but for the three signals that are ours.
 *
 * The action table is changed under its lock; entering a handler takes a copy.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/trap.h"

#define RED_ZONE 128u
#define SA_RESTORER_FLAG 0x04000000u
#define SIGNALS 64
/* Flags that a program may load by sigreturn: arithmetic, direction, trap, resume, alignment check. */
#define USER_FLAGS 0x250dd5UL
#define TRAP_FLAGS 0x10500UL /* TF, DF, RF: cleared when a handler starts */

static pthread_mutex_t actions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sig_action actions[SIGNALS + 1];

/* Tell the host kernel what to do with sig. */
static long host_action(int sig, const struct sig_action *act)
{
	struct sig_action host = *act;
	const uint64_t keep = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT;

	if (SIG_BIT(sig) & SIGS_OURS)
		return 0;
	if (act->handler > (uint64_t)SIG_IGN) {
		host.handler = (uint64_t)entry_signal;
		host.flags = SA_SIGINFO | SA_ONSTACK | (act->flags & keep);
		host.mask = SIGS_ALL_BLOCKED;
	} else {
		host.flags = act->flags & keep;
		host.mask = 0;
	}
	host.flags |= SA_RESTORER_FLAG;
	host.restorer = (uint64_t)entry_restorer;
	return host4(SYS_rt_sigaction, sig, &host, 0, 8);
}

/* End the process by sig with its default action; does not return when that ends it. */
static void signal_die(int sig)
{
	struct sig_action dfl = { 0 };
	uint64_t none = 0;

	host4(SYS_rt_sigaction, sig, &dfl, 0, 8);
	host3(SYS_tgkill, getpid(), host0(SYS_gettid), sig);
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
	_exit(128 + sig);
}

uint64_t signal_mask(const struct thread *t)
{
	return t->frame->sigmask | t->mask_virtual;
}

void signal_set_mask(struct thread *t, uint64_t mask)
{
	t->mask_virtual = mask & SIGS_OURS;
	t->frame->sigmask = mask & ~SIGS_OURS;
}

static bool on_altstack(const struct thread *t, uint64_t sp)
{
	uint64_t base = (uint64_t)t->altstack.ss_sp;

	return !(t->altstack.ss_flags & SS_DISABLE) && sp > base && sp - base <= t->altstack.ss_size;
}

static uint32_t fp_bytes(uint64_t fpstate)
{
	const struct fp_sw *sw = (const struct fp_sw *)(fpstate + FP_SW_OFFSET);

	return sw->magic1 == FP_XSTATE_MAGIC ? sw->extended_size : FP_LEGACY_BYTES;
}

/* Write the program's signal frame below its stack pointer; its address, or 0: the stack is no good. */
static uint64_t frame_push(struct thread *t, const struct trap_frame *f, const siginfo_t *info,
			   const struct sig_action *act)
{
	uint64_t sp = f->regs.sp - RED_ZONE, fp = 0;
	struct trap_frame p = *f;

	if ((act->flags & SA_ONSTACK) && !(t->altstack.ss_flags & SS_DISABLE) && !on_altstack(t, f->regs.sp))
		sp = (uint64_t)t->altstack.ss_sp + t->altstack.ss_size;
	if (f->regs.fpstate) {
		uint32_t bytes = fp_bytes(f->regs.fpstate);

		sp = fp = (sp - bytes) & ~63UL;
		if (uaccess_out(fp, (const void *)f->regs.fpstate, bytes))
			return 0;
	}
	sp = ((sp - sizeof(p)) & ~15UL) - 8;
	p.pretcode = act->restorer;
	p.uc_link = 0;
	p.uc_stack = t->altstack;
	p.regs.fpstate = fp;
	p.sigmask = f->sigmask | t->mask_virtual;
	p.info = *info;
	return uaccess_out(sp, &p, sizeof(p)) ? 0 : sp;
}

void signal_enter(struct thread *t, struct trap_frame *f, const siginfo_t *info)
{
	int sig = info->si_signo;
	struct sig_action act;
	uint64_t sp, mask;

	pthread_mutex_lock(&actions_lock);
	act = actions[sig];
	if ((act.flags & SA_RESETHAND) && act.handler > (uint64_t)SIG_IGN) {
		actions[sig].handler = (uint64_t)SIG_DFL;
		host_action(sig, &actions[sig]);
	}
	pthread_mutex_unlock(&actions_lock);

	if (act.handler == (uint64_t)SIG_IGN)
		return;
	if (act.handler == (uint64_t)SIG_DFL) {
		if (SIG_BIT(sig) & SIGS_OURS)
			signal_die(sig);
		/* The action changed while the signal was on its way: the host kernel does the default at return. */
		host3(SYS_tgkill, getpid(), t->tid, sig);
		return;
	}
	sp = frame_push(t, f, info, &act);
	if (!sp)
		signal_die(SIGSEGV);
	if (t->altstack.ss_flags & (1u << 31)) /* SS_AUTODISARM */
		t->altstack.ss_flags = SS_DISABLE;
	f->regs.ax = 0;
	f->regs.di = (uint64_t)sig;
	f->regs.si = sp + offsetof(struct trap_frame, info);
	f->regs.dx = sp + offsetof(struct trap_frame, uc_flags);
	f->regs.sp = sp;
	f->regs.ip = act.handler;
	f->regs.flags &= ~TRAP_FLAGS;
	mask = (t->wait_mask_set ? t->wait_mask : (f->sigmask | t->mask_virtual)) | act.mask;
	if (!(act.flags & SA_NODEFER))
		mask |= SIG_BIT(sig);
	t->mask_virtual = mask & SIGS_OURS;
	f->sigmask = mask & ~SIGS_OURS;
}

void signal_fault(struct thread *t, struct trap_frame *f, const siginfo_t *info)
{
	int sig = info->si_signo;
	struct sig_action dfl = { 0 };
	uint64_t handler;

	pthread_mutex_lock(&actions_lock);
	handler = actions[sig].handler;
	pthread_mutex_unlock(&actions_lock);
	if (handler > (uint64_t)SIG_IGN && !(t->mask_virtual & SIG_BIT(sig))) {
		signal_enter(t, f, info);
		return;
	}
	if (sig != f->info.si_signo) /* a fault that the host kernel does not see as the program does */
		signal_die(sig);
	/* Let the access fault again, natively: right status, right core. */
	host4(SYS_rt_sigaction, sig, &dfl, 0, 8);
}

/* Floating point and vector state of the program's frame into the host frame's area. */
static int fp_load(struct trap_frame *f, uint64_t from)
{
	uint8_t *area = (uint8_t *)f->regs.fpstate;
	uint32_t bytes = fp_bytes(f->regs.fpstate);
	struct fp_sw ours, theirs;

	memcpy(&ours, area + FP_SW_OFFSET, sizeof(ours));
	if (uaccess_in(&theirs, from + FP_SW_OFFSET, sizeof(theirs)))
		return -EFAULT;
	if (theirs.magic1 != FP_XSTATE_MAGIC || theirs.extended_size != bytes)
		bytes = FP_LEGACY_BYTES;
	if (uaccess_in(area, from, bytes))
		return -EFAULT;
	memcpy(area + FP_SW_OFFSET, &ours, sizeof(ours));
	return 0;
}

void signal_return(struct thread *t, struct trap_frame *f)
{
	struct trap_frame p;
	uint64_t flags = f->regs.flags, fpstate = f->regs.fpstate;
	uint16_t cs = f->regs.cs, ss = f->regs.ss, gs = f->regs.gs, fs = f->regs.fs;

	if (uaccess_in(&p, f->regs.sp - 8, sizeof(p)) || (p.regs.fpstate && fpstate && fp_load(f, p.regs.fpstate)))
		signal_die(SIGSEGV);
	f->regs = p.regs;
	f->regs.cs = cs;
	f->regs.ss = ss;
	f->regs.gs = gs;
	f->regs.fs = fs;
	f->regs.fpstate = fpstate;
	f->regs.flags = (p.regs.flags & USER_FLAGS) | (flags & ~USER_FLAGS);
	t->mask_virtual = p.sigmask & SIGS_OURS;
	f->sigmask = p.sigmask & ~SIGS_OURS;
	if (!on_altstack(t, f->regs.sp))
		t->altstack = p.uc_stack;
}

void signal_status(uint64_t *blocked, uint64_t *ignored, uint64_t *caught)
{
	int sig;

	*blocked = signal_mask(thread_self());
	*ignored = *caught = 0;
	pthread_mutex_lock(&actions_lock);
	for (sig = 1; sig <= SIGNALS; sig++) {
		if (actions[sig].handler == (uint64_t)SIG_IGN)
			*ignored |= SIG_BIT(sig);
		else if (actions[sig].handler != (uint64_t)SIG_DFL)
			*caught |= SIG_BIT(sig);
	}
	pthread_mutex_unlock(&actions_lock);
}

/* ---- calls ---- */

long sys_rt_sigreturn(struct thread *t, const uint64_t a[6])
{
	(void)a;
	signal_return(t, t->frame);
	return SYS_FRAME_LOADED;
}

long sys_rt_sigaction(struct thread *t, const uint64_t a[6])
{
	int sig = (int)a[0];
	struct sig_action act = { 0 }, old;
	long err = 0;

	(void)t;
	if (sig < 1 || sig > SIGNALS || a[3] != 8)
		return -EINVAL;
	if (a[1] && uaccess_in(&act, a[1], sizeof(act)))
		return -EFAULT;
	if (a[1] && (sig == SIGKILL || sig == SIGSTOP))
		return -EINVAL;
	act.mask &= ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
	pthread_mutex_lock(&actions_lock);
	old = actions[sig];
	if (a[1] && !(err = host_action(sig, &act)))
		actions[sig] = act;
	pthread_mutex_unlock(&actions_lock);
	if (!err && a[2] && uaccess_out(a[2], &old, sizeof(old)))
		return -EFAULT;
	return err;
}

/* The signals that the shell had ignored stay ignored, and the program can ask. */
void signal_inherit(void)
{
	struct sig_action act;
	int sig;

	for (sig = 1; sig <= SIGNALS; sig++)
		if (!host4(SYS_rt_sigaction, sig, 0, &act, 8) && act.handler == (uint64_t)SIG_IGN)
			actions[sig].handler = act.handler;
}

long sys_rt_sigprocmask(struct thread *t, const uint64_t a[6])
{
	uint64_t old = signal_mask(t), set, mask = old;

	if (a[3] != 8)
		return -EINVAL;
	if (a[1]) {
		if (uaccess_in(&set, a[1], 8))
			return -EFAULT;
		if (a[0] == SIG_BLOCK)
			mask |= set;
		else if (a[0] == SIG_UNBLOCK)
			mask &= ~set;
		else if (a[0] == SIG_SETMASK)
			mask = set;
		else
			return -EINVAL;
		signal_set_mask(t, mask & ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP)));
	}
	return a[2] && uaccess_out(a[2], &old, 8) ? -EFAULT : 0;
}

long sys_sigaltstack(struct thread *t, const uint64_t a[6])
{
	stack_t old = t->altstack, set;
	bool inside = on_altstack(t, t->frame->regs.sp);

	if (inside)
		old.ss_flags |= SS_ONSTACK;
	if (a[0]) {
		if (uaccess_in(&set, a[0], sizeof(set)))
			return -EFAULT;
		if (inside)
			return -EPERM;
		if (set.ss_flags & SS_DISABLE)
			set = (stack_t){ .ss_flags = SS_DISABLE };
		else if (set.ss_size < 2048) /* the kernel's MINSIGSTKSZ */
			return -ENOMEM;
		set.ss_flags &= ~SS_ONSTACK;
		t->altstack = set;
	}
	return a[1] && uaccess_out(a[1], &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_rt_sigpending(struct thread *t, const uint64_t a[6])
{
	uint64_t set = 0;

	if (a[1] > 8)
		return -EINVAL;
	/* Signals blocked by us alone (we block all) are not pending for the program, those it blocks itself are. */
	host2(SYS_rt_sigpending, &set, 8);
	set &= signal_mask(t);
	return uaccess_out(a[0], &set, a[1]) ? -EFAULT : 0;
}

void signal_defaults_act(void)
{
	struct thread *t = thread_self();
	uint64_t set = 0, bit;
	int sig;

	host2(SYS_rt_sigpending, &set, 8);
	set &= ~signal_mask(t);
	for (sig = 1; sig <= SIGNALS; sig++) {
		bit = SIG_BIT(sig);
		if (!(set & bit) || actions[sig].handler != (uint64_t)SIG_DFL)
			continue;
		host4(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, 0, 8);
		host4(SYS_rt_sigprocmask, SIG_BLOCK, &bit, 0, 8);
	}
}

/* Calls that bring a mask of their own for the wait: it holds none of our signals. 0 or -EFAULT. */
int signal_wait_mask(struct thread *t, uint64_t addr)
{
	if (uaccess_in(&t->wait_mask, addr, 8))
		return -EFAULT;
	t->wait_mask &= ~SIGS_OURS;
	t->wait_mask_set = true;
	return 0;
}

long sys_rt_sigsuspend(struct thread *t, const uint64_t a[6])
{
	if (a[1] != 8)
		return -EINVAL;
	if (signal_wait_mask(t, a[0]))
		return -EFAULT;
	return host_block(t, SYS_rt_sigsuspend, (uint64_t)&t->wait_mask, 8, 0, 0, 0, 0);
}

long sys_rt_sigtimedwait(struct thread *t, const uint64_t a[6])
{
	struct timespec ts;
	siginfo_t info;
	uint64_t set;
	long ret;

	if (a[3] != 8)
		return -EINVAL;
	if (uaccess_in(&set, a[0], 8) || (a[2] && uaccess_in(&ts, a[2], sizeof(ts))))
		return -EFAULT;
	set &= ~SIGS_OURS;
	ret = host_block(t, SYS_rt_sigtimedwait, (uint64_t)&set, (uint64_t)&info, a[2] ? (uint64_t)&ts : 0, 8, 0, 0);
	if (ret > 0 && a[1] && uaccess_out(a[1], &info, sizeof(info)))
		return -EFAULT;
	return ret;
}
