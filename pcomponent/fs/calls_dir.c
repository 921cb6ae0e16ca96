/* Directories: their entries, the working directory, the umask. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

/* ---- entries ---- */

#define DENTS_BYTES_MAX (64u << 10) /* of one call */

struct dent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* The old format has the same size: the type moves from before the name to the record's last byte. */
static void dents_to_old(char *buf, long n)
{
	struct dent64 *d;
	long at;
	uint8_t type;
	char *name;

	for (at = 0; at < n; at += d->reclen) {
		d = (struct dent64 *)(buf + at);
		type = d->type;
		name = d->name;
		memmove(name - 1, name, strlen(name) + 1);
		buf[at + d->reclen - 1] = (char)type;
	}
}

/* Records as a storage component should have made them: whole, aligned, names terminated. */
static bool dents_valid(const char *buf, long n)
{
	const size_t head = offsetof(struct dent64, name);
	const struct dent64 *d;
	long at;

	for (at = 0; at < n; at += d->reclen) {
		d = (const struct dent64 *)(buf + at);
		if ((size_t)(n - at) <= head || d->reclen <= head || d->reclen % 8 || d->reclen > n - at)
			return false;
		if (!memchr(d->name, 0, d->reclen - head))
			return false;
	}
	return true;
}

/* The slot's memory is within reach of the storage component, which may change it after a look: look at a copy. */
static long dents_out(struct thread *t, const struct slot *s, uint32_t n, uint64_t out, bool old)
{
	char *copy = sys_scratch(t, n + 1UL);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, s->addr, n);
	if (!dents_valid(copy, n))
		return -EIO;
	if (old)
		dents_to_old(copy, n);
	return uaccess_out(out, copy, n) ? -EFAULT : 0;
}

static long dents_remote(struct thread *t, struct file *f, uint64_t out, uint32_t bytes, bool old)
{
	struct p2s_getdents_req req = { .handle = f->handle, .bytes = bytes };
	struct p2s_getdents_rep rep;
	struct slot s;
	long ret;

	if (file_flags(f) & O_PATH)
		return -EBADF;
	if (!S_ISDIR(f->mode))
		return -ENOTDIR;
	ret = file_pos_begin(f, &req.cookie);
	if (ret)
		return ret;
	ret = slot_get(&s);
	if (ret) {
		file_pos_end(f, req.cookie);
		return ret;
	}
	req.buf = s.buf;
	if (bytes > DENTS_BYTES_MAX)
		req.bytes = DENTS_BYTES_MAX;
	ret = client_call(P2S_GETDENTS, &req, NULL, 0, &rep, NULL, NULL);
	if (!ret && rep.done > req.bytes)
		ret = -EIO;
	if (!ret)
		ret = dents_out(t, &s, rep.done, out, old);
	slot_put(&s);
	file_pos_end(f, ret ? req.cookie : rep.next);
	return ret ? ret : (long)rep.done;
}

/* Take our own descriptors out of a listing of /proc/self/fd. What is left. */
static long fds_strip(char *buf, long n)
{
	struct dent64 *d;
	long from, to = 0, len;

	for (from = 0; from < n; from += len) {
		d = (struct dent64 *)(buf + from);
		len = d->reclen;
		if (d->name[0] >= '0' && d->name[0] <= '9' && fd_hidden(atoi(d->name)))
			continue;
		memmove(buf + to, d, (size_t)len);
		to += len;
	}
	return to;
}

static long dents_host(struct thread *t, int fd, uint64_t out, uint32_t bytes, bool old, bool strip)
{
	uint64_t n = bytes < SYS_PIECE_BYTES ? bytes : SYS_PIECE_BYTES;
	char *buf = sys_scratch(t, n + 1);
	long ret, left;

	if (!buf)
		return -ENOMEM;
	do {
		ret = left = host3(SYS_getdents64, fd, buf, n);
		if (ret > 0 && strip)
			left = fds_strip(buf, ret);
	} while (ret > 0 && !left);
	if (ret <= 0)
		return ret;
	if (old)
		dents_to_old(buf, left);
	return uaccess_out(out, buf, (size_t)left) ? -EFAULT : left;
}

