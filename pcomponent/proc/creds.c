/*
 * Users, groups and capabilities: the calling host thread's own. What the host kernel made of them the storage component is
 * told before the call is over.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/exec_here.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

#define GROUPS_MAX 65536

/* setuid and its like: all of them take numbers alone. setfsuid and setfsgid say nothing of success. */
long sys_setid(struct thread *t, const uint64_t a[6])
{
	long ret = host3(t->call_nr, a[0], a[1], a[2]);

	if (ret >= 0) {
		exec_here_never();
		fs_creds_changed();
	}
	return ret;
}

static long groups_set(uint64_t n, const uint32_t *list)
{
	long ret = host2(SYS_setgroups, n, list);

	if (!ret)
		fs_creds_changed();
	return ret;
}

long sys_getgroups(struct thread *t, const uint64_t a[6])
{
	uint64_t n = a[0] > GROUPS_MAX ? GROUPS_MAX : a[0];
	uint32_t *list;
	long ret;

	if ((int)a[0] < 0)
		return -EINVAL;
	if (!(list = sys_scratch(t, n * sizeof(*list) + 1)))
		return -ENOMEM;
	ret = host2(SYS_getgroups, n, list);
	return n && ret > 0 && uaccess_out(a[1], list, (uint64_t)ret * sizeof(*list)) ? -EFAULT : ret;
}

long sys_setgroups(struct thread *t, const uint64_t a[6])
{
	uint32_t *list;

	if (a[0] > GROUPS_MAX)
		return host2(SYS_setgroups, GROUPS_MAX + 1, 0); /* EINVAL, or EPERM first */
	if (!(list = sys_scratch(t, a[0] * sizeof(*list) + 1)))
		return -ENOMEM;
	if (uaccess_in(list, a[1], a[0] * sizeof(*list)))
		return host2(SYS_setgroups, a[0], 0); /* EFAULT, or EPERM first */
	return groups_set(a[0], list);
}

/* The header's version says how much data there is; a wrong one is answered by the right one. */
static long cap_call(long nr, const uint64_t a[6])
{
	struct __user_cap_data_struct data[2] = { { 0 } };
	struct __user_cap_header_struct head;
	uint64_t bytes;
	long ret;

	if (uaccess_in(&head, a[0], sizeof(head)))
		return -EFAULT;
	bytes = head.version == _LINUX_CAPABILITY_VERSION_1 ? sizeof(data[0]) : sizeof(data);
	if (nr == SYS_capset && uaccess_in(data, a[1], bytes))
		return -EFAULT;
	ret = host2(nr, &head, a[1] ? data : NULL);
	if (uaccess_out(a[0], &head.version, sizeof(head.version)))
		return -EFAULT;
	return nr == SYS_capget && !ret && a[1] && uaccess_out(a[1], data, bytes) ? -EFAULT : ret;
}

long sys_capget(struct thread *t, const uint64_t a[6])
{
	(void)t;
	return cap_call(SYS_capget, a);
}

long sys_capset(struct thread *t, const uint64_t a[6])
{
	long ret = cap_call(SYS_capset, a);

	(void)t;
	if (!ret) {
		exec_here_never();
		fs_creds_changed();
	}
	return ret;
}
