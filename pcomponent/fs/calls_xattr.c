/*
 * Extended attributes. Files of a storage component have none: reading and writing them answers EOPNOTSUPP, as a file
 * system without them does, lists are empty. Host objects have those of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

/* The arguments behind the path or descriptor: name, value, its room or size, flags. */
struct xattr_args {
	long nr;
	const uint64_t *a;
	char name[XATTR_NAME_MAX + 1];
};

static bool is_set(long nr)
{
	return nr == SYS_setxattr || nr == SYS_lsetxattr || nr == SYS_fsetxattr;
}

static bool is_list(long nr)
{
	return nr == SYS_listxattr || nr == SYS_llistxattr || nr == SYS_flistxattr;
}

static bool is_link(long nr)
{
	return nr == SYS_lsetxattr || nr == SYS_lgetxattr || nr == SYS_llistxattr || nr == SYS_lremovexattr;
}

/* The call on a host object `first` (a path of ours, or a descriptor), values by way of local memory. */
static long xattr_host(struct thread *t, const struct xattr_args *x, uint64_t first)
{
	bool list = is_list(x->nr), set = is_set(x->nr);
	uint64_t value = x->a[list ? 1 : 2], bytes = x->a[list ? 2 : 3], most = list ? XATTR_LIST_MAX : XATTR_SIZE_MAX;
	bool has_value = x->nr != SYS_removexattr && x->nr != SYS_lremovexattr && x->nr != SYS_fremovexattr;
	char *buf = NULL;
	long ret;

	if (set && bytes > XATTR_SIZE_MAX)
		return -E2BIG;
	if (bytes > most)
		bytes = most;
	if (has_value && bytes) {
		buf = sys_scratch(t, bytes);
		if (!buf)
			return -ENOMEM;
		if (set && uaccess_in(buf, value, bytes))
			return -EFAULT;
	}
	if (list)
		return (ret = host3(x->nr, first, buf, bytes)) > 0 && bytes && uaccess_out(value, buf, (size_t)ret)
			       ? -EFAULT
			       : ret;
	ret = host_call(x->nr, first, (uint64_t)x->name, (uint64_t)buf, bytes, x->a[4], 0);
	if (ret > 0 && !set && bytes && uaccess_out(value, buf, (size_t)ret))
		return -EFAULT;
	return ret;
}

static long xattr_op(struct thread *t, struct path *p, void *arg)
{
	const struct xattr_args *x = arg;
	struct wire_stat st;
	long err;

	if (p->where != PATH_REMOTE)
		return xattr_host(t, x, (uint64_t)p->str);
	err = remote_stat(p, is_link(x->nr) ? AT_SYMLINK_NOFOLLOW : 0, &st);
	return err ? err : is_list(x->nr) ? 0 : -EOPNOTSUPP;
}

static long args_in(struct thread *t, const uint64_t a[6], struct xattr_args *x)
{
	long n;

	x->nr = t->call_nr;
	x->a = a;
	if (is_list(x->nr))
		return 0;
	n = uaccess_str(x->name, a[1], sizeof(x->name));
	return n == -ENAMETOOLONG || !n ? -ERANGE : n < 0 ? n : 0;
}

static long by_path(struct thread *t, const uint64_t a[6])
{
	struct xattr_args x;
	long err = args_in(t, a, &x);

	return err ? err : path_do(t, AT_FDCWD, a[0], is_link(x.nr) ? PATH_NOFOLLOW : 0, xattr_op, &x);
}

static long by_fd(struct thread *t, const uint64_t a[6])
{
	struct xattr_args x;
	struct file *f;
	long err = args_in(t, a, &x);

	if (err)
		return err;
	if (fd_hidden((int)a[0]))
		return -EBADF;
	f = fd_remote((int)a[0]);
	if (!f)
		return xattr_host(t, &x, a[0]);
	err = file_flags(f) & O_PATH ? -EBADF : is_list(x.nr) ? 0 : -EOPNOTSUPP;
	file_put(f);
	return err;
}

long sys_setxattr(struct thread *t, const uint64_t a[6])
{
	return by_path(t, a);
}

long sys_getxattr(struct thread *t, const uint64_t a[6])
{
	return by_path(t, a);
}

long sys_listxattr(struct thread *t, const uint64_t a[6])
{
	return by_path(t, a);
}

long sys_fsetxattr(struct thread *t, const uint64_t a[6])
{
	return by_fd(t, a);
}

long sys_fgetxattr(struct thread *t, const uint64_t a[6])
{
	return by_fd(t, a);
}

long sys_flistxattr(struct thread *t, const uint64_t a[6])
{
	return by_fd(t, a);
}
