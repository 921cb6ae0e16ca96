/* Resolve: see resolve.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "scomponent/resolve.h"
#include "scomponent/state.h"

#define AT_KNOWN (AT_SYMLINK_NOFOLLOW | AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_REMOVEDIR | AT_EACCESS | AT_NO_AUTOMOUNT)
#define CONFINED (RESOLVE_BENEATH | RESOLVE_IN_ROOT) /* to the directory that a path starts from */
#define RACES_MAX 16				     /* renames that may disturb one resolution of `..` */

char *proc_fd(char *buf, int fd)
{
	snprintf(buf, PROC_FD_BYTES, "/proc/self/fd/%d", fd);
	return buf;
}

int path_decode(const struct wire_at *at, const char *bytes, char *buf)
{
	if (at->flags & ~(uint32_t)AT_KNOWN)
		return -EINVAL;
	if (at->path_bytes >= PATH_MAX)
		return -ENAMETOOLONG;
	if (memchr(bytes, '\0', at->path_bytes))
		return -EINVAL;
	if (!at->path_bytes && !(at->flags & AT_EMPTY_PATH))
		return -ENOENT;
	memcpy(buf, bytes, at->path_bytes);
	buf[at->path_bytes] = '\0';
	return 0;
}

static int openat2_retry(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t rules)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = rules | RESOLVE_NO_MAGICLINKS,
	};
	int tries, fd = -EAGAIN;

	for (tries = 0; fd == -EAGAIN && tries < RACES_MAX; tries++) {
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd < 0)
			fd = -errno;
	}
	return fd;
}

bool path_is_foreign(const char *path)
{
	static const char *const tops[] = { "/proc", "/sys", "/dev" };
	size_t i, n;

	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		n = strlen(tops[i]);
		if (!strncmp(path, tops[i], n) && (!path[n] || path[n] == '/'))
			return true;
	}
	return false;
}

/* The link text of a deleted file has a suffix; a file may also be named so, hence the look at the link count. */
static void suffix_strip(int fd, char *buf, size_t len, bool *deleted)
{
	static const char suffix[] = " (deleted)";
	size_t n = sizeof(suffix) - 1;
	struct stat st;

	*deleted = false;
	if (len <= n || strcmp(buf + len - n, suffix) || fstat(fd, &st))
		return;
	/* A hard link may be left under another name; the one we came by is gone all the same. */
	if (!st.st_nlink || faccessat(AT_FDCWD, buf, F_OK, AT_SYMLINK_NOFOLLOW)) {
		buf[len - n] = '\0';
		*deleted = true;
	}
}

int canonical_path(const struct scomponent *s, int fd, char *buf, bool *deleted)
{
	char link[PROC_FD_BYTES], full[PATH_MAX + 16];
	ssize_t n = readlink(proc_fd(link, fd), full, sizeof(full) - 1);
	const char *path = full + s->root_len;
	bool gone;

	if (n < 0)
		return -errno;
	full[n] = '\0';
	suffix_strip(fd, full, (size_t)n, deleted ? deleted : &gone);
	n = (ssize_t)strlen(full);
	if ((size_t)n < s->root_len || strncmp(full, s->root_path, s->root_len) || (*path && *path != '/'))
		return -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(buf, *path ? path : "/");
	return (int)strlen(buf);
}

