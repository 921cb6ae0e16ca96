/*
 * sendfile, copy_file_range and splice where a remote file takes part: piece by piece through local memory. Nothing is held while
 * a host object waits. Between two host objects the host kernel does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fsize.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/fs/rw.h"
#include "pcomponent/fs/uiter.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/kept.h"

#define SPLICE_BYTES_MAX (64ull << 10) /* of one splice: what a pipe holds */

/* One end of a copy. */
struct end {
	int fd;
	struct file *f; /* NULL: a host object */
	bool own_pos;	/* moves the file's own offset */
	uint64_t off;	/* remote, or host with an offset given */
};

/* A memory file whose pages may be away: as read(2) and write(2) do it. */
static long end_kept(struct thread *t, const struct end *e, char *buf, uint32_t n, bool write)
{
	return host_rw_local(t, e->fd, buf, n, e->own_pos ? OFF_NONE : (int64_t)e->off, write);
}

static long end_read(struct thread *t, const struct end *e, char *buf, uint32_t n)
{
	struct slot s;
	long got;

	if (!e->f && kept_file(e->fd))
		return end_kept(t, e, buf, n, false);
	if (!e->f)
		return e->own_pos ? host_block(t, SYS_read, (uint64_t)e->fd, (uint64_t)buf, n, 0, 0, 0)
				  : host_block(t, SYS_pread64, (uint64_t)e->fd, (uint64_t)buf, n, e->off, 0, 0);
	got = slot_get(&s);
	if (got)
		return got;
	got = remote_read_slot(e->f, e->off, s.buf, n);
	if (got > 0)
		memcpy(buf, s.addr, (size_t)got);
	slot_put(&s);
	return got;
}

static long end_write(struct thread *t, struct end *e, const char *buf, uint32_t n)
{
	uint64_t bytes = n;
	struct slot s;
	long put;

	if (!e->f && kept_file(e->fd))
		return end_kept(t, e, (char *)(uintptr_t)buf, n, true);
	if (!e->f)
		return host_block(t, SYS_write, (uint64_t)e->fd, (uint64_t)buf, n, 0, 0, 0);
	if (S_ISREG(e->f->mode) && (put = fsize_cut(e->off, &bytes)))
		return put;
	n = (uint32_t)bytes;
	put = slot_get(&s);
	if (put)
		return put;
	memcpy(s.addr, buf, n);
	put = remote_write_slot(e->f, &e->off, false, s.buf, n);
	slot_put(&s);
	return put;
}

/* Of n bytes read only `put` could be written: the host's own offset must stand behind those. */
static void unread(const struct end *in, long n, long put)
{
	if (!in->f && in->own_pos && put < n)
		host3(SYS_lseek, in->fd, put - n, SEEK_CUR);
}

static long copy(struct thread *t, struct end *in, struct end *out, uint64_t count)
{
	uint32_t piece = count < IO_SLOT_BYTES ? (uint32_t)count : IO_SLOT_BYTES, want;
	char *buf = sys_scratch(t, piece + 1);
	uint64_t total = 0;
	long got, put;

	if (!buf)
		return -ENOMEM;
	while (total < count) {
		want = count - total < piece ? (uint32_t)(count - total) : piece;
		got = end_read(t, in, buf, want);
		if (got <= 0)
			return total ? (long)total : got;
		put = end_write(t, out, buf, (uint32_t)got);
		unread(in, got, put < 0 ? 0 : put);
		if (put < 0)
			return total ? (long)total : put;
		in->off += (uint64_t)put;
		total += (uint64_t)put;
		if (put < got)
			break;
	}
	return (long)total;
}

/* The files' own offsets are looked at before and set afterwards; as on Linux nobody owns them in between. */
static int pos_begin(struct end *e)
{
	return e->f && e->own_pos ? file_pos_get(e->f, &e->off) : 0;
}

static void pos_end(const struct end *e, long ret)
{
	if (e->f && e->own_pos && ret > 0)
		file_pos_set(e->f, e->off); /* as it could be got, it can be set */
}

/* Neither call takes a file that appends: 0, err, or -errno. */
static long append_check(const struct end *out, long err)
{
	uint32_t status = 0;
	long ret = out->f ? file_status(out->f, &status) : 0;

	return ret ? ret : status & O_APPEND ? err : 0;
}

/* Take an offset argument: 0 or -errno. */
static long off_in(struct end *e, uint64_t addr)
{
	e->own_pos = !addr;
	if (!addr)
		return 0;
	if (uaccess_in(&e->off, addr, sizeof(e->off)))
		return -EFAULT;
	return (int64_t)e->off < 0 ? -EINVAL : 0;
}

