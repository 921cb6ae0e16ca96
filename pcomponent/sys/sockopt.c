/* Options of sockets whose values point to more: the rest is served from the call's row. */
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/sys/calls.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/sock.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

#define IFCONF_BYTES_MAX (64 << 10)

static long attach_filter(struct thread *t, const uint64_t a[6])
{
	struct sock_fprog prog;
	uint64_t at, bytes;

	if ((uint32_t)a[4] != sizeof(prog))
		return -EINVAL;
	if (uaccess_in(&prog, a[3], sizeof(prog)))
		return -EFAULT;
	if (!prog.len || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	bytes = prog.len * sizeof(*prog.filter);
	at = (uint64_t)prog.filter;
	if (!(prog.filter = sys_scratch(t, bytes)))
		return -ENOMEM;
	if (uaccess_in(prog.filter, at, bytes))
		return -EFAULT;
	return host_call(SYS_setsockopt, a[0], a[1], a[2], (uint64_t)&prog, sizeof(prog), 0);
}

long sys_setsockopt(struct thread *t, const uint64_t a[6])
{
	if (fd_hidden((int)a[0]))
		return -EBADF;
	if ((int)a[1] == SOL_SOCKET && ((int)a[2] == SO_ATTACH_FILTER || (int)a[2] == SO_ATTACH_REUSEPORT_CBPF))
		return attach_filter(t, a);
	/* The host kernel would go on reading the copy after the call */
	if ((int)a[1] == SOL_SOCKET && (int)a[2] == SO_ZEROCOPY)
		return -ENOPROTOOPT;
	return sys_host(t, a);
}

long sock_ifconf(struct thread *t, int fd, uint64_t arg)
{
	struct ifconf c;
	uint64_t at;
	long ret;

	if (uaccess_in(&c, arg, sizeof(c)))
		return -EFAULT;
	at = (uint64_t)c.ifc_buf;
	if (c.ifc_len < 0)
		return -EINVAL;
	if (c.ifc_len > IFCONF_BYTES_MAX)
		c.ifc_len = IFCONF_BYTES_MAX;
	if (at && !(c.ifc_buf = sys_scratch(t, (uint64_t)c.ifc_len + 1)))
		return -ENOMEM;
	if ((ret = host3(SYS_ioctl, fd, SIOCGIFCONF, &c)))
		return ret;
	if (at && uaccess_out(at, c.ifc_buf, (uint64_t)c.ifc_len))
		return -EFAULT;
	c.ifc_buf = (char *)at;
	return uaccess_out(arg, &c, sizeof(c));
}
