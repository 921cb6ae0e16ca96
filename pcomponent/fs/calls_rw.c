/* read and write in all their forms. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/rw.h"
#include "pcomponent/sys/sys.h"

static long rw_do(struct thread *t, struct rw *rw)
{
	struct file *f;
	long ret;

	if (fd_hidden(rw->fd))
		return -EBADF;
	f = fd_remote(rw->fd);
	if (!f)
		return host_rw(t, rw);
	ret = remote_rw(f, rw);
	file_put(f);
	return ret;
}

static bool fd_is_closed(int fd)
{
	return fd_hidden(fd) || host3(SYS_fcntl, fd, F_GETFD, 0) < 0;
}

static long rw_one(struct thread *t, const uint64_t a[6], bool write, int64_t off)
{
	struct rw rw = { .fd = (int)a[0], .write = write, .off = off };

	if ((int64_t)a[2] < 0) /* no buffer is so long */
		return fd_is_closed(rw.fd) ? -EBADF : -EFAULT;
	uiter_one(&rw.it, a[1], a[2]);
	return rw_do(t, &rw);
}

static long rw_vec(struct thread *t, const uint64_t a[6], bool write, int64_t off, uint32_t flags)
{
	struct rw rw = { .fd = (int)a[0], .write = write, .off = off, .flags = flags };
	long err = uiter_vec(t, &rw.it, a[1], a[2]);

	if (err) /* Linux looks at the descriptor first */
		return fd_is_closed(rw.fd) ? -EBADF : err;
	return rw_do(t, &rw);
}

/* The offset of pread and pwrite: negative ones are refused, also the one that means "the file's own" to us. */
static int64_t offset(uint64_t raw)
{
	return (int64_t)raw < 0 ? OFF_NONE - 1 : (int64_t)raw;
}

long sys_read(struct thread *t, const uint64_t a[6])
{
	return rw_one(t, a, false, OFF_NONE);
}

long sys_write(struct thread *t, const uint64_t a[6])
{
	return rw_one(t, a, true, OFF_NONE);
}

long sys_pread64(struct thread *t, const uint64_t a[6])
{
	return rw_one(t, a, false, offset(a[3]));
}

long sys_pwrite64(struct thread *t, const uint64_t a[6])
{
	return rw_one(t, a, true, offset(a[3]));
}

long sys_readv(struct thread *t, const uint64_t a[6])
{
	return rw_vec(t, a, false, OFF_NONE, 0);
}

long sys_writev(struct thread *t, const uint64_t a[6])
{
	return rw_vec(t, a, true, OFF_NONE, 0);
}

long sys_preadv(struct thread *t, const uint64_t a[6])
{
	return rw_vec(t, a, false, offset(a[3]), 0);
}

long sys_pwritev(struct thread *t, const uint64_t a[6])
{
	return rw_vec(t, a, true, offset(a[3]), 0);
}

/* These two do take -1 for the file's own offset. */
long sys_preadv2(struct thread *t, const uint64_t a[6])
{
	return rw_vec(t, a, false, (int64_t)a[3] == -1 ? OFF_NONE : offset(a[3]), (uint32_t)a[5]);
}

long sys_pwritev2(struct thread *t, const uint64_t a[6])
{
	return rw_vec(t, a, true, (int64_t)a[3] == -1 ? OFF_NONE : offset(a[3]), (uint32_t)a[5]);
}
