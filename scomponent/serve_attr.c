/* Attributes of files, by path or handle: what they are, and changes to them that leave names and data alone. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "scomponent/attr.h"
#include "scomponent/resolve.h"
#include "scomponent/state.h"

static struct wire_time time_out(const struct statx_timestamp *t)
{
	return (struct wire_time){ .sec = t->tv_sec, .nsec = t->tv_nsec };
}

int attr_get(int fd, struct wire_stat *w)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &x))
		return -errno;
	*w = (struct wire_stat){
		.ino = x.stx_ino,
		.size = x.stx_size,
		.blocks = x.stx_blocks,
		.nlink = x.stx_nlink,
		.mode = x.stx_mode,
		.uid = x.stx_uid,
		.gid = x.stx_gid,
		.blksize = x.stx_blksize,
		.dev_major = x.stx_dev_major,
		.dev_minor = x.stx_dev_minor,
		.rdev_major = x.stx_rdev_major,
		.rdev_minor = x.stx_rdev_minor,
		.atime = time_out(&x.stx_atime),
		.mtime = time_out(&x.stx_mtime),
		.ctime = time_out(&x.stx_ctime),
	};
	w->btime = time_out(&x.stx_btime);
	if (!(x.stx_mask & STATX_BTIME))
		w->btime = (struct wire_time){ .nsec = UINT32_MAX };
	return 0;
}

/* The common start: who asks, the path whole, the file found. Links are followed unless the flags say no. */
static int begin(struct rpc_request *rq, const struct wire_at *at, const void *tail, uint32_t tail_bytes,
		 struct client **c, struct target *t)
{
	char path[PATH_MAX];
	int err;

	*c = client_of(rq);
	if (!*c)
		return -EACCES;
	if (tail_bytes != at->path_bytes)
		return -EINVAL;
	err = path_decode(at, tail, path);
	if (err)
		return err;
	return resolve(*c, at, path, !(at->flags & AT_SYMLINK_NOFOLLOW), t);
}

/* As begin, for a change. */
static int begin_change(struct rpc_request *rq, const struct wire_at *at, const void *tail, uint32_t tail_bytes,
			struct target *t)
{
	struct client *c;
	int err = begin(rq, at, tail, tail_bytes, &c, t);

	if (!err && c->s->readonly) {
		target_put(t);
		err = -EROFS;
	}
	return err;
}

/* The errno of a call that gave ret, and the end of the target. */
static int finish(struct target *t, long ret)
{
	int err = ret ? -errno : 0;

	target_put(t);
	return err;
}

int serve_stat(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_stat_req *req = body;
	struct p2s_stat_rep *rep = out;
	struct client *c;
	struct target t;
	int err = begin(rq, &req->at, tail, tail_bytes, &c, &t);

	if (err)
		return err;
	err = attr_get(t.fd, &rep->stat);
	target_put(&t);
	return err;
}

int serve_statfs(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_statfs_req *req = body;
	struct p2s_statfs_rep *rep = out;
	struct client *c;
	struct statfs f;
	struct target t;
	int err = begin(rq, &req->at, tail, tail_bytes, &c, &t);

	if (err)
		return err;
	err = finish(&t, fstatfs(t.fd, &f));
	if (err)
		return err;
	rep->type = (uint64_t)f.f_type;
	rep->bsize = (uint64_t)f.f_bsize;
	rep->blocks = f.f_blocks;
	rep->bfree = f.f_bfree;
	rep->bavail = f.f_bavail;
	rep->files = f.f_files;
	rep->ffree = f.f_ffree;
	rep->namelen = (uint64_t)f.f_namelen;
	rep->frsize = (uint64_t)f.f_frsize;
	rep->flags = (uint64_t)f.f_flags | (c->s->readonly ? ST_RDONLY : 0);
	memcpy(&rep->fsid, &f.f_fsid, sizeof(rep->fsid));
	return 0;
}

