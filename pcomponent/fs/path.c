/* Path: see path.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

#define REROUTES_MAX 8 /* links between the two sides, back and forth */

/* Where a relative path starts: a remote directory (counted), or a host directory's path. */
struct start {
	struct file *dir; /* NULL: the host's, or nowhere in particular */
	char path[PATH_MAX + 16];
};

static long start_cwd(struct start *s)
{
	struct cwd *c = cwd_get();

	s->dir = c->dir ? file_ref(c->dir) : NULL;
	snprintf(s->path, sizeof(s->path), "%s", c->path);
	cwd_put(c);
	return 0;
}

static long start_fd(int fd, struct start *s)
{
	char link[32];
	long n;

	s->dir = fd_remote(fd);
	if (s->dir) {
		snprintf(s->path, sizeof(s->path), "%s", s->dir->path);
		return 0;
	}
	if (fd < 0 || fd_hidden(fd))
		return -EBADF;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = host4(SYS_readlinkat, AT_FDCWD, link, s->path, sizeof(s->path) - 1);
	if (n < 0)
		return n == -ENOENT ? -EBADF : n;
	s->path[n] = '\0';
	return 0;
}

/*
 * What the text of a path demands at its end, and making it normal has lost: a directory ("x/"), which is not to be named
 * itself ("x/.", "x/.."). The host judges that.
 */
static const char *end_of(const char *raw)
{
	const char *last = strrchr(raw, '/');

	last = last ? last + 1 : raw;
	if (!*last)
		return "/";
	return !strcmp(last, ".") || !strcmp(last, "..") ? "/." : "";
}

static void end_keep(const char *end, struct path *p)
{
	size_t len = strlen(p->str);

	if (p->where == PATH_HOST && p->virt == VIRT_NONE && len + strlen(end) < PATH_MAX)
		strcpy(p->str + len, end);
}

/* s->dir is handed on or put. */
static long route(struct start *s, const char *raw, unsigned flags, struct path *p)
{
	const char *end = end_of(raw);
	char normal[PATH_MAX];
	long err = path_normal(s->path, raw, normal);

	if (!err && path_is_host(normal)) {
		p->where = PATH_HOST;
		strcpy(p->str, normal);
		err = procself_route(p, *end ? flags & ~(unsigned)PATH_NOFOLLOW : flags);
		end_keep(end, p);
	} else if (*raw == '/' || s->dir) { /* as it is: the storage component knows the links on the way */
		p->where = PATH_REMOTE;
		strcpy(p->str, raw);
		if (*raw != '/')
			p->dir = file_ref(s->dir);
		err = 0;
	} else if (!err) { /* out of the host's part by `..` */
		p->where = PATH_REMOTE;
		strcpy(p->str, normal);
	}
	file_put(s->dir);
	if (err)
		path_put(p);
	return err;
}

static void path_init(struct path *p)
{
	p->where = PATH_REMOTE;
	p->virt = VIRT_NONE;
	p->dir = NULL;
	p->fd = -1;
	p->rules = 0;
	p->str[0] = '\0';
}

long path_get_fd(int fd, struct path *p)
{
	struct cwd *c;
	long ret = 0;

	path_init(p);
	if (fd == AT_FDCWD) {
		c = cwd_get();
		if (c->dir) {
			p->dir = file_ref(c->dir);
		} else {
			p->where = PATH_HOST;
			snprintf(p->str, sizeof(p->str), "%s", c->path);
		}
		cwd_put(c);
		return 0;
	}
	p->dir = fd_remote(fd);
	if (p->dir)
		return 0;
	if (fd < 0 || fd_hidden(fd))
		return -EBADF;
	p->where = PATH_FD;
	p->fd = fd;
	return ret;
}

/* A relative path from a host object that has no path of its own (a deleted directory, no directory at all). */
static bool start_is_nowhere(const struct start *s)
{
	return !s->dir && s->path[0] != '/';
}

long path_get_local(int dirfd, const char *raw, unsigned flags, struct path *p)
{
	struct start s = { .dir = NULL };
	long err;

	if (!*raw)
		return flags & PATH_EMPTY ? path_get_fd(dirfd, p) : -ENOENT;
	path_init(p);
	if (*raw == '/')
		err = 0;
	else
		err = dirfd == AT_FDCWD ? start_cwd(&s) : start_fd(dirfd, &s);
	if (err)
		return err;
	if (*raw != '/' && start_is_nowhere(&s))
		return -ENOTDIR;
	return route(&s, raw, flags, p);
}

long path_get(int dirfd, uint64_t addr, unsigned flags, struct path *p)
{
	char raw[PATH_MAX];
	long n = uaccess_str(raw, addr, sizeof(raw));

	return n < 0 ? n : path_get_local(dirfd, raw, flags, p);
}

void path_put(struct path *p)
{
	file_put(p->dir);
	p->dir = NULL;
}

bool path_reroute(struct path *p, unsigned flags)
{
	struct p2s_resolve_req req = {
		.at = path_at(p, flags & PATH_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0),
	};
	struct p2s_resolve_rep rep;
	char where[PATH_MAX], normal[PATH_MAX];
	uint32_t n = sizeof(where) - 1;

	if (client_call(P2S_RESOLVE, &req, p->str, req.at.path_bytes, &rep, where, &n) || !rep.foreign)
		return false;
	where[n] = '\0';
	if (path_normal("/", where, normal) || !path_is_host(normal))
		return false;
	path_put(p);
	p->where = PATH_HOST;
	p->virt = VIRT_NONE;
	strcpy(p->str, normal);
	return !procself_route(p, flags);
}

long path_do_with(struct thread *t, struct path *p, unsigned flags, path_op *op, void *arg)
{
	long ret = op(t, p, arg);
	int i;

	for (i = 0; ret == -EREMOTE && p->where == PATH_REMOTE && i < REROUTES_MAX; i++)
		ret = path_reroute(p, flags) ? op(t, p, arg) : -ENOENT;
	path_put(p);
	return ret == -EREMOTE ? -ELOOP : ret;
}

long path_do(struct thread *t, int dirfd, uint64_t addr, unsigned flags, path_op *op, void *arg)
{
	struct path p;
	long ret = path_get(dirfd, addr, flags, &p);

	return ret ? ret : path_do_with(t, &p, flags, op, arg);
}
