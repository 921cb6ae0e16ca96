/* Descriptors: dup and fcntl. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/lock.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/keep/wire.h"

/* ---- numbers ---- */

long sys_dup(struct thread *t, const uint64_t a[6])
{
	long ret = fd_dup((int)a[0], 0, false);

	(void)t;
	return ret == -EINVAL ? -EMFILE : ret; /* a limit of 0: to F_DUPFD a bad argument, to dup a full table */
}

long sys_dup2(struct thread *t, const uint64_t a[6])
{
	int fd = (int)a[0], to = (int)a[1];

	(void)t;
	if (fd != to)
		return fd_dup_to(fd, to, 0);
	if (fd_hidden(fd))
		return -EBADF;
	return host3(SYS_fcntl, fd, F_GETFD, 0) < 0 ? -EBADF : fd;
}

long sys_dup3(struct thread *t, const uint64_t a[6])
{
	(void)t;
	if ((int)a[2] & ~O_CLOEXEC || (int)a[0] == (int)a[1])
		return -EINVAL;
	return fd_dup_to((int)a[0], (int)a[1], (int)a[2]);
}

/* ---- fcntl ---- */

/* Status flags are the dispatcher's: appending is asked for with each write. */
static long getfl(struct file *f)
{
	uint32_t flags;
	int err = file_status(f, &flags);

	return err ? err : (long)flags;
}

static long fcntl_remote(struct thread *t, struct file *f, int cmd, uint64_t arg)
{
	bool path_only = file_flags(f) & O_PATH;

	switch (cmd) {
	case F_GETFL:
		return getfl(f);
	case F_SETFL:
		return path_only ? -EBADF : file_status_set(f, (uint32_t)arg, FILE_STATUS_FLAGS);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return path_only ? -EBADF : lock_remote(t, f, cmd, arg);
	case F_GETOWN:
	case F_GETSIG:
		return path_only ? -EBADF : 0;
	case F_SETOWN:
	case F_SETSIG:
		return path_only ? -EBADF : 0; /* files never signal */
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return -EBADF;
	default:
		return path_only ? -EBADF : -EINVAL;
	}
}

/* Commands whose argument is an address: bytes, and whether they go in, out or both. */
struct fcntl_shape {
	int cmd;
	uint8_t bytes;
	bool in, out, wait;
};

static const struct fcntl_shape *fcntl_shape(int cmd)
{
	static const struct fcntl_shape shapes[] = {
		{ F_GETLK, sizeof(struct flock), true, true, false },
		{ F_SETLK, sizeof(struct flock), true, false, false },
		{ F_SETLKW, sizeof(struct flock), true, false, true },
		{ F_OFD_GETLK, sizeof(struct flock), true, true, false },
		{ F_OFD_SETLK, sizeof(struct flock), true, false, false },
		{ F_OFD_SETLKW, sizeof(struct flock), true, false, true },
		{ F_GETOWN_EX, sizeof(struct f_owner_ex), false, true, false },
		{ F_SETOWN_EX, sizeof(struct f_owner_ex), true, false, false },
		{ F_GET_RW_HINT, 8, false, true, false },
		{ F_SET_RW_HINT, 8, true, false, false },
		{ F_GET_FILE_RW_HINT, 8, false, true, false },
		{ F_SET_FILE_RW_HINT, 8, true, false, false },
	};
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].cmd == cmd)
			return &shapes[i];
	return NULL;
}

/* Is the argument of cmd a number, so that the host kernel may have it as it is? */
static bool fcntl_plain(int cmd)
{
	switch (cmd) {
	case F_GETFD:
	case F_SETFD:
	case F_GETFL:
	case F_SETFL:
	case F_GETOWN:
	case F_SETOWN:
	case F_GETSIG:
	case F_SETSIG:
	case F_SETLEASE:
	case F_GETLEASE:
	case F_NOTIFY:
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return true;
	default:
		return false;
	}
}

/*
 * Behind all contents of a memory file lies the mark that says who has it (vm/kept.h): programs' locks end before, also those
 * that have no end.
 */
static void lock_clip(void *arg)
{
	struct flock copy, *l = &copy;

	memcpy(&copy, arg, sizeof(copy));
	if (l->l_whence == SEEK_SET && l->l_start >= 0 && l->l_start < KEEP_MARK_OFF && l->l_len >= 0 &&
	    (!l->l_len || l->l_len > KEEP_MARK_OFF - l->l_start))
		l->l_len = KEEP_MARK_OFF - l->l_start;
	memcpy(arg, &copy, sizeof(copy));
}

static long fcntl_host(struct thread *t, int fd, int cmd, uint64_t arg)
{
	const struct fcntl_shape *s = fcntl_shape(cmd);
	uint64_t local[8] = { 0 };
	long ret;

	if (!s)
		return fcntl_plain(cmd) ? host3(SYS_fcntl, fd, cmd, arg) : -EINVAL;
	if (s->in && uaccess_in(local, arg, s->bytes))
		return -EFAULT;
	if (s->bytes == sizeof(struct flock) && s->in)
		lock_clip(local);
	if (s->wait)
		ret = host_block(t, SYS_fcntl, (uint64_t)fd, (uint64_t)cmd, (uint64_t)local, 0, 0, 0);
	else
		ret = host3(SYS_fcntl, fd, cmd, local);
	if (ret >= 0 && s->out && uaccess_out(arg, local, s->bytes))
		return -EFAULT;
	return ret;
}

long sys_fcntl(struct thread *t, const uint64_t a[6])
{
	int fd = (int)a[0], cmd = (int)a[1];
	struct file *f;
	long ret;

	if (fd_hidden(fd))
		return -EBADF;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (host3(SYS_fcntl, fd, F_GETFD, 0) < 0)
			return -EBADF;
		return fd_dup(fd, (int)a[2], cmd == F_DUPFD_CLOEXEC);
	case F_GETFD: /* with the number, also where that stands for a file */
	case F_SETFD:
		return host3(SYS_fcntl, fd, cmd, a[2]);
	default:
		break;
	}
	f = fd_remote(fd);
	if (!f)
		return fcntl_host(t, fd, cmd, a[2]);
	ret = fcntl_remote(t, f, cmd, a[2]);
	file_put(f);
	return ret;
}
