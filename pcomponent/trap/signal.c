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
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/trap.h"

#define RED_ZONE 128u
#define SA_RESTORER_FLAG 0x04000000u
#define SIGNALS 64
#define ALTSTACK_MIN 2048 /* the kernel's MINSIGSTKSZ */
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif
#define SIGS_NEVER (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP)) /* not to be blocked */
/* Flags that a program may load by sigreturn: arithmetic, direction, trap, resume, alignment check. */
#define USER_FLAGS 0x250dd5UL
#define TRAP_FLAGS 0x10500UL /* TF, DF, RF: cleared when a handler starts */

static pthread_mutex_t actions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sig_action actions[SIGNALS + 1];
static uint64_t ours_ignored; /* of SIGS_OURS */

/* One of our three: the door stays, with the program's wish for restarts. */
static long ours_action(int sig, const struct sig_action *act)
{
	if (act->handler == (uint64_t)SIG_IGN)
		ours_ignored |= SIG_BIT(sig);
	else
		ours_ignored &= ~SIG_BIT(sig);
	return trap_door(sig, act->flags & SA_RESTART);
}

/* Tell the host kernel what to do with sig. */
static long host_action(int sig, const struct sig_action *act)
{
	struct sig_action host = *act;
	const uint64_t keep = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT;

	if (SIG_BIT(sig) & SIGS_OURS)
		return ours_action(sig, act);
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

static void mask_load(struct thread *t, struct trap_frame *f, uint64_t mask)
{
	/* Who offers a signal of the process looks for threads that do not block it; who unblocks looks for signals. */
	__atomic_store_n(&t->mask_virtual, mask & SIGS_OURS, __ATOMIC_SEQ_CST);
	f->sigmask = mask & ~SIGS_OURS;
	sent_unblocked(t);
}

uint64_t signal_mask(const struct thread *t)
{
	return t->frame->sigmask | t->mask_virtual;
}

void signal_set_mask(struct thread *t, uint64_t mask)
{
	mask_load(t, t->frame, mask);
}

uint64_t signal_ours_ignored(void)
{
	return __atomic_load_n(&ours_ignored, __ATOMIC_RELAXED);
}

bool signal_restarts(struct thread *t)
{
	bool restarts;

	if (!(__atomic_load_n(&t->pending, __ATOMIC_RELAXED) & PENDING_NOTED))
		return false;
	pthread_mutex_lock(&actions_lock);
	restarts = actions[t->sig_info.si_signo].flags & SA_RESTART;
	pthread_mutex_unlock(&actions_lock);
	return restarts;
}

static bool within_altstack(const struct thread *t, uint64_t sp)
{
	uint64_t base = (uint64_t)t->altstack.ss_sp;

	return sp > base && sp - base <= t->altstack.ss_size;
}

/* One that disarms itself is never in use. */
static bool on_altstack(const struct thread *t, uint64_t sp)
{
	return !((unsigned)t->altstack.ss_flags & SS_AUTODISARM) && within_altstack(t, sp);
}

static long altstack_set(struct thread *t, const stack_t *set, uint64_t sp)
{
	unsigned mode = (unsigned)set->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && set->ss_size < ALTSTACK_MIN)
		return -ENOMEM;
	t->altstack = *set;
	if (mode == SS_DISABLE) {
		t->altstack.ss_sp = NULL;
		t->altstack.ss_size = 0;
	}
	return 0;
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
	bool alt = on_altstack(t, f->regs.sp);

	if ((act->flags & SA_ONSTACK) && t->altstack.ss_size && !alt) {
		sp = (uint64_t)t->altstack.ss_sp + t->altstack.ss_size;
		alt = true;
	}
	if (f->regs.fpstate) {
		uint32_t bytes = fp_bytes(f->regs.fpstate);

		sp = fp = (sp - bytes) & ~63UL;
		if (alt && !within_altstack(t, sp)) /* below it there may be memory, but not for this */
			return 0;
		if (uaccess_out(fp, (const void *)f->regs.fpstate, bytes))
			return 0;
	}
	sp = ((sp - sizeof(p)) & ~15UL) - 8;
	if (alt && !within_altstack(t, sp))
		return 0;
	p.pretcode = act->restorer;
	p.uc_link = 0;
	p.uc_stack = t->altstack;
	p.regs.fpstate = fp;
	p.sigmask = f->sigmask | t->mask_virtual;
	p.info = *info;
	return uaccess_out(sp, &p, sizeof(p)) ? 0 : sp;
}

/* There is no stack for a handler of sig: that is a SIGSEGV, whose own handler may have one. */
static void frame_refused(struct thread *t, struct trap_frame *f, int sig)
{
	const siginfo_t info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };

	if (sig == SIGSEGV || t->mask_virtual & SIG_BIT(SIGSEGV) || signal_ours_ignored() & SIG_BIT(SIGSEGV))
		signal_die(SIGSEGV);
	signal_enter(t, f, &info);
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
	if (!sp) {
		frame_refused(t, f, sig);
		return;
	}
	if ((unsigned)t->altstack.ss_flags & SS_AUTODISARM)
		t->altstack = (stack_t){ .ss_flags = SS_DISABLE };
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
	mask_load(t, f, mask);
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
	mask_load(t, f, p.sigmask & ~SIGS_NEVER);
	(void)altstack_set(t, &p.uc_stack, f->regs.sp);
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
	act.mask &= ~SIGS_NEVER;
	pthread_mutex_lock(&actions_lock);
	old = actions[sig];
	if (a[1] && !(err = host_action(sig, &act)))
		actions[sig] = act;
	pthread_mutex_unlock(&actions_lock);
	if (a[1] && act.handler == (uint64_t)SIG_IGN)
		sent_forget(sig);
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
		if (!host4(SYS_rt_sigaction, sig, 0, &act, 8) && act.handler == (uint64_t)SIG_IGN) {
			actions[sig].handler = act.handler;
			ours_ignored |= SIG_BIT(sig) & SIGS_OURS;
		}
}

