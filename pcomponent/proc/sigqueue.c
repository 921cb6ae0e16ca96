/*
 * Signals with an information of the caller's. Linux lets a process send itself any si_code; of the three signals by
 * which the host kernel speaks to the dispatcher, only those that no trap or fault has are let through.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/frame.h"

static int info_in(siginfo_t *info, uint64_t from, uint64_t sig)
{
	if (uaccess_in(info, from, sizeof(*info)))
		return -EFAULT;
	return sig >= 1 && sig <= 64 && SIG_BIT(sig) & SIGS_OURS && info->si_code >= 0 ? -EPERM : 0;
}

long sys_rt_sigqueueinfo(struct thread *t, const uint64_t a[6])
{
	siginfo_t info;
	int err = info_in(&info, a[2], a[1]);

	(void)t;
	return err ? err : host3(SYS_rt_sigqueueinfo, a[0], a[1], &info);
}

long sys_rt_tgsigqueueinfo(struct thread *t, const uint64_t a[6])
{
	siginfo_t info;
	int err = info_in(&info, a[3], a[2]);

	(void)t;
	return err ? err : host4(SYS_rt_tgsigqueueinfo, a[0], a[1], a[2], &info);
}

long sys_pidfd_send_signal(struct thread *t, const uint64_t a[6])
{
	siginfo_t info;
	int err = a[2] ? info_in(&info, a[2], a[1]) : 0;

	(void)t;
	if (fd_hidden((int)a[0]))
		return -EBADF;
	return err ? err : host4(SYS_pidfd_send_signal, a[0], a[1], a[2] ? (uint64_t)&info : 0, a[3]);
}
