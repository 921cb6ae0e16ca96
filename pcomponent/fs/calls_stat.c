/* What a file is: stat and its family, statfs, access. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

static void stat_fill(struct stat *st, const struct wire_stat *w)
{
	*st = (struct stat){
		.st_dev = makedev(w->dev_major, w->dev_minor),
		.st_ino = w->ino,
		.st_nlink = w->nlink,
		.st_mode = w->mode,
		.st_uid = w->uid,
		.st_gid = w->gid,
		.st_rdev = makedev(w->rdev_major, w->rdev_minor),
		.st_size = (off_t)w->size,
		.st_blksize = w->blksize,
		.st_blocks = (blkcnt_t)w->blocks,
		.st_atim = { .tv_sec = w->atime.sec, .tv_nsec = w->atime.nsec },
		.st_mtim = { .tv_sec = w->mtime.sec, .tv_nsec = w->mtime.nsec },
		.st_ctim = { .tv_sec = w->ctime.sec, .tv_nsec = w->ctime.nsec },
	};
}

static struct statx_timestamp statx_time(const struct wire_time *w)
{
	return (struct statx_timestamp){ .tv_sec = w->sec, .tv_nsec = w->nsec };
}

static void statx_fill(struct statx *x, const struct wire_stat *w)
{
	memset(x, 0, sizeof(*x));
	x->stx_mask = STATX_BASIC_STATS;
	x->stx_blksize = w->blksize;
	x->stx_nlink = (uint32_t)w->nlink;
	x->stx_uid = w->uid;
	x->stx_gid = w->gid;
	x->stx_mode = (uint16_t)w->mode;
	x->stx_ino = w->ino;
	x->stx_size = w->size;
	x->stx_blocks = w->blocks;
	x->stx_atime = statx_time(&w->atime);
	x->stx_mtime = statx_time(&w->mtime);
	x->stx_ctime = statx_time(&w->ctime);
	x->stx_rdev_major = w->rdev_major;
	x->stx_rdev_minor = w->rdev_minor;
	x->stx_dev_major = w->dev_major;
	x->stx_dev_minor = w->dev_minor;
	if (w->btime.nsec != UINT32_MAX) {
		x->stx_mask |= STATX_BTIME;
		x->stx_btime = statx_time(&w->btime);
	}
}

struct stat_args {
	uint64_t out; /* of the program */
	uint32_t flags, mask;
	bool x; /* statx */
};

static long stat_out(const struct stat_args *s, const struct wire_stat *w)
{
	union {
		struct stat st;
		struct statx x;
	} u;

	if (s->x)
		statx_fill(&u.x, w);
	else
		stat_fill(&u.st, w);
	return uaccess_out(s->out, &u, s->x ? sizeof(u.x) : sizeof(u.st));
}

static long stat_host(const struct path *p, const struct stat_args *s)
{
	int fd = p->where == PATH_FD ? p->fd : AT_FDCWD;
	union {
		struct stat st;
		struct statx x;
	} u;
	long ret;

	if (s->x)
		ret = host_call(SYS_statx, (uint64_t)fd, (uint64_t)p->str, s->flags, s->mask, (uint64_t)&u.x, 0);
	else
		ret = host4(SYS_newfstatat, fd, p->str, &u.st, s->flags);
	return ret ? ret : uaccess_out(s->out, &u, s->x ? sizeof(u.x) : sizeof(u.st));
}

static long stat_op(struct thread *t, struct path *p, void *arg)
{
	const struct stat_args *s = arg;
	struct wire_stat w;
	long err;

	(void)t;
	if (p->where != PATH_REMOTE)
		return stat_host(p, s);
	err = remote_stat(p, s->flags & AT_SYMLINK_NOFOLLOW, &w);
	return err ? err : stat_out(s, &w);
}

static unsigned at_path_flags(uint32_t at)
{
	return (at & AT_SYMLINK_NOFOLLOW ? PATH_NOFOLLOW : 0) | (at & AT_EMPTY_PATH ? PATH_EMPTY : 0);
}

static long stat_any(struct thread *t, int dirfd, uint64_t path, uint64_t out, uint32_t flags)
{
	struct stat_args s = { .out = out, .flags = flags };

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	return path_do(t, dirfd, path, at_path_flags(flags), stat_op, &s);
}

long sys_stat(struct thread *t, const uint64_t a[6])
{
	return stat_any(t, AT_FDCWD, a[0], a[1], 0);
}