static long off_out(const struct end *e, uint64_t addr, long ret)
{
	return addr && ret >= 0 && uaccess_out(addr, &e->off, sizeof(e->off)) ? -EFAULT : ret;
}

/* The remote files behind both numbers, counted up; ends_put gives them back. -EBADF: one is the dispatcher's. */
static int ends_get(struct end *in, struct end *out)
{
	if (fd_hidden(in->fd) || fd_hidden(out->fd))
		return -EBADF;
	in->f = fd_remote(in->fd);
	out->f = fd_remote(out->fd);
	return 0;
}

static void ends_put(struct end *in, struct end *out)
{
	file_put(in->f);
	file_put(out->f);
}

/* ---- sendfile ---- */

static long sendfile_check(const struct end *in, const struct end *out)
{
	long err = append_check(out, -EINVAL);
	struct stat st;

	if (in->f && !file_readable(in->f))
		return -EBADF;
	if (out->f && !file_writable(out->f))
		return -EBADF;
	if (in->f && !S_ISREG(in->f->mode))
		return -EINVAL;
	if (err)
		return err;
	if (in->f)
		return host3(SYS_fcntl, out->fd, F_GETFD, 0) < 0 ? -EBADF : 0;
	if (host2(SYS_fstat, in->fd, &st))
		return -EBADF;
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? 0 : -EINVAL; /* the source must be one that can be mapped */
}

static long sendfile_host(struct thread *t, const uint64_t a[6])
{
	int64_t off = 0;
	long ret;

	if (a[2] && uaccess_in(&off, a[2], sizeof(off)))
		return -EFAULT;
	ret = host_block(t, SYS_sendfile, a[0], a[1], a[2] ? (uint64_t)&off : 0, a[3], 0, 0);
	return ret >= 0 && a[2] && uaccess_out(a[2], &off, sizeof(off)) ? -EFAULT : ret;
}

long sys_sendfile(struct thread *t, const uint64_t a[6])
{
	struct end out = { .fd = (int)a[0], .own_pos = true }, in = { .fd = (int)a[1] };
	uint64_t count = a[3] < RW_BYTES_MAX ? a[3] : RW_BYTES_MAX;
	long ret;

	if (ends_get(&in, &out))
		return -EBADF;
	if (!in.f && !out.f && !kept_file(in.fd) && !kept_file(out.fd))
		return sendfile_host(t, a);
	ret = off_in(&in, a[2]);
	if (!ret)
		ret = sendfile_check(&in, &out);
	if (!ret)
		ret = pos_begin(&in);
	if (!ret)
		ret = pos_begin(&out);
	if (!ret) {
		ret = copy(t, &in, &out, count);
		pos_end(&in, ret);
		pos_end(&out, ret);
		ret = off_out(&in, a[2], ret);
	}
	ends_put(&in, &out);
	return ret;
}

/* ---- copy_file_range ---- */

static long range_check(const struct end *in, const struct end *out, uint64_t flags)
{
	long err = append_check(out, -EBADF);

	if (flags)
		return -EINVAL;
	if (!file_readable(in->f) || !file_writable(out->f))
		return -EBADF;
	if (err)
		return err;
	if (S_ISDIR(in->f->mode) || S_ISDIR(out->f->mode))
		return -EISDIR;
	return 0;
}

/* Ranges of one file may not overlap. */
static long overlap_check(const struct end *in, const struct end *out, uint64_t count)
{
	struct wire_stat a, b;
	long err = remote_stat_file(in->f, &a);

	if (!err)
		err = remote_stat_file(out->f, &b);
	if (err)
		return err;
	if (a.ino != b.ino || a.dev_major != b.dev_major || a.dev_minor != b.dev_minor)
		return 0;
	return in->off < out->off + count && out->off < in->off + count ? -EINVAL : 0;
}

static long range_host(const uint64_t a[6])
{
	int64_t off[2] = { 0, 0 };
	long ret;

	if ((a[1] && uaccess_in(&off[0], a[1], 8)) || (a[3] && uaccess_in(&off[1], a[3], 8)))
		return -EFAULT;
	ret = host_call(SYS_copy_file_range, a[0], a[1] ? (uint64_t)&off[0] : 0, a[2], a[3] ? (uint64_t)&off[1] : 0,
			a[4], a[5]);
	if (ret < 0)
		return ret;
	return (a[1] && uaccess_out(a[1], &off[0], 8)) || (a[3] && uaccess_out(a[3], &off[1], 8)) ? -EFAULT : ret;
}

