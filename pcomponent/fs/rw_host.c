/*
 * Reading and writing host objects through local memory. Streams go in pieces of SYS_PIECE_BYTES: a write loops over
 * them, a read takes one (a second could wait although the first brought something), except from files and devices that
 * never wait. What keeps message borders goes whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#include "pcomponent/fs/fsize.h"
#include "pcomponent/fs/rw.h"
#include "pcomponent/proc/signalfd.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/vm/kept.h"

enum nature { STREAM, MESSAGES, NO_WAIT };

static enum nature nature(int fd)
{
	int type, len = sizeof(type);
	struct stat st;

	if (host2(SYS_fstat, fd, &st))
		return STREAM;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && major(st.st_rdev) == 1))
		return NO_WAIT;
	if (S_ISSOCK(st.st_mode) &&
	    !host_call(SYS_getsockopt, (uint64_t)fd, SOL_SOCKET, SO_TYPE, (uint64_t)&type, (uint64_t)&len, 0) &&
	    type != SOCK_STREAM)
		return MESSAGES;
	return STREAM;
}

static long transfer_plain(struct thread *t, const struct rw *rw, char *local, uint64_t n, uint64_t moved)
{
	struct iovec v = { .iov_base = local, .iov_len = n };
	uint64_t off = rw->off == OFF_NONE ? UINT64_MAX : (uint64_t)rw->off + moved;

	if (rw->flags)
		return host_block(t, rw->write ? SYS_pwritev2 : SYS_preadv2, (uint64_t)rw->fd, (uint64_t)&v, 1, off, 0,
				  rw->flags);
	if (rw->off == OFF_NONE)
		return host_block(t, rw->write ? SYS_write : SYS_read, (uint64_t)rw->fd, (uint64_t)local, n, 0, 0, 0);
	return host_block(t, rw->write ? SYS_pwrite64 : SYS_pread64, (uint64_t)rw->fd, (uint64_t)local, n, off, 0, 0);
}

/* Where that begins in the file. */
static uint64_t begins(const struct rw *rw, uint64_t moved)
{
	bool appends = rw->write && (rw->flags & RWF_APPEND || host3(SYS_fcntl, rw->fd, F_GETFL, 0) & O_APPEND);
	struct stat st;

	if (appends && !host2(SYS_fstat, rw->fd, &st))
		return (uint64_t)st.st_size;
	return rw->off == OFF_NONE ? (uint64_t)host3(SYS_lseek, rw->fd, 0, SEEK_CUR) : (uint64_t)rw->off + moved;
}

/* Pages of a memory file may be away: they are brought in and stay while the host kernel has them, a few at a time. */
static long transfer_kept(struct thread *t, const struct rw *rw, char *local, uint64_t n, uint64_t moved)
{
	uint64_t done = 0, piece, off;
	long got = 0;
	int err;

	while (done < n) {
		piece = n - done;
		off = begins(rw, moved + done);
		err = kept_hold(rw->fd, off, &piece, rw->write);
		if (err)
			return done ? (long)done : err;
		got = transfer_plain(t, rw, local + done, piece, moved + done);
		kept_release(rw->fd, off, piece);
		if (got < 0)
			return done ? (long)done : got;
		done += (uint64_t)got;
		if ((uint64_t)got < piece)
			break;
	}
	return (long)done;
}

static long transfer(struct thread *t, const struct rw *rw, char *local, uint64_t n, uint64_t moved)
{
	return n && kept_file(rw->fd) ? transfer_kept(t, rw, local, n, moved) : transfer_plain(t, rw, local, n, moved);
}

/* A read, again while all that came was signals that are gone. */
static long read_meant(struct thread *t, const struct rw *rw, char *local, uint64_t n, uint64_t moved)
{
	long got, left;

	do {
		got = transfer(t, rw, local, n, moved);
		left = got > 0 ? (long)signalfd_meant(t, rw->fd, local, (uint64_t)got) : got;
	} while (got > 0 && !left);
	return left;
}

static long host_read(struct thread *t, struct rw *rw, char *local, uint64_t piece, bool again)
{
	uint64_t total = 0, n, copied;
	long got;
	int fault;

	do {
		n = rw->it.left < piece ? rw->it.left : piece;
		/* What a stream gives is gone, also when it cannot be delivered: a bad address comes before it */
		fault = uiter_probe(&rw->it) != 0;
		got = read_meant(t, rw, local, fault ? 0 : n, total);
		if (got < 0 || fault)
			return total ? (long)total : got < 0 ? got : -EFAULT;
		copied = uiter_out(&rw->it, local, (uint64_t)got, &fault);
		total += copied;
		if (fault)
			return total ? (long)total : -EFAULT;
	} while (again && rw->it.left && (uint64_t)got == n);
	return (long)total;
}

static long host_write(struct thread *t, struct rw *rw, char *local, uint64_t piece)
{
	uint64_t total = 0, n;
	int fault;
	long put;

	do {
		n = uiter_in(&rw->it, local, piece, &fault);
		if (fault && !n)
			return total ? (long)total : -EFAULT;
		put = transfer(t, rw, local, n, total);
		if (put < 0)
			return total ? (long)total : put;
		total += (uint64_t)put;
	} while (!fault && rw->it.left && (uint64_t)put == n);
	return (long)total;
}

/* RLIMIT_FSIZE: for what is a regular file of the host's, as a memfd. */
static long write_cut(struct rw *rw)
{
	bool own = rw->off == OFF_NONE;
	struct stat st;
	long off = rw->off;

	if (!fsize_limited() || host2(SYS_fstat, rw->fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	if ((own && host3(SYS_fcntl, rw->fd, F_GETFL, 0) & O_APPEND) || rw->flags & RWF_APPEND)
		off = st.st_size;
	else if (own)
		off = host3(SYS_lseek, rw->fd, 0, SEEK_CUR);
	return off < 0 ? 0 : fsize_cut((uint64_t)off, &rw->it.left);
}

long host_rw_local(struct thread *t, int fd, char *buf, uint64_t n, int64_t off, bool write)
{
	const struct rw rw = { .fd = fd, .write = write, .off = off };

	return transfer(t, &rw, buf, n, 0);
}

long host_rw(struct thread *t, struct rw *rw)
{
	uint64_t piece;
	enum nature is = STREAM;
	char *local;
	long err;

	if (rw->off < OFF_NONE)
		return -EINVAL;
	if (rw->write && (err = write_cut(rw)))
		return err;
	piece = rw->it.left < SYS_PIECE_BYTES ? rw->it.left : SYS_PIECE_BYTES;
	if (rw->it.left > SYS_PIECE_BYTES) {
		is = nature(rw->fd);
		if (is == MESSAGES)
			piece = rw->it.left < SYS_SCRATCH_MAX ? rw->it.left : SYS_SCRATCH_MAX;
		if (is == MESSAGES && rw->write && piece < rw->it.left)
			return -EMSGSIZE;
	}
	local = sys_scratch(t, piece + 1);
	if (!local)
		return -ENOMEM;
	return rw->write ? host_write(t, rw, local, piece) : host_read(t, rw, local, piece, is == NO_WAIT);
}
