/*
 * Names: what adds, removes and moves entries of directories. The directory is resolved, then the call is made on one
 * plain name in it, which the host kernel does not follow.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "scomponent/resolve.h"
#include "scomponent/state.h"

/* A name in a directory. */
struct entry {
	struct target dir;
	char name[LAST_NAME_BYTES];
};

static int entry_find(struct client *c, const struct wire_at *at, const char *bytes, struct entry *e)
{
	char path[PATH_MAX];
	int err = path_decode(at, bytes, path);

	return err ? err : resolve_parent(c, at, path, &e->dir, e->name);
}

/* For what makes a new name. On a read-only export the answer for names that are there stays EEXIST. */
static int entry_new(struct client *c, const struct wire_at *at, const char *bytes, struct entry *e)
{
	int err = entry_find(c, at, bytes, e);

	if (err)
		return err == -EBUSY ? -EEXIST : err;
	if (!c->s->readonly)
		return 0;
	err = faccessat(e->dir.fd, e->name, F_OK, AT_SYMLINK_NOFOLLOW) ? -EROFS : -EEXIST;
	target_put(&e->dir);
	return err;
}

static int finish(struct entry *e, long ret)
{
	int err = ret ? -errno : 0;

	target_put(&e->dir);
	return err;
}

int serve_unlink(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_unlink_req *req = body;
	struct client *c = client_of(rq);
	bool dir = req->at.flags & AT_REMOVEDIR;
	struct entry e;
	int err;

	(void)out;
	if (!c)
		return -EACCES;
	if (tail_bytes != req->at.path_bytes)
		return -EINVAL;
	err = entry_find(c, &req->at, tail, &e);
	if (err)
		return err == -EBUSY && !dir ? -EISDIR : err;
	if (c->s->readonly) {
		err = faccessat(e.dir.fd, e.name, F_OK, AT_SYMLINK_NOFOLLOW) ? -errno : -EROFS;
		target_put(&e.dir);
		return err;
	}
	return finish(&e, unlinkat(e.dir.fd, e.name, dir ? AT_REMOVEDIR : 0));
}

static int make(const struct entry *e, uint32_t kind, uint32_t mode)
{
	return kind ? mknodat(e->dir.fd, e->name, (kind == 1 ? S_IFIFO : S_IFSOCK) | mode, 0)
		    : mkdirat(e->dir.fd, e->name, mode);
}

int serve_mkdir(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_mkdir_req *req = body;
	struct client *c = client_of(rq);
	struct entry e;
	int err;

	(void)out;
	if (!c)
		return -EACCES;
	if (tail_bytes != req->at.path_bytes || req->kind > 2 || req->mode & ~07777u)
		return -EINVAL;
	err = entry_new(c, &req->at, tail, &e);
	if (err)
		return err;
	return finish(&e, make(&e, req->kind, req->mode));
}

/* Two paths in one tail: do they fill it exactly? */
static bool two_paths_fit(const struct wire_at *a, const struct wire_at *b, uint32_t tail_bytes)
{
	return a->path_bytes < PATH_MAX && b->path_bytes < PATH_MAX && a->path_bytes + b->path_bytes == tail_bytes;
}

int serve_rename(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_rename_req *req = body;
	struct client *c = client_of(rq);
	struct entry from, to;
	int err;

	(void)out;
	if (!c)
		return -EACCES;
	if (!two_paths_fit(&req->from, &req->to, tail_bytes) || req->reserved0)
		return -EINVAL;
	err = entry_find(c, &req->from, tail, &from);
	if (err)
		return err;
	err = entry_find(c, &req->to, (const char *)tail + req->from.path_bytes, &to);
	if (err)
		goto from;
	if (c->s->readonly)
		err = -EROFS;
	else if (syscall(SYS_renameat2, from.dir.fd, from.name, to.dir.fd, to.name, req->flags))
		err = -errno;
	target_put(&to.dir);
from:
	target_put(&from.dir);
	return err;
}

int serve_link(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_link_req *req = body;
	struct client *c = client_of(rq);
	char path[PATH_MAX], link[PROC_FD_BYTES];
	struct target from;
	struct entry to;
	int err;

	(void)out;
	if (!c)
		return -EACCES;
	if (!two_paths_fit(&req->from, &req->to, tail_bytes))
		return -EINVAL;
	err = path_decode(&req->from, tail, path);
	if (!err)
		err = resolve(c, &req->from, path, req->from.flags & AT_SYMLINK_FOLLOW, &from);
	if (err)
		return err;
	err = entry_new(c, &req->to, (const char *)tail + req->from.path_bytes, &to);
	if (err)
		goto from;
	/* The link of /proc ends at the file itself, even where that is a symbolic link. */
	err = finish(&to, linkat(AT_FDCWD, proc_fd(link, from.fd), to.dir.fd, to.name, AT_SYMLINK_FOLLOW));
from:
	target_put(&from);
	return err;
}

int serve_symlink(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_symlink_req *req = body;
	const struct wire_at text = { .path_bytes = req->target_bytes };
	struct client *c = client_of(rq);
	char target[PATH_MAX];
	struct entry e;
	int err;

	(void)out;
	if (!c)
		return -EACCES;
	if (!two_paths_fit(&text, &req->at, tail_bytes) || req->reserved0)
		return -EINVAL;
	err = path_decode(&text, tail, target);
	if (!err)
		err = entry_new(c, &req->at, (const char *)tail + req->target_bytes, &e);
	return err ? err : finish(&e, symlinkat(target, e.dir.fd, e.name));
}
