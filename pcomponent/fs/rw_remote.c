/*
 * Reading and writing remote files: slot by slot. The thread that uses the file's own offset owns it for the whole call,
 * as on Linux, so that concurrent reads get different parts; no lock is held meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/fsize.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/fs/rw.h"

#define RWF_SERVED (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND)

static uint32_t piece(uint64_t left)
{
	return left < IO_SLOT_BYTES ? (uint32_t)left : IO_SLOT_BYTES;
}

/* Bytes that reached the program; *off moves with them. An error counts only when nothing was moved. */
static long read_slots(struct file *f, struct uiter *it, uint64_t *off)
{
	uint64_t total = 0, copied;
	struct slot s;
	uint32_t n;
	long got, err = slot_get(&s);
	int fault;

	if (err)
		return err;
	do {
		n = piece(it->left);
		got = remote_read_slot(f, *off, s.buf, n);
		if (got < 0) {
			err = got;
			break;
		}
		copied = uiter_out(it, s.addr, (uint64_t)got, &fault);
		*off += copied;
		total += copied;
		if (fault)
			err = -EFAULT;
	} while (!err && it->left && (uint32_t)got == n);
	slot_put(&s);
	return total ? (long)total : err;
}

static long write_slots(struct file *f, struct uiter *it, uint64_t *off, bool append)
{
	uint64_t total = 0;
	struct slot s;
	uint32_t n;
	long put = 0, err = slot_get(&s);
	int fault;

	if (err)
		return err;
	do {
		n = (uint32_t)uiter_in(it, s.addr, piece(it->left), &fault);
		if (fault && !n) {
			err = -EFAULT;
			break;
		}
		put = remote_write_slot(f, off, append, s.buf, n);
		if (put < 0) {
			err = put;
			break;
		}
		total += (uint64_t)put;
		if (fault)
			err = -EFAULT;
	} while (!err && it->left && (uint32_t)put == n);
	slot_put(&s);
	return total ? (long)total : err;
}

static long write_sync(const struct file *f, uint32_t flags, long ret)
{
	struct p2s_sync_req req = {
		.handle = f->handle,
		.what = flags & RWF_SYNC ? P2S_SYNC_ALL : P2S_SYNC_DATA,
	};
	struct p2s_sync_rep rep;
	int err;

	if (ret <= 0 || !(flags & (RWF_DSYNC | RWF_SYNC)))
		return ret;
	err = client_call(P2S_SYNC, &req, NULL, 0, &rep, NULL, NULL);
	return err ? err : ret;
}

static long check(const struct file *f, const struct rw *rw)
{
	if (!(rw->write ? file_writable(f) : file_readable(f)))
		return -EBADF;
	if (rw->flags & ~(uint32_t)RWF_SERVED)
		return -EOPNOTSUPP;
	if (rw->off < OFF_NONE)
		return -EINVAL;
	return S_ISDIR(f->mode) ? -EISDIR : 0;
}

/* RLIMIT_FSIZE, where an append would begin at the end that there is now. */
static long write_cut(struct file *f, struct rw *rw, uint64_t off, bool append)
{
	struct wire_stat st;
	long err;

	if (!fsize_limited() || !S_ISREG(f->mode))
		return 0;
	if (append && (err = remote_stat_file(f, &st)))
		return err;
	return fsize_cut(append ? st.size : off, &rw->it.left);
}

long remote_rw(struct file *f, struct rw *rw)
{
	uint64_t off = (uint64_t)rw->off, from;
	long ret = check(f, rw);
	uint32_t status = 0;
	bool append;

	if (ret || !rw->it.left)
		return ret;
	if (rw->write)
		ret = file_status(f, &status);
	if (!ret && rw->off == OFF_NONE)
		ret = file_pos_begin(f, &off);
	if (ret)
		return ret;
	if (!rw->write)
		vm_file_reads(file_image(f));
	from = off;
	append = status & O_APPEND || rw->flags & RWF_APPEND;
	if (!rw->write)
		ret = read_slots(f, &rw->it, &off);
	else if (!(ret = write_cut(f, rw, off, append)))
		ret = write_slots(f, &rw->it, &off, append);
	if (rw->write && ret > 0) /* off is behind the last byte, also of an append */
		vm_file_written(file_image(f), off >= from + (uint64_t)ret ? off - (uint64_t)ret : from, (uint64_t)ret);
	if (rw->off == OFF_NONE)
		file_pos_end(f, off);
	return rw->write ? write_sync(f, rw->flags, ret) : ret;
}