uint64_t signal_ignored_virtual(void)
{
	uint64_t set = 0;

	for (int sig = 1; sig <= SIGNALS; sig++)
		if (SIG_BIT(sig) & SIGS_OURS && actions[sig].handler == (uint64_t)SIG_IGN)
			set |= SIG_BIT(sig);
	return set;
}

void signal_ignore_virtual(uint64_t set)
{
	for (int sig = 1; sig <= SIGNALS; sig++)
		if (SIG_BIT(sig) & SIGS_OURS && SIG_BIT(sig) & set)
			actions[sig].handler = (uint64_t)SIG_IGN;
}

void signal_handlers_clear(void)
{
	pthread_mutex_lock(&actions_lock);
	for (int sig = 1; sig <= SIGNALS; sig++) {
		bool ignored = actions[sig].handler == (uint64_t)SIG_IGN;

		if (actions[sig].handler <= (uint64_t)SIG_IGN && !actions[sig].flags)
			continue;
		actions[sig] = (struct sig_action){ .handler = (uint64_t)(ignored ? SIG_IGN : SIG_DFL) };
		(void)host_action(sig, &actions[sig]);
	}
	pthread_mutex_unlock(&actions_lock);
}

/* fork: the child finds the table whole. */
static void actions_hold(void)
{
	pthread_mutex_lock(&actions_lock);
}

static void actions_release(void)
{
	pthread_mutex_unlock(&actions_lock);
}

__attribute__((constructor)) static void actions_at_fork(void)
{
	pthread_atfork(actions_hold, actions_release, actions_release);
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
		signal_set_mask(t, mask & ~SIGS_NEVER);
	}
	return a[2] && uaccess_out(a[2], &old, 8) ? -EFAULT : 0;
}

long sys_sigaltstack(struct thread *t, const uint64_t a[6])
{
	uint64_t sp = t->frame->regs.sp;
	stack_t old = t->altstack, set;
	long err = 0;

	old.ss_flags &= (int)SS_AUTODISARM;
	if (!old.ss_size)
		old.ss_flags |= SS_DISABLE;
	else if (on_altstack(t, sp))
		old.ss_flags |= SS_ONSTACK;
	if (a[0] && uaccess_in(&set, a[0], sizeof(set)))
		return -EFAULT;
	if (a[0])
		err = altstack_set(t, &set, sp);
	return !err && a[1] && uaccess_out(a[1], &old, sizeof(old)) ? -EFAULT : err;
}

long sys_rt_sigpending(struct thread *t, const uint64_t a[6])
{
	uint64_t set = 0;

	if (a[1] > 8)
		return -EINVAL;
	/* Signals blocked by us alone (we block all) are not pending for the program, those it blocks itself are. */
	host2(SYS_rt_sigpending, &set, 8);
	set = (set | sent_waiting(t)) & signal_mask(t);
	return uaccess_out(a[0], &set, a[1]) ? -EFAULT : 0;
}

void signal_defaults_act(void)
{
	struct thread *t = thread_self();
	uint64_t set = 0, bit;
	int sig;

	if (!t || !t->frame) /* the program has not begun: signals act as the host kernel has them */
		return;
	host2(SYS_rt_sigpending, &set, 8);
	set = (set | sent_waiting(t)) & ~signal_mask(t);
	for (sig = 1; sig <= SIGNALS; sig++) {
		bit = SIG_BIT(sig);
		if (!(set & bit) || actions[sig].handler != (uint64_t)SIG_DFL)
			continue;
		if (bit & SIGS_OURS)
			signal_die(sig);
		host4(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, 0, 8);
		host4(SYS_rt_sigprocmask, SIG_BLOCK, &bit, 0, 8);
	}
}

/* Calls that bring a mask of their own for the wait. 0 or -EFAULT. */
int signal_wait_mask(struct thread *t, uint64_t addr)
{
	if (uaccess_in(&t->wait_mask, addr, 8))
		return -EFAULT;
	t->wait_mask &= ~SIGS_NEVER;
	t->wait_mask_host = t->wait_mask | signal_ours_ignored();
	t->wait_mask_set = true;
	return 0;
}

long sys_rt_sigsuspend(struct thread *t, const uint64_t a[6])
{
	if (a[1] != 8)
		return -EINVAL;
	if (signal_wait_mask(t, a[0]))
		return -EFAULT;
	return host_block(t, SYS_rt_sigsuspend, (uint64_t)&t->wait_mask_host, 8, 0, 0, 0, 0);
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
	t->wait_set = set;
	ret = host_block(t, SYS_rt_sigtimedwait, (uint64_t)&set, (uint64_t)&info, a[2] ? (uint64_t)&ts : 0, 8, 0, 0);
	t->wait_set = 0;
	if (ret > 0 && !sent_meant(t, &info))
		return -EINTR;
	if (ret > 0 && a[1] && uaccess_out(a[1], &info, sizeof(info)))
		return -EFAULT;
	return ret;
}

/* A program that makes this call itself has nothing to restart: the host kernel's own restarts take place in the stub. */
long sys_restart_syscall(struct thread *t, const uint64_t a[6])
{
	(void)t, (void)a;
	return -EINTR;
}
