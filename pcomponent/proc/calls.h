/* System calls on threads, signals, limits and identity (sys/syscalls.def). */
#ifndef PCOMPONENT_PROC_CALLS_H
#define PCOMPONENT_PROC_CALLS_H
#include "pcomponent/sys/sys.h"

sys_fn sys_clone, sys_clone3, sys_fork, sys_vfork, sys_execve, sys_execveat, sys_exit, sys_exit_group;
sys_fn sys_wait4, sys_waitid, sys_timer_create;
sys_fn sys_futex, sys_futex_waitv, sys_set_tid_address, sys_set_robust_list, sys_get_robust_list;
sys_fn sys_rt_sigqueueinfo, sys_rt_tgsigqueueinfo, sys_pidfd_send_signal;
sys_fn sys_setid, sys_getgroups, sys_setgroups, sys_capget, sys_capset;
sys_fn sys_prctl, sys_arch_prctl, sys_getrlimit, sys_setrlimit, sys_prlimit64;

/* trap/signal.c */
sys_fn sys_rt_sigaction, sys_rt_sigprocmask, sys_rt_sigreturn, sys_sigaltstack, sys_rt_sigpending;
sys_fn sys_rt_sigsuspend, sys_rt_sigtimedwait, sys_restart_syscall;
/* Take the mask at addr as the one in force during the coming host_block: t->wait_mask. 0 or -EFAULT. */
int signal_wait_mask(struct thread *t, uint64_t addr);
/* At start: what the shell had ignored stays ignored. */
void signal_inherit(void);
/* Of the signals that are the dispatcher's: which ones the program ignores, and setting that, for exec. */
uint64_t signal_ignored_virtual(void);
void signal_ignore_virtual(uint64_t set);

#endif
