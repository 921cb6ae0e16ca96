/* Changes to size, mode, owner and times of files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fsize.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/kept.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* An operation on a descriptor, by the same function as on a path. O_PATH descriptors are refused, as by f*(2). */
static long fd_do(struct thread *t, int fd, path_op *op, void *arg)
{
	struct path p;
	long ret = fd < 0 ? -EBADF : path_get_fd(fd, &p);

	if (ret)
		return ret;
	ret = p.where == PATH_REMOTE && file_flags(p.dir) & O_PATH ? -EBADF : op(t, &p, arg);
	path_put(&p);
	return ret;
}

static unsigned at_path_flags(uint32_t at)
{
	return (at & AT_SYMLINK_NOFOLLOW ? PATH_NOFOLLOW : 0) | (at & AT_EMPTY_PATH ? PATH_EMPTY : 0);
}

/* ---- size ---- */

struct truncate_args {
	uint64_t bytes;
	uint32_t flags; /* AT_SYMLINK_FOLLOW: by path, also where that led to an open file (/proc/self/fd) */
};

/* What is cut away is gone for a keeper too. */
static long truncate_host(int fd, uint64_t bytes)
{
	struct kept_cut cut;
	long ret;

	kept_cut_begin(fd, bytes, UINT64_MAX, &cut);
	ret = host2(SYS_ftruncate, fd, bytes);
	kept_cut_end(fd, &cut, !ret);
	return ret;
}

static long truncate_host_path(const char *path, uint64_t bytes)
{
	int fd = (int)host4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	long ret;

	if (fd < 0)
		return host2(SYS_truncate, path, bytes); /* which says why not */
	ret = kept_file(fd) ? truncate_host(fd, bytes) : host2(SYS_truncate, path, bytes);
	host1(SYS_close, fd);
	return ret;
}

