/*
 * The doors' C side: sort out why the host kernel brought us here. See trap.h for the rules.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include "ashlar/base/log.h"
#include "pcomponent/fault/fault.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/stop.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/window.h"

#define SYS_USER_DISPATCH_CODE 2

static bool ip_within(uint64_t ip, const char *start, const char *end)
{
	return ip >= (uint64_t)start && ip < (uint64_t)end;
}

/* A program signal arrived while we wait for the host kernel on the program's behalf: note it, let nothing else in. */
static void signal_note(struct thread *t, struct trap_frame *f)
{
	memcpy(&t->sig_info, &f->info, sizeof(f->info));
	(void)__atomic_fetch_or(&t->pending, PENDING_NOTED, __ATOMIC_RELAXED);
	f->sigmask = SIGS_ALL_BLOCKED;
	if (ip_within(f->regs.ip, entry_stub_start, entry_stub_end))
		f->regs.ip = (uint64_t)entry_stub_abort;
}

/* Did the door interrupt our code? Also in the vDSO, which we call on stacks of our own. */
static bool frame_ours(const struct trap_frame *f)
{
	return trap_ip_ours(f->regs.ip) || (f->regs.ip >= WINDOW_END && f->regs.sp >= WINDOW_END);
}

static bool ip_upto(uint64_t ip, const char *start, const char *last)
{
	return ip >= (uint64_t)start && ip <= (uint64_t)last;
}

/*
 * One of our three, sent: in the call stub it is like any other. Elsewhere it waits for the way out of a door; on that
 * way it is too late for the question whether one waits, so it is asked here, for the frame that is about to be loaded.
 */
static void signal_sent(struct thread *t, struct trap_frame *f)
{
	bool in_stub = ip_within(f->regs.ip, entry_stub_start, entry_stub_abort);

	if (f->info.si_code == STOP_CODE) {
		if (in_stub)
			return;
		(void)__atomic_fetch_or(&t->pending, PENDING_STOP, __ATOMIC_RELAXED);
	} else if (in_stub) {
		if (sent_meant(t, &f->info))
			signal_note(t, f);
		return;
	} else {
		sent_arrives(t, f);
	}
	if (ip_upto(f->regs.ip, entry_leave_start, entry_leave_insn))
		(void)trap_pending((struct trap_frame *)f->regs.bx, (const uint64_t *)f->regs.bx - 1);
	else if (ip_upto(f->regs.ip, entry_resume_start, entry_resume_insn))
		(void)trap_pending((struct trap_frame *)f->regs.bx, &f->regs.bp);
}

bool trap_pending(struct trap_frame *f, const uint64_t *fs)
{
	struct thread *t = thread_self();
	uint64_t what;

	if (frame_ours(f))
		return false;
	what = __atomic_exchange_n(&t->pending, 0, __ATOMIC_ACQUIRE);
	if (what & PENDING_NOTED) {
		siginfo_t info = t->sig_info;

		signal_enter(t, f, &info);
	}
	t->wait_mask_set = false;
	if (what & PENDING_LOOK)
		sent_deliver(t, f);
	if (what & PENDING_STOP)
		stop_here(t, f, fs);
	return true;
}

void trap_signal(struct trap_frame *f, uint64_t *fs)
{
	struct thread *t = thread_self();

	(void)fs;
	if (trap_ip_ours(f->regs.ip))
		signal_note(t, f);
	else
		signal_enter(t, f, &f->info);
}

static bool is_clock_call(int nr)
{
	return nr == SYS_clock_gettime || nr == SYS_gettimeofday || nr == SYS_time || nr == SYS_clock_getres;
}

/*
 * Our own clock readings go through the vDSO, which lies outside the allowed range and makes a real call where user space
 * cannot read the clock source (hpet, a TSC found unstable): then our code is what trapped. The arguments are ours.
 */
static bool vdso_of_ours(const struct thread *t, struct trap_frame *f, const uint64_t *fs)
{
	if (*fs != t->our_fs || !is_clock_call(f->info.si_syscall))
		return false;
	f->regs.ax = (uint64_t)host3(f->info.si_syscall, f->regs.di, f->regs.si, f->regs.dx);
	return true;
}

/*
 * A sent SIGSYS that waited when the program made a call has taken the place of the one that was to tell us of it (the
 * host kernel keeps one of a number): the call was not made. The instruction leaves the address behind it in rcx, and
 * whoever comes back from a call of ours finds 0 there: so a call that is lost is told from one that is over.
 */
static void call_again(struct trap_frame *f)
{
	static const uint8_t insn[] = { 0x0f, 0x05 };
	uint8_t before[sizeof(insn)];

	if (trap_ip_ours(f->regs.ip) || f->regs.cx != f->regs.ip)
		return;
	if (!uaccess_in(before, f->regs.ip - sizeof(insn), sizeof(insn)) && !memcmp(before, insn, sizeof(insn)))
		f->regs.ip -= sizeof(insn); /* rax holds the call's number again */
}

void trap_sigsys(struct trap_frame *f, uint64_t *fs)
{
	struct thread *t = thread_self();
	long ret;

	if (f->info.si_code != SYS_USER_DISPATCH_CODE) {
		call_again(f);
		signal_sent(t, f);
		return;
	}
	if (vdso_of_ours(t, f, fs))
		return;
	ret = dispatch_call(t, f, fs);
	if (ret != SYS_FRAME_LOADED)
		f->regs.cx = 0;	 /* call_again */
	if (ret == -SYS_RESTART) /* as if the signal had come before the call */
		f->regs.ip -= 2;
	else if (ret != SYS_FRAME_LOADED)
		f->regs.ax = (uint64_t)ret;
	if (!t->pending) /* else it counts for the signal's handler: trap_pending */
		t->wait_mask_set = false;
}

/*
 * A fault of our own code. The words go out by themselves first, as whatever else we have may be overwritten; a fault
 * that comes while we say more, or in another thread meanwhile, only ends the process.
 */
static void dispatcher_fault(const struct trap_frame *f)
{
	static const char words[] =
		"ashlar: fault in the dispatcher: the program has written to memory that is not its own, "
		"or this is a bug of ashlar\n";
	static int dying;

	if (__atomic_exchange_n(&dying, 1, __ATOMIC_RELAXED))
		host1(SYS_exit_group, 125);
	host3(SYS_write, 2, words, sizeof(words) - 1);
	log_error("fault in the dispatcher at %#lx, address %#lx, error %lu", (unsigned long)f->regs.ip,
		  (unsigned long)f->info.si_addr, (unsigned long)f->regs.err);
	log_bug(__FILE__, __LINE__, "fault in the dispatcher");
}

void trap_fault(struct trap_frame *f, uint64_t *fs)
{
	struct thread *t = thread_self();
	bool copying = ip_within(f->regs.ip, entry_copy_start, entry_copy_end);
	siginfo_t seen;

	(void)fs;
	if (f->info.si_code <= 0) { /* sent by kill(2), not a fault */
		signal_sent(t, f);
		return;
	}
	/* Our code touches program memory in the user copies only; what else faults in it is no miss. */
	if (trap_ip_ours(f->regs.ip) && !copying)
		dispatcher_fault(f);
	memcpy(&seen, &f->info, sizeof(seen));
	if (fault_resolve(t, f, &seen))
		return;
	if (copying) {
		f->regs.ip = (uint64_t)entry_copy_fault;
		return;
	}
	signal_fault(t, f, &seen);
}
