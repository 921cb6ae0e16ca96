/* An open file as a whole: its offset, sync, advice, space, lock. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fsize.h"
#include "pcomponent/fs/lock.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/vm/kept.h"

/* A call on one descriptor: its remote part, else the host's. */
typedef long remote_fn(struct thread *t, struct file *f, const uint64_t a[6]);

/* O_PATH descriptors are good for nothing here. block: the host's part may wait. */
static long on_file(struct thread *t, const uint64_t a[6], remote_fn *fn, long nr, bool block)
{
	int fd = (int)a[0];
	struct file *f;
	long ret;

	if (fd_hidden(fd))
		return -EBADF;
	f = fd_remote(fd);
	if (f) {
		ret = file_flags(f) & O_PATH ? -EBADF : fn(t, f, a);
		file_put(f);
		return ret;
	}
	return block ? host_block(t, nr, (uint64_t)fd, a[1], a[2], a[3], 0, 0)
		     : host_call(nr, (uint64_t)fd, a[1], a[2], a[3], 0, 0);
}

/* ---- lseek ---- */

static long seek_ask(const struct file *f, int64_t off, uint32_t whence, int64_t *to)
{
	struct p2s_seek_req req = { .handle = f->handle, .off = off, .whence = whence };
	struct p2s_seek_rep rep;
	int err = client_call(P2S_SEEK, &req, NULL, 0, &rep, NULL, NULL);

	*to = (int64_t)rep.off;
	return err;
}

static long lseek_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	int64_t off = (int64_t)a[1], to = 0;
	uint32_t whence = (uint32_t)a[2];
	uint64_t pos;
	long err;

	(void)t;
	if (whence > SEEK_HOLE)
		return -EINVAL;
	err = file_pos_begin(f, &pos);
	if (err)
		return err;
	if (whence == SEEK_SET)
		to = off;
	else if (whence == SEEK_CUR)
		err = __builtin_add_overflow((int64_t)pos, off, &to) ? -EOVERFLOW : 0;
	else
		err = seek_ask(f, off, whence, &to);
	if (!err && to < 0)
		err = -EINVAL;
	file_pos_end(f, err ? pos : (uint64_t)to);
	return err ? err : to;
}

/* Pages of a memory file that are away are no holes, though the host kernel has none: it has no holes then. */
static long lseek_kept(int fd, const uint64_t a[6])
{
	struct stat st;
	long err = host2(SYS_fstat, fd, &st);

	if (err)
		return err;
	if ((int64_t)a[1] < 0 || (int64_t)a[1] >= st.st_size)
		return -ENXIO;
	return host3(SYS_lseek, fd, a[2] == SEEK_DATA ? a[1] : (uint64_t)st.st_size, SEEK_SET);
}

long sys_lseek(struct thread *t, const uint64_t a[6])
{
	if ((a[2] == SEEK_DATA || a[2] == SEEK_HOLE) && !fd_hidden((int)a[0]) && kept_file((int)a[0]))
		return lseek_kept((int)a[0], a);
	return on_file(t, a, lseek_remote, SYS_lseek, false);
}

/* ---- sync ---- */

static long sync_ask(const struct file *f, uint32_t what)
{
	struct p2s_sync_req req = { .handle = f->handle, .what = what };
	struct p2s_sync_rep rep;

	return client_call(P2S_SYNC, &req, NULL, 0, &rep, NULL, NULL);
}

static long fsync_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	(void)t, (void)a;
	return sync_ask(f, P2S_SYNC_ALL);
}

static long fdatasync_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	(void)t, (void)a;
	return sync_ask(f, P2S_SYNC_DATA);
}

static long syncfs_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	(void)t, (void)a;
	return sync_ask(f, P2S_SYNC_FS);
}

/* A part of a file is synced as the whole of it. */
static long sync_range_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	(void)t;
	if ((int64_t)a[1] < 0 || (int64_t)a[2] < 0 || a[3] & ~7ULL)
		return -EINVAL;
	return a[3] ? sync_ask(f, P2S_SYNC_DATA) : 0;
}

