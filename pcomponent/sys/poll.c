/* Waiting calls that bring a signal mask of their own, and select's bit sets. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/calls.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/frame.h"

#define SETS_FDS_MAX 65536u

struct sets {
	uint64_t *set[3]; /* local copies; NULL where the program gave none */
	uint64_t bytes;
};

static long sets_in(struct thread *t, uint64_t n, const uint64_t addr[3], struct sets *s)
{
	int i;

	if ((int)n < 0)
		return -EINVAL;
	s->bytes = ((n < SETS_FDS_MAX ? n : SETS_FDS_MAX) + 63) / 64 * 8;
	for (i = 0; i < 3; i++) {
		s->set[i] = addr[i] ? sys_scratch(t, s->bytes + 8) : NULL;
		if (addr[i] && !s->set[i])
			return -ENOMEM;
		if (addr[i] && uaccess_in(s->set[i], addr[i], s->bytes))
			return -EFAULT;
	}
	return 0;
}

static long sets_out(const uint64_t addr[3], const struct sets *s)
{
	int i;

	for (i = 0; i < 3; i++)
		if (addr[i] && uaccess_out(addr[i], s->set[i], s->bytes))
			return -EFAULT;
	return 0;
}

long sys_select(struct thread *t, const uint64_t a[6])
{
	struct timeval tv;
	struct sets s;
	long ret;

	if ((ret = sets_in(t, a[0], a + 1, &s)))
		return ret;
	if (a[4] && uaccess_in(&tv, a[4], sizeof(tv)))
		return -EFAULT;
	ret = host_block(t, SYS_select, a[0], (uint64_t)s.set[0], (uint64_t)s.set[1], (uint64_t)s.set[2],
			 a[4] ? (uint64_t)&tv : 0, 0);
	if (ret >= 0 && sets_out(a + 1, &s))
		return -EFAULT;
	if (a[4] && ret != -SYS_RESTART)
		uaccess_out(a[4], &tv, sizeof(tv));
	return ret;
}

/* The mask argument at addr, of size bytes: for the host kernel in *mask; 0 when there is none. */
static long wait_mask(struct thread *t, uint64_t addr, uint64_t bytes, uint64_t *mask)
{
	*mask = 0;
	if (!addr)
		return 0;
	if (bytes != 8)
		return -EINVAL;
	if (signal_wait_mask(t, addr))
		return -EFAULT;
	*mask = (uint64_t)&t->wait_mask_host;
	return 0;
}

static long timeout_in(uint64_t addr, struct timespec *ts)
{
	return addr && uaccess_in(ts, addr, sizeof(*ts)) ? -EFAULT : 0;
}

long sys_pselect6(struct thread *t, const uint64_t a[6])
{
	struct {
		uint64_t mask, bytes;
	} arg = { 0, 8 };
	struct timespec ts;
	uint64_t mask;
	struct sets s;
	long ret;

	if ((ret = sets_in(t, a[0], a + 1, &s)) || (ret = timeout_in(a[4], &ts)))
		return ret;
	if (a[5] && uaccess_in(&arg, a[5], sizeof(arg)))
		return -EFAULT;
	if ((ret = wait_mask(t, arg.mask, arg.bytes, &mask)))
		return ret;
	arg.mask = mask;
	ret = host_block(t, SYS_pselect6, a[0], (uint64_t)s.set[0], (uint64_t)s.set[1], (uint64_t)s.set[2],
			 a[4] ? (uint64_t)&ts : 0, (uint64_t)&arg);
	if (ret >= 0 && sets_out(a + 1, &s))
		return -EFAULT;
	if (a[4] && ret != -SYS_RESTART)
		uaccess_out(a[4], &ts, sizeof(ts));
	return ret;
}

/* n descriptors at addr, copied; the program's limit of open files binds their number. */
static long pollfds_in(struct thread *t, uint64_t addr, uint64_t n, struct pollfd **fds)
{
	if (n > proc_limit(RLIMIT_NOFILE))
		return -EINVAL;
	if (!(*fds = sys_scratch(t, n * sizeof(**fds) + 1)))
		return -ENOMEM;
	return uaccess_in(*fds, addr, n * sizeof(**fds));
}

long sys_poll(struct thread *t, const uint64_t a[6])
{
	uint64_t n = (uint32_t)a[1];
	struct pollfd *fds;
	long ret;

	if ((ret = pollfds_in(t, a[0], n, &fds)))
		return ret;
	ret = host_block(t, SYS_poll, (uint64_t)fds, n, a[2], 0, 0, 0);
	return ret >= 0 && uaccess_out(a[0], fds, n * sizeof(*fds)) ? -EFAULT : ret;
}

long sys_ppoll(struct thread *t, const uint64_t a[6])
{
	uint64_t mask, n = (uint32_t)a[1];
	struct pollfd *fds;
	struct timespec ts;
	long ret;

	if ((ret = timeout_in(a[2], &ts)) || (ret = wait_mask(t, a[3], a[4], &mask)) ||
	    (ret = pollfds_in(t, a[0], n, &fds)))
		return ret;
	ret = host_block(t, SYS_ppoll, (uint64_t)fds, n, a[2] ? (uint64_t)&ts : 0, mask, 8, 0);
	if (ret >= 0 && uaccess_out(a[0], fds, n * sizeof(*fds)))
		return -EFAULT;
	if (a[2] && ret != -SYS_RESTART)
		uaccess_out(a[2], &ts, sizeof(ts));
	return ret;
}

/* The call nr; timeout: milliseconds, or a struct timespec of ours. What has no room in a piece is for the next call. */
static long epoll_pwait_as(struct thread *t, long nr, const uint64_t a[6], uint64_t timeout)
{
	const int most = (int)(SYS_PIECE_BYTES / sizeof(struct epoll_event));
	int n = (int)a[2] < most ? (int)a[2] : most;
	struct epoll_event *ev;
	uint64_t mask = 0;
	long ret;

	if (fd_hidden((int)a[0]))
		return -EBADF;
	if (n <= 0 || (int)a[2] > INT_MAX / (int)sizeof(*ev))
		return -EINVAL;
	if (!(ev = sys_scratch(t, (uint64_t)n * sizeof(*ev))))
		return -ENOMEM;
	if (t->call_nr != SYS_epoll_wait && (ret = wait_mask(t, a[4], a[5], &mask)))
		return ret;
	ret = host_block(t, nr, a[0], (uint64_t)ev, (uint64_t)n, timeout, mask, 8);
	if (ret > 0 && uaccess_out(a[1], ev, (uint64_t)ret * sizeof(*ev)))
		return -EFAULT;
	return ret;
}

long sys_epoll_pwait(struct thread *t, const uint64_t a[6])
{
	return epoll_pwait_as(t, SYS_epoll_pwait, a, a[3]);
}

long sys_epoll_pwait2(struct thread *t, const uint64_t a[6])
{
	struct timespec ts;

	if (timeout_in(a[3], &ts))
		return -EFAULT;
	return epoll_pwait_as(t, SYS_epoll_pwait2, a, a[3] ? (uint64_t)&ts : 0);
}

/* signalfd and signalfd4. */
long sys_signalfd(struct thread *t, const uint64_t a[6])
{
	uint64_t mask;

	if (a[2] != 8)
		return -EINVAL;
	if ((int)a[0] >= 0 && fd_hidden((int)a[0]))
		return -EBADF;
	if (uaccess_in(&mask, a[1], 8))
		return -EFAULT;
	return fd_adopt(host4(SYS_signalfd4, a[0], &mask, 8, t->call_nr == SYS_signalfd4 ? a[3] : 0));
}