long sys_lstat(struct thread *t, const uint64_t a[6])
{
	return stat_any(t, AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW);
}

long sys_newfstatat(struct thread *t, const uint64_t a[6])
{
	return stat_any(t, (int)a[0], a[1], a[2], (uint32_t)a[3]);
}

long sys_fstat(struct thread *t, const uint64_t a[6])
{
	struct stat_args s = { .out = a[1], .flags = AT_EMPTY_PATH };
	struct path p;
	long ret;

	if ((int)a[0] < 0) /* also AT_FDCWD, which newfstatat would take */
		return -EBADF;
	ret = path_get_fd((int)a[0], &p);
	if (ret)
		return ret;
	ret = stat_op(t, &p, &s);
	path_put(&p);
	return ret;
}

long sys_statx(struct thread *t, const uint64_t a[6])
{
	struct stat_args s = { .out = a[4], .flags = (uint32_t)a[2], .mask = (uint32_t)a[3], .x = true };

	if (s.mask & 0x80000000u || (s.flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if (s.flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	return path_do(t, (int)a[0], a[1], at_path_flags(s.flags), stat_op, &s);
}

/* ---- statfs ---- */

static long statfs_remote(const struct path *p, struct statfs *f)
{
	struct p2s_statfs_req req = { .at = path_at(p, 0) };
	struct p2s_statfs_rep r;
	int err = client_call(P2S_STATFS, &req, p->str, req.at.path_bytes, &r, NULL, NULL);

	if (err)
		return err;
	memset(f, 0, sizeof(*f));
	f->f_type = (long)r.type;
	f->f_bsize = (long)r.bsize;
	f->f_blocks = r.blocks;
	f->f_bfree = r.bfree;
	f->f_bavail = r.bavail;
	f->f_files = r.files;
	f->f_ffree = r.ffree;
	memcpy(&f->f_fsid, &r.fsid, sizeof(f->f_fsid));
	f->f_namelen = (long)r.namelen;
	f->f_frsize = (long)r.frsize;
	f->f_flags = (long)r.flags;
	return 0;
}

static long statfs_op(struct thread *t, struct path *p, void *arg)
{
	struct statfs f;
	long ret;

	(void)t;
	if (p->where == PATH_REMOTE)
		ret = statfs_remote(p, &f);
	else if (p->where == PATH_FD)
		ret = host2(SYS_fstatfs, p->fd, &f);
	else
		ret = host2(SYS_statfs, p->str, &f);
	return ret ? ret : uaccess_out(*(uint64_t *)arg, &f, sizeof(f));
}

long sys_statfs(struct thread *t, const uint64_t a[6])
{
	uint64_t out = a[1];

	return path_do(t, AT_FDCWD, a[0], 0, statfs_op, &out);
}

long sys_fstatfs(struct thread *t, const uint64_t a[6])
{
	uint64_t out = a[1];
	struct path p;
	long ret = (int)a[0] < 0 ? -EBADF : path_get_fd((int)a[0], &p);

	if (ret)
		return ret;
	ret = statfs_op(t, &p, &out);
	path_put(&p);
	return ret;
}

/* ---- access ---- */

struct access_args {
	uint32_t mode, flags;
};

static long access_op(struct thread *t, struct path *p, void *arg)
{
	const struct access_args *x = arg;
	int fd = p->where == PATH_FD ? p->fd : AT_FDCWD;

	(void)t;
	if (p->where == PATH_REMOTE)
		return remote_access(p, x->flags & (AT_EACCESS | AT_SYMLINK_NOFOLLOW), x->mode);
	return x->flags ? host4(SYS_faccessat2, fd, p->str, x->mode, x->flags)
			: host3(SYS_faccessat, fd, p->str, x->mode);
}

static long access_any(struct thread *t, int dirfd, uint64_t path, uint32_t mode, uint32_t flags)
{
	struct access_args x = { .mode = mode, .flags = flags };

	if (mode & ~7u || flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return path_do(t, dirfd, path, at_path_flags(flags), access_op, &x);
}

long sys_access(struct thread *t, const uint64_t a[6])
{
	return access_any(t, AT_FDCWD, a[0], (uint32_t)a[1], 0);
}

long sys_faccessat(struct thread *t, const uint64_t a[6])
{
	return access_any(t, (int)a[0], a[1], (uint32_t)a[2], 0);
}

long sys_faccessat2(struct thread *t, const uint64_t a[6])
{
	return access_any(t, (int)a[0], a[1], (uint32_t)a[2], (uint32_t)a[3]);
}