/* How long the file is. */
static long bytes_now(const struct path *p, uint64_t *bytes)
{
	struct p2s_stat_req req = { .at = path_at(p, 0) };
	struct p2s_stat_rep rep;
	struct stat st;
	long err;

	if (p->where == PATH_FD || p->where == PATH_HOST) {
		err = p->where == PATH_FD ? host2(SYS_fstat, p->fd, &st) : host2(SYS_stat, p->str, &st);
		*bytes = (uint64_t)st.st_size;
	} else {
		err = client_call(P2S_STAT, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
		*bytes = rep.stat.size;
	}
	return err;
}

static long truncate_op(struct thread *t, struct path *p, void *arg)
{
	const struct truncate_args *a = arg;
	struct p2s_truncate_req req = { .at = path_at(p, a->flags), .bytes = a->bytes };
	struct p2s_truncate_rep rep;
	uint64_t one = 1, now;
	long err = 0;

	(void)t;
	if (a->bytes > proc_limit(RLIMIT_FSIZE)) { /* which binds who makes a file longer */
		err = bytes_now(p, &now);
		if (!err && a->bytes > now)
			err = fsize_cut(a->bytes, &one);
	}
	if (err)
		return err;
	if (p->where == PATH_FD)
		return truncate_host(p->fd, req.bytes);
	if (p->where == PATH_HOST)
		return truncate_host_path(p->str, req.bytes);
	return client_call(P2S_TRUNCATE, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

long sys_truncate(struct thread *t, const uint64_t a[6])
{
	struct truncate_args to = { .bytes = a[1], .flags = AT_SYMLINK_FOLLOW };

	if ((int64_t)to.bytes < 0)
		return -EINVAL;
	return path_do(t, AT_FDCWD, a[0], 0, truncate_op, &to);
}

long sys_ftruncate(struct thread *t, const uint64_t a[6])
{
	struct truncate_args to = { .bytes = a[1] };

	if ((int64_t)to.bytes < 0)
		return -EINVAL;
	return fd_do(t, (int)a[0], truncate_op, &to);
}

/* ---- mode ---- */

struct chmod_args {
	uint32_t mode, flags;
};

static long chmod_op(struct thread *t, struct path *p, void *arg)
{
	const struct chmod_args *c = arg;
	struct p2s_chmod_req req = { .at = path_at(p, c->flags & AT_SYMLINK_NOFOLLOW), .mode = c->mode & 07777 };
	struct p2s_chmod_rep rep;

	(void)t;
	if (p->where == PATH_FD)
		return host2(SYS_fchmod, p->fd, c->mode);
	if (p->where == PATH_HOST)
		return c->flags & AT_SYMLINK_NOFOLLOW ? host4(SYS_fchmodat2, AT_FDCWD, p->str, c->mode, c->flags)
						      : host3(SYS_fchmodat, AT_FDCWD, p->str, c->mode);
	return client_call(P2S_CHMOD, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

static long chmod_any(struct thread *t, int dirfd, uint64_t path, uint32_t mode, uint32_t flags)
{
	struct chmod_args c = { .mode = mode, .flags = flags };

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return path_do(t, dirfd, path, at_path_flags(flags), chmod_op, &c);
}

long sys_chmod(struct thread *t, const uint64_t a[6])
{
	return chmod_any(t, AT_FDCWD, a[0], (uint32_t)a[1], 0);
}

long sys_fchmod(struct thread *t, const uint64_t a[6])
{
	struct chmod_args c = { .mode = (uint32_t)a[1] };

	return fd_do(t, (int)a[0], chmod_op, &c);
}

long sys_fchmodat(struct thread *t, const uint64_t a[6])
{
	return chmod_any(t, (int)a[0], a[1], (uint32_t)a[2], 0);
}

long sys_fchmodat2(struct thread *t, const uint64_t a[6])
{
	return chmod_any(t, (int)a[0], a[1], (uint32_t)a[2], (uint32_t)a[3]);
}

/* ---- owner ---- */

struct chown_args {
	uint32_t uid, gid, flags;
};

static long chown_op(struct thread *t, struct path *p, void *arg)
{
	const struct chown_args *c = arg;
	struct p2s_chown_req req = { .at = path_at(p, c->flags & AT_SYMLINK_NOFOLLOW), .uid = c->uid, .gid = c->gid };
	struct p2s_chown_rep rep;

	(void)t;
	if (p->where == PATH_FD)
		return host3(SYS_fchown, p->fd, c->uid, c->gid);
	if (p->where == PATH_HOST)
		return host_call(SYS_fchownat, (uint64_t)AT_FDCWD, (uint64_t)p->str, c->uid, c->gid, c->flags, 0);
	return client_call(P2S_CHOWN, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

static long chown_any(struct thread *t, int dirfd, uint64_t path, uint64_t uid, uint64_t gid, uint32_t flags)
{
	struct chown_args c = { .uid = (uint32_t)uid, .gid = (uint32_t)gid, .flags = flags };

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return path_do(t, dirfd, path, at_path_flags(flags), chown_op, &c);
}

long sys_chown(struct thread *t, const uint64_t a[6])
{
	return chown_any(t, AT_FDCWD, a[0], a[1], a[2], 0);
}

long sys_lchown(struct thread *t, const uint64_t a[6])
{
	return chown_any(t, AT_FDCWD, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(struct thread *t, const uint64_t a[6])
{
	struct chown_args c = { .uid = (uint32_t)a[1], .gid = (uint32_t)a[2] };

	return fd_do(t, (int)a[0], chown_op, &c);
}

long sys_fchownat(struct thread *t, const uint64_t a[6])
{
	return chown_any(t, (int)a[0], a[1], a[2], a[3], (uint32_t)a[4]);
}

/* ---- times ---- */

struct utimens_args {
	struct timespec ts[2];
	uint32_t flags;
};

static bool nsec_valid(long nsec)
{
	return (nsec >= 0 && nsec < 1000000000) || nsec == UTIME_NOW || nsec == UTIME_OMIT;
}

static struct wire_time time_wire(const struct timespec *ts)
{
	return (struct wire_time){ .sec = ts->tv_sec, .nsec = (uint32_t)ts->tv_nsec };
}

static long utimens_op(struct thread *t, struct path *p, void *arg)
{
	const struct utimens_args *u = arg;
	struct p2s_utimens_req req = {
		.at = path_at(p, u->flags & AT_SYMLINK_NOFOLLOW),
		.atime = time_wire(&u->ts[0]),
		.mtime = time_wire(&u->ts[1]),
	};
	struct p2s_utimens_rep rep;

	(void)t;
	if (p->where == PATH_FD)
		return host4(SYS_utimensat, p->fd, NULL, u->ts, 0);
	if (p->where == PATH_HOST)
		return host4(SYS_utimensat, AT_FDCWD, p->str, u->ts, u->flags);
	return client_call(P2S_UTIMENS, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

/* path 0: the descriptor itself */
static long utimens_any(struct thread *t, int dirfd, uint64_t path, struct utimens_args *u)
{
	if (u->flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (u->ts[0].tv_nsec == UTIME_OMIT && u->ts[1].tv_nsec == UTIME_OMIT)
		return 0;
	if (!nsec_valid(u->ts[0].tv_nsec) || !nsec_valid(u->ts[1].tv_nsec))
		return -EINVAL;
	if (path || dirfd == AT_FDCWD)
		return path_do(t, dirfd, path, at_path_flags(u->flags), utimens_op, u);
	return u->flags ? -EINVAL : fd_do(t, dirfd, utimens_op, u);
}

static void times_now(struct utimens_args *u)
{
	u->ts[0] = u->ts[1] = (struct timespec){ .tv_nsec = UTIME_NOW };
}

long sys_utimensat(struct thread *t, const uint64_t a[6])
{
	struct utimens_args u = { .flags = (uint32_t)a[3] };

	if (!a[2])
		times_now(&u);
	else if (uaccess_in(u.ts, a[2], sizeof(u.ts)))
		return -EFAULT;
	return utimens_any(t, (int)a[0], a[1], &u);
}

/* Microseconds in program memory to times. */
static long timevals_in(uint64_t addr, struct utimens_args *u)
{
	struct timeval tv[2];
	int i;

	if (!addr) {
		times_now(u);
		return 0;
	}
	if (uaccess_in(tv, addr, sizeof(tv)))
		return -EFAULT;
	for (i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return -EINVAL;
		u->ts[i] = (struct timespec){ .tv_sec = tv[i].tv_sec, .tv_nsec = tv[i].tv_usec * 1000 };
	}
	return 0;
}

long sys_futimesat(struct thread *t, const uint64_t a[6])
{
	struct utimens_args u = { .flags = 0 };
	long err = timevals_in(a[2], &u);

	return err ? err : utimens_any(t, (int)a[0], a[1], &u);
}

long sys_utimes(struct thread *t, const uint64_t a[6])
{
	struct utimens_args u = { .flags = 0 };
	long err = timevals_in(a[1], &u);

	return err ? err : utimens_any(t, AT_FDCWD, a[0], &u);
}

long sys_utime(struct thread *t, const uint64_t a[6])
{
	struct utimens_args u = { .flags = 0 };
	struct utimbuf b;

	if (!a[1]) {
		times_now(&u);
	} else {
		if (uaccess_in(&b, a[1], sizeof(b)))
			return -EFAULT;
		u.ts[0].tv_sec = b.actime;
		u.ts[1].tv_sec = b.modtime;
	}
	return utimens_any(t, AT_FDCWD, a[0], &u);
}
