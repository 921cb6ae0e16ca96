/* prctl(2) and arch_prctl(2): what would hit the dispatcher is refused, the rest is the host kernel's. */
#include <asm/prctl.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/exec_here.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/window.h"

#define COMM_BYTES 16

static int death_signal; /* PR_SET_PDEATHSIG */

static long set_name(const uint64_t a[6])
{
	char name[COMM_BYTES] = "";
	long len = uaccess_str(name, a[1], sizeof(name));

	if (len < 0 && len != -ENAMETOOLONG)
		return len;
	name[COMM_BYTES - 1] = 0;
	return host2(SYS_prctl, PR_SET_NAME, name);
}

static long get_name(const uint64_t a[6])
{
	char name[COMM_BYTES] = "";
	long err = host2(SYS_prctl, PR_GET_NAME, name);

	return err ? err : uaccess_out(a[1], name, sizeof(name));
}

/* Requests whose result is an int stored at the second argument. */
static long get_int(const uint64_t a[6])
{
	int v = 0;
	long err = host2(SYS_prctl, a[0], &v);

	return err ? err : uaccess_out(a[1], &v, sizeof(v));
}

long sys_prctl(struct thread *t, const uint64_t a[6])
{
	switch (a[0]) {
	case PR_SET_NAME:
		return set_name(a);
	case PR_GET_NAME:
		return get_name(a);
	case PR_GET_CHILD_SUBREAPER:
	case PR_GET_TSC:
		return get_int(a);
	case PR_GET_TID_ADDRESS:
		return uaccess_out(a[1], &t->clear_child_tid, 8);
	case PR_SET_DUMPABLE:
	case PR_SET_KEEPCAPS:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
	case PR_SET_SECUREBITS:
		exec_here_never();
		return host_call(SYS_prctl, a[0], a[1], a[2], a[3], a[4], 0);
	case PR_GET_DUMPABLE:
	case PR_GET_KEEPCAPS:
	case PR_GET_TIMERSLACK:
	case PR_SET_TIMERSLACK:
	case PR_CAPBSET_READ:
	case PR_GET_NO_NEW_PRIVS:
	case PR_SET_NO_NEW_PRIVS:
	case PR_SET_CHILD_SUBREAPER:
	case PR_GET_THP_DISABLE:
	case PR_SET_THP_DISABLE:
	case PR_GET_SECUREBITS:
	case PR_GET_TIMING:
	case PR_SET_TIMING:
	case PR_MCE_KILL:
	case PR_MCE_KILL_GET:
	case PR_GET_SPECULATION_CTRL:
	case PR_GET_SECCOMP:
		return host_call(SYS_prctl, a[0], a[1], a[2], a[3], a[4], 0);
	case PR_SET_PDEATHSIG:
		/* The first process's is SIGKILL, so that it does not outlive its command: its wish is told to it, no more. */
		if (a[1] > 64)
			return -EINVAL;
		if (!join_first())
			return host_call(SYS_prctl, a[0], a[1], 0, 0, 0, 0);
		death_signal = (int)a[1];
		return 0;
	case PR_GET_PDEATHSIG:
		return join_first() ? uaccess_out(a[1], &death_signal, sizeof(death_signal)) : get_int(a);
	case PR_SET_PTRACER:
		return 0;
	case PR_SET_MM:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

long sys_arch_prctl(struct thread *t, const uint64_t a[6])
{
	uint64_t zero = 0;

	switch (a[0]) {
	case ARCH_SET_FS:
		if (a[1] >= WINDOW_END)
			return -EPERM;
		*t->fs = a[1];
		return 0;
	case ARCH_GET_FS:
		return uaccess_out(a[1], t->fs, 8);
	case ARCH_GET_GS:
		return uaccess_out(a[1], &zero, 8);
	case ARCH_SET_GS:
		return -EPERM;
	default:
		return -EINVAL;
	}
}
