/*
 * Making a host thread a program thread: %gs to its block, a trap stack, and system call user dispatch with the
 * dispatcher's text as the allowed range (no selector: calls from anywhere else trap).
 */
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/stop.h"
#include "pcomponent/trap/trap.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif

/* Of the linker: the text of this static-PIE, one contiguous mapping. */
extern const char __executable_start[], __etext[];

bool trap_ip_ours(uint64_t ip)
{
	return ip >= (uint64_t)__executable_start && ip < (uint64_t)__etext;
}

static int dispatch_on(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, __executable_start, __etext - __executable_start,
		     0) < 0
		       ? -errno
		       : 0;
}

int trap_forked(struct thread *t)
{
	sent_forked(t);
	stop_forked(t);
	return dispatch_on();
}

int trap_thread_enter(struct thread *t)
{
	struct trap_head *head = (struct trap_head *)((char *)t->trap_stack - PAGE_BYTES);
	stack_t ss = { .ss_sp = t->trap_stack, .ss_size = THREAD_STACK_BYTES };
	uint64_t fs;

	__asm__ volatile("rdfsbase %0" : "=r"(fs));
	t->self = t;
	t->our_fs = fs;
	*head = (struct trap_head){ t, fs, TRAP_MAGIC };
	if (mprotect(head, PAGE_BYTES, PROT_READ) < 0)
		return -errno;
	__asm__ volatile("wrgsbase %0" ::"r"(t));
	if (sigaltstack(&ss, NULL) < 0)
		return -errno;
	return dispatch_on();
}

void trap_thread_leave(void)
{
	prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
}

int trap_door(int sig, uint64_t flags)
{
	struct sig_action sa = {
		.handler = (uint64_t)(sig == SIGSYS ? entry_sigsys : entry_fault),
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000 /* SA_RESTORER */ | flags,
		.restorer = (uint64_t)entry_restorer,
		.mask = SIGS_ALL_BLOCKED,
	};

	return syscall(SYS_rt_sigaction, sig, &sa, NULL, 8) < 0 ? -errno : 0;
}

int trap_open(void)
{
	int err;

	if ((err = trap_door(SIGSYS, 0)) || (err = trap_door(SIGSEGV, 0)))
		return err;
	return trap_door(SIGBUS, 0);
}