static long dents(struct thread *t, const uint64_t a[6], bool old)
{
	int fd = (int)a[0];
	struct file *f;
	long ret;

	if (fd_hidden(fd))
		return -EBADF;
	f = fd_file(fd);
	if (f && f->kind == FILE_REMOTE)
		ret = dents_remote(t, f, a[1], (uint32_t)a[2], old);
	else
		ret = dents_host(t, fd, a[1], (uint32_t)a[2], old, f && f->kind == FILE_FDS);
	file_put(f);
	return ret;
}

long sys_getdents64(struct thread *t, const uint64_t a[6])
{
	return dents(t, a, false);
}

long sys_getdents(struct thread *t, const uint64_t a[6])
{
	return dents(t, a, true);
}

/* ---- the working directory ---- */

long sys_getcwd(struct thread *t, const uint64_t a[6])
{
	char text[PATH_MAX + 16];
	struct cwd *c = cwd_get();
	struct p2s_path_req req = { 0 };
	struct p2s_path_rep rep;
	uint32_t n = PATH_MAX;
	long err = 0;

	(void)t;
	if (c->dir) { /* it may have been renamed since */
		req.handle = c->dir->handle;
		err = client_call(P2S_PATH, &req, NULL, 0, &rep, text, &n);
		if (!err && rep.deleted)
			err = -ENOENT;
	} else {
		n = (uint32_t)strlen(c->path);
		memcpy(text, c->path, n);
	}
	cwd_put(c);
	if (err)
		return err;
	text[n++] = '\0';
	if (n > a[1])
		return -ERANGE;
	return uaccess_out(a[0], text, n) ? -EFAULT : (long)n;
}

static long chdir_remote(const struct path *p)
{
	struct path at;
	struct file *dir;
	long err = remote_open(p, O_PATH | O_DIRECTORY, 0, &dir, NULL);

	if (err)
		return err;
	at = (struct path){ .where = PATH_REMOTE, .dir = dir };
	err = remote_access(&at, AT_EACCESS, X_OK);
	if (err) {
		file_put(dir);
		return err;
	}
	return cwd_set(dir, dir->path);
}

/* The host's own working directory stays where it is: paths are joined here. */
static long chdir_host(const struct path *p)
{
	struct stat st;
	char link[32], text[PATH_MAX];
	const char *path = p->str;
	long n;

	if (p->where == PATH_FD) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", p->fd);
		n = host4(SYS_readlinkat, AT_FDCWD, link, text, sizeof(text) - 1);
		if (n < 0)
			return n == -ENOENT ? -EBADF : n;
		text[n] = '\0';
		path = text;
	}
	n = host4(SYS_newfstatat, AT_FDCWD, path, &st, 0);
	if (n)
		return p->where == PATH_FD ? -ENOTDIR : n; /* pipes and the like have no such path */
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	n = host4(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS);
	return n ? n : cwd_set(NULL, path);
}

static long chdir_op(struct thread *t, struct path *p, void *arg)
{
	(void)t, (void)arg;
	return p->where == PATH_REMOTE ? chdir_remote(p) : chdir_host(p);
}

long sys_chdir(struct thread *t, const uint64_t a[6])
{
	return path_do(t, AT_FDCWD, a[0], 0, chdir_op, NULL);
}

long sys_fchdir(struct thread *t, const uint64_t a[6])
{
	struct path p;
	long ret = (int)a[0] < 0 ? -EBADF : path_get_fd((int)a[0], &p);

	if (ret)
		return ret;
	ret = chdir_op(t, &p, NULL);
	path_put(&p);
	return ret;
}

/* The host's is set too: it counts where the host makes a file (/dev/shm, sockets). */
long sys_umask(struct thread *t, const uint64_t a[6])
{
	uint32_t old = umask_get();

	(void)t;
	umask_set((uint32_t)a[0] & 0777);
	host1(SYS_umask, a[0] & 0777);
	return old;
}