int serve_access(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_access_req *req = body;
	struct client *c;
	struct target t;
	int err;

	(void)out;
	if (req->reserved0 || req->mode & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	err = begin(rq, &req->at, tail, tail_bytes, &c, &t);
	if (err)
		return err;
	err = finish(&t, syscall(SYS_faccessat2, t.fd, "", req->mode, AT_EMPTY_PATH | AT_EACCESS));
	return !err && c->s->readonly && req->mode & W_OK ? -EROFS : err;
}

int serve_readlink(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_readlink_req *req = body;
	struct wire_at at = req->at;
	char text[PATH_MAX];
	struct client *c;
	struct target t;
	ssize_t n;
	int err;

	(void)out;
	at.flags |= AT_SYMLINK_NOFOLLOW;
	err = begin(rq, &at, tail, tail_bytes, &c, &t);
	if (err)
		return err;
	n = readlinkat(t.fd, "", text, sizeof(text));
	err = finish(&t, n < 0);
	/* The host kernel says ENOENT of what is no link, when asked by descriptor. */
	if (err)
		return err == -ENOENT && at.path_bytes ? -EINVAL : err;
	rpc_reply_tail(rq, text, (uint32_t)n);
	return 0;
}

int serve_truncate(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_truncate_req *req = body;
	bool by_path = req->at.path_bytes || req->at.flags & AT_SYMLINK_FOLLOW;
	char link[PROC_FD_BYTES];
	struct target t;
	struct stat st;
	int err;

	(void)out;
	if (req->bytes > INT64_MAX)
		return -EINVAL;
	err = begin_change(rq, &req->at, tail, tail_bytes, &t);
	if (err)
		return err;
	if (by_path && !fstat(t.fd, &st) && text_used(&client_of(rq)->s->texts, &st, TEXT_RUNS)) {
		target_put(&t);
		return -ETXTBSY;
	}
	return finish(&t,
		      by_path ? truncate(proc_fd(link, t.fd), (off_t)req->bytes) : ftruncate(t.fd, (off_t)req->bytes));
}

int serve_chmod(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_chmod_req *req = body;
	char link[PROC_FD_BYTES];
	struct stat st;
	struct target t;
	int err;

	(void)out;
	if (req->reserved0 || req->mode & ~07777u)
		return -EINVAL;
	err = begin_change(rq, &req->at, tail, tail_bytes, &t);
	if (err)
		return err;
	if (!fstat(t.fd, &st) && S_ISLNK(st.st_mode)) { /* links have no mode of their own */
		target_put(&t);
		return -EOPNOTSUPP;
	}
	return finish(&t, chmod(proc_fd(link, t.fd), req->mode));
}

int serve_chown(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_chown_req *req = body;
	struct target t;
	int err = begin_change(rq, &req->at, tail, tail_bytes, &t);

	(void)out;
	return err ? err : finish(&t, fchownat(t.fd, "", req->uid, req->gid, AT_EMPTY_PATH));
}

static bool time_valid(const struct wire_time *w)
{
	return !w->reserved0 && (w->nsec < 1000000000 || w->nsec == UTIME_NOW || w->nsec == UTIME_OMIT);
}

int serve_utimens(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_utimens_req *req = body;
	struct timespec ts[2] = {
		{ .tv_sec = req->atime.sec, .tv_nsec = req->atime.nsec },
		{ .tv_sec = req->mtime.sec, .tv_nsec = req->mtime.nsec },
	};
	struct target t;
	int err;

	(void)out;
	if (!time_valid(&req->atime) || !time_valid(&req->mtime))
		return -EINVAL;
	err = begin_change(rq, &req->at, tail, tail_bytes, &t);
	/* the bare call: the library's refuses an empty path on some versions */
	return err ? err : finish(&t, syscall(SYS_utimensat, t.fd, "", ts, AT_EMPTY_PATH));
}
