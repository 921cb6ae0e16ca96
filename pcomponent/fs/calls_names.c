/* Names: what adds, removes and moves entries of directories. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

/* ---- one path ---- */

static long mkdir_op(struct thread *t, struct path *p, void *arg)
{
	uint32_t mode = *(uint32_t *)arg;
	struct p2s_mkdir_req req = { .at = path_at(p, 0), .mode = mode & 01777 & ~umask_get() };
	struct p2s_mkdir_rep rep;

	(void)t;
	if (p->where != PATH_REMOTE)
		return host3(SYS_mkdirat, AT_FDCWD, p->str, mode);
	return client_call(P2S_MKDIR, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

static long mkdir_any(struct thread *t, int dirfd, uint64_t path, uint32_t mode)
{
	return path_do(t, dirfd, path, PATH_NOFOLLOW, mkdir_op, &mode);
}

long sys_mkdir(struct thread *t, const uint64_t a[6])
{
	return mkdir_any(t, AT_FDCWD, a[0], (uint32_t)a[1]);
}

long sys_mkdirat(struct thread *t, const uint64_t a[6])
{
	return mkdir_any(t, (int)a[0], a[1], (uint32_t)a[2]);
}

static long unlink_op(struct thread *t, struct path *p, void *arg)
{
	uint32_t flags = *(uint32_t *)arg;
	struct p2s_unlink_req req = { .at = path_at(p, flags) };
	struct p2s_unlink_rep rep;

	(void)t;
	if (p->where != PATH_REMOTE)
		return host3(SYS_unlinkat, AT_FDCWD, p->str, flags);
	return client_call(P2S_UNLINK, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

static long unlink_any(struct thread *t, int dirfd, uint64_t path, uint32_t flags)
{
	if (flags & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	return path_do(t, dirfd, path, PATH_NOFOLLOW, unlink_op, &flags);
}

long sys_unlink(struct thread *t, const uint64_t a[6])
{
	return unlink_any(t, AT_FDCWD, a[0], 0);
}

long sys_rmdir(struct thread *t, const uint64_t a[6])
{
	return unlink_any(t, AT_FDCWD, a[0], AT_REMOVEDIR);
}

long sys_unlinkat(struct thread *t, const uint64_t a[6])
{
	return unlink_any(t, (int)a[0], a[1], (uint32_t)a[2]);
}

static long special_remote(const struct path *p, uint32_t mode)
{
	struct p2s_mkdir_req req = {
		.at = path_at(p, 0),
		.mode = mode & 07777 & ~umask_get(),
		.kind = S_ISFIFO(mode) ? 1 : 2,
	};
	struct p2s_mkdir_rep rep;

	return client_call(P2S_MKDIR, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

/* Regular files, FIFOs and sockets; devices of a storage component could be opened by nobody. */
static long mknod_op(struct thread *t, struct path *p, void *arg)
{
	const uint32_t *mode_dev = arg;
	uint32_t mode = mode_dev[0];
	struct file *f;
	long ret;

	(void)t;
	if (p->where != PATH_REMOTE)
		return host4(SYS_mknodat, AT_FDCWD, p->str, mode, mode_dev[1]);
	if (S_ISFIFO(mode) || S_ISSOCK(mode))
		return special_remote(p, mode);
	if ((mode & S_IFMT) && !S_ISREG(mode))
		return S_ISDIR(mode) || S_ISCHR(mode) || S_ISBLK(mode) ? -EPERM : -EINVAL;
	ret = remote_open(p, O_CREAT | O_EXCL | O_WRONLY, mode & 07777 & ~umask_get(), &f, NULL);
	if (!ret)
		file_put(f);
	return ret;
}

static long mknod_any(struct thread *t, int dirfd, uint64_t path, uint64_t mode, uint64_t dev)
{
	uint32_t mode_dev[2] = { (uint32_t)mode, (uint32_t)dev };

	return path_do(t, dirfd, path, PATH_NOFOLLOW, mknod_op, mode_dev);
}

long sys_mknod(struct thread *t, const uint64_t a[6])
{
	return mknod_any(t, AT_FDCWD, a[0], a[1], a[2]);
}

long sys_mknodat(struct thread *t, const uint64_t a[6])
{
	return mknod_any(t, (int)a[0], a[1], a[2], a[3]);
}

/* ---- symlink: a text and a path ---- */

static long symlink_op(struct thread *t, struct path *p, void *arg)
{
	const char *target = arg;
	size_t n = strlen(target), m = strlen(p->str);
	struct p2s_symlink_req req = { .at = path_at(p, 0), .target_bytes = (uint32_t)n };
	struct p2s_symlink_rep rep;
	char *tail;

	if (p->where != PATH_REMOTE)
		return host3(SYS_symlinkat, target, AT_FDCWD, p->str);
	tail = sys_scratch(t, n + m);
	if (!tail)
		return -ENOMEM;
	memcpy(tail, target, n);
	memcpy(tail + n, p->str, m);
	return client_call(P2S_SYMLINK, &req, tail, (uint32_t)(n + m), &rep, NULL, NULL);
}

static long symlink_any(struct thread *t, uint64_t target, int dirfd, uint64_t path)
{
	char text[PATH_MAX];
	long n = uaccess_str(text, target, sizeof(text));

	if (n <= 0)
		return n ? n : -ENOENT;
	return path_do(t, dirfd, path, PATH_NOFOLLOW, symlink_op, text);
}

long sys_symlink(struct thread *t, const uint64_t a[6])
{
	return symlink_any(t, a[0], AT_FDCWD, a[1]);
}

long sys_symlinkat(struct thread *t, const uint64_t a[6])
{
	return symlink_any(t, a[0], (int)a[1], a[2]);
}

/* ---- readlink ---- */

struct readlink_args {
	uint64_t out;
	int bytes;
};

static long readlink_remote(const struct path *p, char *text)
{
	struct p2s_readlink_req req = { .at = path_at(p, 0) };
	struct p2s_readlink_rep rep;
	uint32_t n = PATH_MAX;
	int err = client_call(P2S_READLINK, &req, p->str, req.at.path_bytes, &rep, text, &n);

	return err ? err : (long)n;
}

static long readlink_host(const struct path *p, char *text)
{
	if (p->virt == VIRT_LINK_EXE || p->virt == VIRT_LINK_CWD || p->virt == VIRT_LINK_FD)
		return procself_link(p, text);
	return host4(SYS_readlinkat, p->where == PATH_FD ? p->fd : AT_FDCWD, p->str, text, PATH_MAX);
}

static long readlink_op(struct thread *t, struct path *p, void *arg)
{
	const struct readlink_args *r = arg;
	char text[PATH_MAX + 16];
	long n = p->where == PATH_REMOTE ? readlink_remote(p, text) : readlink_host(p, text);

	(void)t;
	if (n < 0)
		return n;
	if (n > r->bytes)
		n = r->bytes;
	return uaccess_out(r->out, text, (size_t)n) ? -EFAULT : n;
}

static long readlink_any(struct thread *t, int dirfd, uint64_t path, uint64_t out, int bytes)
{
	struct readlink_args r = { .out = out, .bytes = bytes };

	if (bytes <= 0)
		return -EINVAL;
	return path_do(t, dirfd, path, PATH_NOFOLLOW | PATH_EMPTY, readlink_op, &r);
}

long sys_readlink(struct thread *t, const uint64_t a[6])
{
	char first;

	/* without a descriptor an empty path is no path */
	if (!uaccess_in(&first, a[0], 1) && !first)
		return (int)a[2] <= 0 ? -EINVAL : -ENOENT;
	return readlink_any(t, AT_FDCWD, a[0], a[1], (int)a[2]);
}

long sys_readlinkat(struct thread *t, const uint64_t a[6])
{
	return readlink_any(t, (int)a[0], a[1], a[2], (int)a[3]);
}

/* ---- two paths: rename, link ---- */

typedef long pair_op(struct thread *t, struct path *from, struct path *to, uint32_t flags);

static long tail_join(struct thread *t, const struct path *from, const struct path *to, char **tail)
{
	size_t n = strlen(from->str), m = strlen(to->str);

	*tail = sys_scratch(t, n + m + 1);
	if (!*tail)
		return -ENOMEM;
	memcpy(*tail, from->str, n);
	memcpy(*tail + n, to->str, m);
	return (long)(n + m);
}

static long rename_op(struct thread *t, struct path *from, struct path *to, uint32_t flags)
{
	struct p2s_rename_req req = { .from = path_at(from, 0), .to = path_at(to, 0), .flags = flags };
	struct p2s_rename_rep rep;
	char *tail;
	long n;

	if (from->where != PATH_REMOTE)
		return host_call(SYS_renameat2, (uint64_t)AT_FDCWD, (uint64_t)from->str, (uint64_t)AT_FDCWD,
				 (uint64_t)to->str, flags, 0);
	n = tail_join(t, from, to, &tail);
	return n < 0 ? n : client_call(P2S_RENAME, &req, tail, (uint32_t)n, &rep, NULL, NULL);
}

static long link_op(struct thread *t, struct path *from, struct path *to, uint32_t flags)
{
	struct p2s_link_req req = { .from = path_at(from, flags & AT_SYMLINK_FOLLOW), .to = path_at(to, 0) };
	struct p2s_link_rep rep;
	char *tail;
	long n;

	if (from->where != PATH_REMOTE)
		return host_call(SYS_linkat, (uint64_t)(from->where == PATH_FD ? from->fd : AT_FDCWD),
				 (uint64_t)from->str, (uint64_t)AT_FDCWD, (uint64_t)to->str, flags, 0);
	n = tail_join(t, from, to, &tail);
	return n < 0 ? n : client_call(P2S_LINK, &req, tail, (uint32_t)n, &rep, NULL, NULL);
}

static bool same_side(const struct path *a, const struct path *b)
{
	return (a->where == PATH_REMOTE) == (b->where == PATH_REMOTE);
}

/* Between the host and the storage component there is no rename or link: different file systems. */
static long pair_do(struct thread *t, struct path *from, unsigned from_flags, struct path *to, pair_op *op,
		    uint32_t flags)
{
	bool moved;
	long ret;

	ret = same_side(from, to) ? op(t, from, to, flags) : -EXDEV;
	if (ret != -EREMOTE)
		return ret;
	moved = path_reroute(from, from_flags);
	moved |= path_reroute(to, PATH_NOFOLLOW);
	if (!moved)
		return -ENOENT;
	ret = same_side(from, to) ? op(t, from, to, flags) : -EXDEV;
	return ret == -EREMOTE ? -ELOOP : ret;
}

static long pair_get(struct thread *t, const uint64_t at[4], unsigned from_flags, pair_op *op, uint32_t flags)
{
	struct path from, to;
	long ret = path_get((int)at[0], at[1], from_flags, &from);

	if (ret)
		return ret;
	ret = path_get((int)at[2], at[3], PATH_NOFOLLOW, &to);
	if (!ret) {
		ret = pair_do(t, &from, from_flags, &to, op, flags);
		path_put(&to);
	}
	path_put(&from);
	return ret;
}

static long rename_any(struct thread *t, uint64_t fd1, uint64_t p1, uint64_t fd2, uint64_t p2, uint32_t flags)
{
	const uint64_t at[4] = { fd1, p1, fd2, p2 };

	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) ||
	    (flags & RENAME_EXCHANGE && flags & ~(uint32_t)RENAME_EXCHANGE))
		return -EINVAL;
	return pair_get(t, at, PATH_NOFOLLOW, rename_op, flags);
}

long sys_rename(struct thread *t, const uint64_t a[6])
{
	return rename_any(t, (uint64_t)AT_FDCWD, a[0], (uint64_t)AT_FDCWD, a[1], 0);
}

long sys_renameat(struct thread *t, const uint64_t a[6])
{
	return rename_any(t, a[0], a[1], a[2], a[3], 0);
}

long sys_renameat2(struct thread *t, const uint64_t a[6])
{
	return rename_any(t, a[0], a[1], a[2], a[3], (uint32_t)a[4]);
}

static long link_any(struct thread *t, uint64_t fd1, uint64_t p1, uint64_t fd2, uint64_t p2, uint32_t flags)
{
	const uint64_t at[4] = { fd1, p1, fd2, p2 };

	if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return pair_get(t, at,
			(flags & AT_SYMLINK_FOLLOW ? 0 : PATH_NOFOLLOW) | (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0),
			link_op, flags);
}

long sys_link(struct thread *t, const uint64_t a[6])
{
	return link_any(t, (uint64_t)AT_FDCWD, a[0], (uint64_t)AT_FDCWD, a[1], 0);
}

long sys_linkat(struct thread *t, const uint64_t a[6])
{
	return link_any(t, a[0], a[1], a[2], a[3], (uint32_t)a[4]);
}