static long range_remote(struct thread *t, const uint64_t a[6], struct end *in, struct end *out)
{
	uint64_t count = a[4] < RW_BYTES_MAX ? a[4] : RW_BYTES_MAX;
	long ret = range_check(in, out, a[5]);

	if (!ret)
		ret = off_in(in, a[1]);
	if (!ret)
		ret = off_in(out, a[3]);
	if (ret)
		return ret;
	ret = pos_begin(in);
	if (!ret)
		ret = pos_begin(out);
	if (!ret)
		ret = overlap_check(in, out, count);
	if (!ret)
		ret = copy(t, in, out, count);
	pos_end(in, ret);
	pos_end(out, ret);
	ret = off_out(in, a[1], ret);
	return off_out(out, a[3], ret);
}

long sys_copy_file_range(struct thread *t, const uint64_t a[6])
{
	struct end in = { .fd = (int)a[0] }, out = { .fd = (int)a[2] };
	long ret;

	if (ends_get(&in, &out))
		return -EBADF;
	if (!in.f && !out.f)
		return kept_file(in.fd) || kept_file(out.fd) ? -EXDEV : range_host(a);
	if (in.f && out.f)
		ret = range_remote(t, a, &in, &out);
	else if (host3(SYS_fcntl, in.f ? out.fd : in.fd, F_GETFD, 0) < 0)
		ret = -EBADF;
	else
		ret = -EXDEV; /* programs then read and write */
	ends_put(&in, &out);
	return ret;
}

/* ---- splice ---- */

static long splice_host(struct thread *t, const uint64_t a[6])
{
	int64_t off[2] = { 0, 0 };
	long ret;

	if ((a[1] && uaccess_in(&off[0], a[1], 8)) || (a[3] && uaccess_in(&off[1], a[3], 8)))
		return -EFAULT;
	ret = host_block(t, SYS_splice, a[0], a[1] ? (uint64_t)&off[0] : 0, a[2], a[3] ? (uint64_t)&off[1] : 0, a[4],
			 a[5]);
	if (ret < 0)
		return ret;
	return (a[1] && uaccess_out(a[1], &off[0], 8)) || (a[3] && uaccess_out(a[3], &off[1], 8)) ? -EFAULT : ret;
}

/* The end that is not remote must be a pipe, without an offset. */
static long pipe_check(int fd, uint64_t off_addr)
{
	struct stat st;

	if (host2(SYS_fstat, fd, &st))
		return -EBADF;
	if (!S_ISFIFO(st.st_mode))
		return -EINVAL;
	return off_addr ? -ESPIPE : 0;
}

static long splice_check(const uint64_t a[6], const struct end *in, const struct end *out)
{
	long err = append_check(out, -EINVAL);

	if ((in->f && !file_readable(in->f)) || (out->f && !file_writable(out->f)))
		return -EBADF;
	if (err)
		return err;
	if ((in->f && out->f) || (in->f ? in->f : out->f)->mode != S_IFREG)
		return -EINVAL;
	return in->f ? pipe_check(out->fd, a[3]) : pipe_check(in->fd, a[1]);
}

/* Wait until the pipe has something, or ends; *count becomes what there is, if that is less. */
static long pipe_wait(struct thread *t, int fd, uint64_t flags, uint64_t *count)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ready = 0;
	long ret = host_block(t, SYS_poll, (uint64_t)&p, 1, flags & SPLICE_F_NONBLOCK ? 0 : UINT64_MAX, 0, 0, 0);

	if (ret < 0)
		return ret;
	if (!ret)
		return -EAGAIN;
	if (!host3(SYS_ioctl, fd, FIONREAD, &ready) && (uint64_t)ready < *count)
		*count = (uint64_t)ready;
	return 0;
}

/* What is in the pipe now, or one piece of the file: who wants more asks again. */
static long splice_remote(struct thread *t, const uint64_t a[6], struct end *in, struct end *out)
{
	struct end *file = in->f ? in : out;
	uint64_t addr = in->f ? a[1] : a[3], count = a[4] < SPLICE_BYTES_MAX ? a[4] : SPLICE_BYTES_MAX;
	long ret = splice_check(a, in, out);

	if (!ret)
		ret = off_in(file, addr);
	if (!ret && !in->f)
		ret = pipe_wait(t, in->fd, a[5], &count);
	if (!ret)
		ret = pos_begin(file);
	if (ret || !count)
		return ret;
	in->own_pos |= !in->f;
	ret = copy(t, in, out, count);
	pos_end(file, ret);
	return off_out(file, addr, ret);
}

long sys_splice(struct thread *t, const uint64_t a[6])
{
	struct end in = { .fd = (int)a[0] }, out = { .fd = (int)a[2] };
	long ret;

	if (ends_get(&in, &out))
		return -EBADF;
	if (in.f || out.f)
		ret = splice_remote(t, a, &in, &out);
	else /* the host kernel would take the pages that are there */
		ret = kept_file(in.fd) || kept_file(out.fd) ? -EINVAL : splice_host(t, a);
	ends_put(&in, &out);
	return ret;
}