/* Relative to a directory of the export, where the kernel's own rule (nothing above it) is too narrow. */
static int open_composed(struct client *c, int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t rules)
{
	char full[PATH_MAX];
	bool deleted;
	int n = canonical_path(c->s, dir, full, &deleted);

	if (n < 0)
		return n;
	if (deleted)
		return -ENOENT;
	if ((size_t)n + 1 + strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	full[n] = '/';
	strcpy(full + n + 1, path);
	return openat2_retry(c->s->root, full, flags, mode, rules | RESOLVE_IN_ROOT);
}

static int open_rules(struct client *c, const struct wire_at *at, const char *path, uint64_t flags, uint64_t mode,
		      uint64_t rules)
{
	struct handle *h = at->dir ? handles_get(&c->files, at->dir) : NULL;
	int fd;

	rules |= at->flags & OPEN_RULES;
	if (!at->dir || (*path == '/' && !(rules & CONFINED)))
		return openat2_retry(c->s->root, path, flags, mode, rules & CONFINED ? rules : rules | RESOLVE_IN_ROOT);
	if (!h)
		return -EBADF;
	if (rules & CONFINED)
		return openat2_retry(h->fd, path, flags, mode, rules);
	fd = openat2_retry(h->fd, path, flags, mode, rules | RESOLVE_BENEATH);
	if (fd != -EXDEV && fd != -EAGAIN)
		return fd;
	/* `..` above the handle, or an absolute link */
	return open_composed(c, h->fd, path, flags, mode, rules);
}

int open_below(struct client *c, const struct wire_at *at, const char *path, uint64_t flags, uint64_t mode)
{
	return open_rules(c, at, path, flags, mode, 0);
}

/*
 * A failed resolution may have failed only because /proc or /dev here are not those of the program. Without a link on the
 * way it is what it seems; that is quickly found out.
 */
static int failed(struct client *c, const struct wire_at *at, const char *path, bool follow, int err)
{
	char start[PATH_MAX] = "/", out[PATH_MAX];
	struct handle *h;

	if ((err != -ENOENT && err != -ELOOP) || at->flags & (CONFINED | RESOLVE_NO_SYMLINKS))
		return err;
	if (open_rules(c, at, path, O_PATH, 0, RESOLVE_NO_SYMLINKS) == -ENOENT)
		return err;
	if (at->dir && *path != '/') {
		h = handles_get(&c->files, at->dir);
		if (!h || canonical_path(c->s, h->fd, start, NULL) < 0)
			return err;
	}
	return walk_foreign(c->s, start, path, follow, out) ? -EREMOTE : err;
}

static int empty_path(struct client *c, const struct wire_at *at, struct target *t)
{
	struct handle *h = NULL;

	if (at->dir) {
		h = handles_get(&c->files, at->dir);
		if (!h)
			return -EBADF;
	}
	t->fd = h ? h->fd : c->s->root;
	t->own = false;
	return 0;
}

int resolve(struct client *c, const struct wire_at *at, const char *path, bool follow, struct target *t)
{
	char where[PATH_MAX];
	int fd;

	if (!*path)
		return empty_path(c, at, t);
	fd = open_below(c, at, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
	if (fd < 0)
		return failed(c, at, path, follow, fd);
	if (canonical_path(c->s, fd, where, NULL) >= 0 && path_is_foreign(where)) {
		close(fd);
		return at->flags & CONFINED ? -EXDEV : -EREMOTE;
	}
	t->fd = fd;
	t->own = true;
	return 0;
}

void target_put(struct target *t)
{
	if (t->own)
		close(t->fd);
	t->own = false;
}

/* Split off the last name. -EBUSY: there is none. */
static int last_name(const char *path, char *parent, char name[LAST_NAME_BYTES])
{
	size_t end = strlen(path), start;
	bool slash = false;

	while (end && path[end - 1] == '/') {
		slash = true;
		end--;
	}
	if (!end)
		return -EBUSY;
	for (start = end; start && path[start - 1] != '/';)
		start--;
	if (end - start > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path + start, end - start);
	strcpy(name + (end - start), slash ? "/" : "");
	memcpy(parent, path, start);
	parent[start] = '\0';
	return 0;
}

int resolve_parent(struct client *c, const struct wire_at *at, const char *path, struct target *t,
		   char name[LAST_NAME_BYTES])
{
	char parent[PATH_MAX];
	int err;

	if (!*path)
		return -ENOENT;
	err = last_name(path, parent, name);
	if (err)
		return err;
	return resolve(c, at, parent, true, t);
}