long sys_fsync(struct thread *t, const uint64_t a[6])
{
	return on_file(t, a, fsync_remote, SYS_fsync, false);
}

long sys_fdatasync(struct thread *t, const uint64_t a[6])
{
	return on_file(t, a, fdatasync_remote, SYS_fdatasync, false);
}

long sys_syncfs(struct thread *t, const uint64_t a[6])
{
	return on_file(t, a, syncfs_remote, SYS_syncfs, false);
}

long sys_sync_file_range(struct thread *t, const uint64_t a[6])
{
	return on_file(t, a, sync_range_remote, SYS_sync_file_range, false);
}

/* ---- advice: checked, then ignored ---- */

static long fadvise_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	(void)t, (void)f;
	return (int64_t)a[2] < 0 || (int)a[3] < POSIX_FADV_NORMAL || (int)a[3] > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

static long readahead_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	(void)t, (void)a;
	if (!file_readable(f))
		return -EBADF;
	return S_ISREG(f->mode) ? 0 : -EINVAL;
}

long sys_fadvise64(struct thread *t, const uint64_t a[6])
{
	return on_file(t, a, fadvise_remote, SYS_fadvise64, false);
}

long sys_readahead(struct thread *t, const uint64_t a[6])
{
	return on_file(t, a, readahead_remote, SYS_readahead, false);
}

/* ---- fallocate ---- */

static long fallocate_remote(struct thread *t, struct file *f, const uint64_t a[6])
{
	struct p2s_fallocate_req req = { .handle = f->handle, .off = a[2], .bytes = a[3], .mode = (uint32_t)a[1] };
	struct p2s_fallocate_rep rep;

	(void)t;
	if ((int64_t)a[2] < 0 || (int64_t)a[3] <= 0)
		return -EINVAL;
	return client_call(P2S_FALLOCATE, &req, NULL, 0, &rep, NULL, NULL);
}

/*
 * Room in a memory file whose pages may be away: the host kernel would put zeros there. The ExCache has room for them
 * whenever they come, so the size is all there is to do.
 */
static bool kept_room(int fd, const uint64_t a[6], long *ret)
{
	struct stat st;

	if (fd_hidden(fd) || !kept_file(fd) || (int64_t)a[2] < 0 || (int64_t)a[3] <= 0 ||
	    a[3] > (uint64_t)INT64_MAX - a[2] || host2(SYS_fstat, fd, &st))
		return false;
	*ret = 0;
	if (!(a[1] & FALLOC_FL_KEEP_SIZE) && a[2] + a[3] > (uint64_t)st.st_size)
		*ret = host2(SYS_ftruncate, fd, a[2] + a[3]);
	return true;
}

long sys_fallocate(struct thread *t, const uint64_t a[6])
{
	/* Holes, and whatever else changes contents; what is only made room for is zeros where nothing was */
	bool cuts = a[1] & ~(uint64_t)FALLOC_FL_KEEP_SIZE && !fd_hidden((int)a[0]);
	struct kept_cut cut = { 0 };
	uint64_t last = 1;
	long err;

	if ((int64_t)a[2] >= 0 && (int64_t)a[3] > 0 && !(a[1] & FALLOC_FL_KEEP_SIZE) &&
	    (err = fsize_cut(a[2] + a[3] - 1, &last)))
		return err;
	if (!cuts && kept_room((int)a[0], a, &err))
		return err;
	if (cuts)
		kept_cut_begin((int)a[0], a[2], a[3], &cut);
	err = on_file(t, a, fallocate_remote, SYS_fallocate, false);
	kept_cut_end((int)a[0], &cut, !err);
	return err;
}

/* ---- flock ---- */

static long flock_file(struct thread *t, struct file *f, const uint64_t a[6])
{
	return flock_remote(t, f, a[1]);
}

long sys_flock(struct thread *t, const uint64_t a[6])
{
	return on_file(t, a, flock_file, SYS_flock, true);
}
