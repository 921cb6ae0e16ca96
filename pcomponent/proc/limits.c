/*
 * Limits. The dispatcher's own descriptors lie above the program's RLIMIT_NOFILE: the host kernel's limit is raised, the
 * program sees and sets a virtual one. So with RLIMIT_AS and RLIMIT_DATA: the dispatcher has memory of its own, and vm/
 * counts the program's. And with RLIMIT_FSIZE, which fs/ holds. The other limits are the host kernel's; it does not act on RLIMIT_STACK and RLIMIT_MEMLOCK as vm/
 * does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/proc/core.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/exec.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

#define FDS_OURS 4096u	   /* slabs of a large process, connections */
#define FDS_PROGRAM 12288u /* how far a program may raise a lower limit; more costs each fork, whose table is larger */

static struct rlimit nofile; /* as the program sees it */
/* The same for RLIMIT_AS, RLIMIT_DATA and RLIMIT_FSIZE; the soft values are read without the lock. */
static struct {
	pthread_mutex_t lock;
	struct rlimit as, data, fsize;
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER, .fsize = { RLIM_INFINITY, RLIM_INFINITY } };
static uint64_t floor_fd; /* the hard limit at start, as the program sees it */

static int floor_make(void)
{
	struct rlimit host;
	uint64_t need;

	if (getrlimit(RLIMIT_NOFILE, &host))
		return -errno;
	nofile = host;
	if (nofile.rlim_cur > 1u << 20)
		nofile.rlim_cur = 1u << 20;
	if (nofile.rlim_max > FDS_PROGRAM)
		nofile.rlim_max = nofile.rlim_cur > FDS_PROGRAM ? nofile.rlim_cur : FDS_PROGRAM;
	need = nofile.rlim_max + FDS_OURS;
	if (host.rlim_max < need) { /* no room above: take a part of the program's */
		struct rlimit more = { .rlim_cur = need, .rlim_max = need };

		if (!setrlimit(RLIMIT_NOFILE, &more))
			return 0;
		need = host.rlim_max;
		nofile.rlim_max = need - (need / 4 < FDS_OURS ? need / 4 : FDS_OURS);
		if (nofile.rlim_cur > nofile.rlim_max)
			nofile.rlim_cur = nofile.rlim_max;
	}
	host.rlim_cur = need;
	return setrlimit(RLIMIT_NOFILE, &host) ? -errno : 0;
}

/* Lift a limit as far as the host kernel lets us; *seen is what the program finds. */
static void memory_limit_take(int what, struct rlimit *seen)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY }, most;

	if (getrlimit((__rlimit_resource_t)what, seen))
		*seen = none;
	most = (struct rlimit){ seen->rlim_max, seen->rlim_max };
	if (setrlimit((__rlimit_resource_t)what, &none))
		(void)setrlimit((__rlimit_resource_t)what, &most);
}

int proc_limits_open(const struct exec_limits *before)
{
	int err;

	if (before) { /* the host's limits are what we have made of them */
		nofile = before->nofile;
		floor_fd = before->floor;
		memory.as = before->as;
		memory.data = before->data;
		memory.fsize = before->fsize;
		return 0;
	}
	err = floor_make();
	floor_fd = nofile.rlim_max;
	memory_limit_take(RLIMIT_AS, &memory.as);
	memory_limit_take(RLIMIT_DATA, &memory.data);
	memory_limit_take(RLIMIT_FSIZE, &memory.fsize);
	return err;
}

void proc_limits(struct exec_limits *out)
{
	*out = (struct exec_limits){
		.nofile = nofile, .as = memory.as, .data = memory.data, .fsize = memory.fsize, .floor = floor_fd
	};
}

static struct rlimit *memory_limit(uint64_t what)
{
	switch (what) {
	case RLIMIT_AS:
		return &memory.as;
	case RLIMIT_DATA:
		return &memory.data;
	case RLIMIT_FSIZE:
		return &memory.fsize;
	default:
		return NULL;
	}
}

uint64_t proc_limit(int what)
{
	struct rlimit *own = what == RLIMIT_NOFILE ? &nofile : memory_limit((uint64_t)what), host;

	if (own)
		return __atomic_load_n(&own->rlim_cur, __ATOMIC_RELAXED);
	return host4(SYS_prlimit64, 0, what, 0, &host) ? RLIM_INFINITY : host.rlim_cur;
}

/* As the host kernel would: the hard limit is raised by those only who may. */
static long memory_limit_set(struct rlimit *own, const struct rlimit *set)
{
	long err = 0;

	pthread_mutex_lock(&memory.lock);
	if (set->rlim_cur > set->rlim_max)
		err = -EINVAL;
	else if (set->rlim_max > own->rlim_max && !proc_capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	if (!err) {
		own->rlim_max = set->rlim_max;
		__atomic_store_n(&own->rlim_cur, set->rlim_cur, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&memory.lock);
	return err;
}

bool proc_capable(int cap)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	return !host2(SYS_capget, &h, d) && (d[cap / 32].effective >> cap % 32 & 1);
}

int proc_fd_floor(void)
{
	return (int)floor_fd;
}

int proc_fd_raise(int fd)
{
	int high = fd < 0 ? -errno : fcntl(fd, F_DUPFD_CLOEXEC, proc_fd_floor());

	if (fd >= 0 && high < 0)
		high = -errno;
	if (fd >= 0)
		close(fd);
	return high;
}

static long nofile_set(const struct rlimit *set)
{
	if (set->rlim_cur > set->rlim_max)
		return -EINVAL;
	if (set->rlim_max > nofile.rlim_max)
		return -EPERM;
	nofile = *set;
	fd_limit((int)nofile.rlim_cur);
	return 0;
}

long sys_prlimit64(struct thread *t, const uint64_t a[6])
{
	struct rlimit set, old, *own;
	long err;

	(void)t;
	if (a[2] && uaccess_in(&set, a[2], sizeof(set)))
		return -EFAULT;
	own = !a[0] || (int)a[0] == getpid() ? memory_limit(a[1]) : NULL;
	if (a[1] == RLIMIT_NOFILE && (!a[0] || (int)a[0] == getpid())) {
		old = nofile;
		err = a[2] ? nofile_set(&set) : 0;
	} else if (own) {
		old = *own;
		err = a[2] ? memory_limit_set(own, &set) : 0;
	} else {
		err = host4(SYS_prlimit64, a[0], a[1], a[2] ? &set : 0, &old);
		if (!err && a[2] && a[1] == RLIMIT_CORE && set.rlim_cur)
			core_spare();
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
