/*
 * Limits. The dispatcher's own descriptors lie above the program's RLIMIT_NOFILE: the host kernel's limit is raised, the
 * program sees and sets a virtual one. The other limits are the host kernel's.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

#define FDS_OURS 4096u /* slabs of a large process, connections */

static struct rlimit nofile; /* as the program sees it */
static uint64_t floor_fd;    /* the soft limit at start */

static int floor_make(void)
{
	struct rlimit host;

	if (getrlimit(RLIMIT_NOFILE, &host))
		return -errno;
	nofile = host;
	if (nofile.rlim_cur > 1u << 20)
		nofile.rlim_cur = 1u << 20;
	if (host.rlim_max < nofile.rlim_cur + FDS_OURS) { /* no room above: take a part of the program's */
		struct rlimit more = { .rlim_cur = nofile.rlim_cur + FDS_OURS, .rlim_max = nofile.rlim_cur + FDS_OURS };

		if (setrlimit(RLIMIT_NOFILE, &more)) {
			nofile.rlim_cur = host.rlim_max - host.rlim_max / 4;
			host.rlim_cur = host.rlim_max;
			return setrlimit(RLIMIT_NOFILE, &host) ? -errno : 0;
		}
		return 0;
	}
	host.rlim_cur = nofile.rlim_cur + FDS_OURS;
	return setrlimit(RLIMIT_NOFILE, &host) ? -errno : 0;
}

int proc_fd_floor_open(void)
{
	int err = floor_make();

	floor_fd = nofile.rlim_cur;
	return err;
}

int proc_fd_floor(void)
{
	return (int)floor_fd;
}

uint64_t proc_nofile(void)
{
	return nofile.rlim_cur;
}

static long nofile_set(const struct rlimit *set)
{
	if (set->rlim_cur > set->rlim_max)
		return -EINVAL;
	if (set->rlim_max > nofile.rlim_max)
		return -EPERM;
	/* The floor stays where it was at start: raising ends there. */
	nofile.rlim_max = set->rlim_max;
	nofile.rlim_cur = set->rlim_cur < floor_fd ? set->rlim_cur : floor_fd;
	fd_limit((int)nofile.rlim_cur);
	return 0;
}

long sys_prlimit64(struct thread *t, const uint64_t a[6])
{
	struct rlimit set, old;
	long err;

	(void)t;
	if (a[2] && uaccess_in(&set, a[2], sizeof(set)))
		return -EFAULT;
	if (a[1] == RLIMIT_NOFILE && (!a[0] || (int)a[0] == getpid())) {
		old = nofile;
		err = a[2] ? nofile_set(&set) : 0;
	} else {
		err = host4(SYS_prlimit64, a[0], a[1], a[2] ? &set : 0, &old);
	}
	if (!err && a[3] && uaccess_out(a[3], &old, sizeof(old)))
		return -EFAULT;
	return err;
}

long sys_getrlimit(struct thread *t, const uint64_t a[6])
{
	const uint64_t p[6] = { 0, a[0], 0, a[1] };

	return a[1] ? sys_prlimit64(t, p) : -EFAULT;
}

long sys_setrlimit(struct thread *t, const uint64_t a[6])
{
	const uint64_t p[6] = { 0, a[0], a[1], 0 };

	return a[1] ? sys_prlimit64(t, p) : -EFAULT;
}
