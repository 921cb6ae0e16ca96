/* /proc/self: see procself.h. Where its names lead, and what its links say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"

static char exe[PATH_MAX];

void fs_proc_self(const char *exe_canonical, char *const argv[], char *const envp[])
{
	snprintf(exe, sizeof(exe), "%s", exe_canonical);
	proctext_words(argv, envp);
}

/* ---- routing ---- */

/* If path starts with the whole names of head, what follows them ("" or "/..."); else NULL. */
static const char *after(const char *path, const char *head)
{
	size_t n = strlen(head);

	return !strncmp(path, head, n) && (!path[n] || path[n] == '/') ? path + n : NULL;
}

/* A number as a whole name, which must be the first of path ("/17/..."): what follows it, else NULL. */
static const char *after_number(const char *path, long *number)
{
	char *end;

	if (path[0] != '/' || path[1] < '0' || path[1] > '9')
		return NULL;
	*number = strtol(path + 1, &end, 10);
	return *end && *end != '/' ? NULL : end;
}

/* What follows our own entry in /proc, else NULL. A thread's entry counts as the process's: its files are the same. */
static const char *after_self(const char *path)
{
	const char *rest, *task, *in;
	long pid, tid;

	rest = after(path, "/proc/self");
	if (!rest)
		rest = after(path, "/proc/thread-self");
	if (!rest && (in = after(path, "/proc"))) {
		rest = after_number(in, &pid);
		if (rest && pid != host0(SYS_getpid))
			rest = NULL;
	}
	if (rest && (task = after(rest, "/task")) && (task = after_number(task, &tid)))
		rest = task;
	return rest;
}

/* p goes on at `rest` from a remote directory (counted up). */
static void become_remote(struct path *p, struct file *dir, const char *rest)
{
	p->where = PATH_REMOTE;
	p->virt = VIRT_NONE;
	p->dir = dir;
	rest += strspn(rest, "/");
	memmove(p->str, rest, strlen(rest) + 1);
}

/* p goes on at an absolute path, which may be anybody's. */
static long become_path(struct path *p, const char *base, const char *rest, unsigned flags)
{
	char full[PATH_MAX];
	int err;

	rest += strspn(rest, "/");
	err = path_normal(base, rest, full);
	if (err)
		return err;
	strcpy(p->str, full);
	if (path_is_host(full))
		return procself_route(p, flags);
	p->where = PATH_REMOTE;
	p->virt = VIRT_NONE;
	return 0;
}

static long route_cwd(struct path *p, const char *rest, unsigned flags)
{
	struct cwd *c = cwd_get();
	long err = 0;

	if (c->dir)
		become_remote(p, file_ref(c->dir), rest);
	else
		err = become_path(p, c->path, rest, flags);
	cwd_put(c);
	return err;
}

static long route_fd(struct path *p, const char *rest, unsigned flags)
{
	bool link = flags & PATH_NOFOLLOW;
	const char *tail;
	struct file *f;
	long fd;

	if (!*rest) {
		p->virt = VIRT_FDS;
		return 0;
	}
	tail = after_number(rest, &fd);
	if (!tail)
		return 0;
	if (fd > INT_MAX || fd_hidden((int)fd))
		return -ENOENT;
	f = fd_file((int)fd);
	if (f && !*tail && link && f->kind != FILE_FDS) {
		p->virt = VIRT_LINK_FD;
		p->dir = f;
	} else if (f && f->kind == FILE_REMOTE) {
		become_remote(p, f, tail);
	} else {
		file_put(f);
	}
	return 0;
}

/* /dev/fd and its kin are links into /proc/self: take them by name, so that it is looked into. */
static long route_dev(struct path *p, unsigned flags)
{
	static const char *const std[] = { "/dev/stdin", "/dev/stdout", "/dev/stderr" };
	bool follow = !(flags & PATH_NOFOLLOW);
	char full[PATH_MAX];
	const char *rest;
	int i;

	rest = after(p->str, "/dev/fd");
	if (rest && (*rest || follow)) {
		snprintf(full, sizeof(full), "/proc/self/fd%s", rest);
		strcpy(p->str, full);
		return procself_route(p, flags);
	}
	for (i = 0; i < 3; i++) {
		rest = after(p->str, std[i]);
		if (rest && (*rest || follow)) {
			snprintf(full, sizeof(full), "/proc/self/fd/%d%s", i, rest);
			strcpy(p->str, full);
			return procself_route(p, flags);
		}
	}
	return 0;
}

int procself_number(const char *path)
{
	const char *rest = after_self(path), *in = rest ? after(rest, "/fd") : after(path, "/dev/fd"), *tail;
	long fd;

	tail = in ? after_number(in, &fd) : NULL;
	return tail && !*tail && fd <= INT_MAX ? (int)fd : -1;
}

long procself_route(struct path *p, unsigned flags)
{
	const char *rest = after_self(p->str), *in;
	bool follow = !(flags & PATH_NOFOLLOW);

	if (!rest)
		return route_dev(p, flags);
	if ((in = after(rest, "/fd")) || ((in = after(rest, "/fdinfo")) && !*in))
		return route_fd(p, in, flags);
	if ((in = after(rest, "/exe"))) {
		if (*in || follow)
			return become_path(p, exe, in, flags);
		p->virt = VIRT_LINK_EXE;
	} else if ((in = after(rest, "/cwd"))) {
		if (*in || follow)
			return route_cwd(p, in, flags);
		p->virt = VIRT_LINK_CWD;
	} else if ((in = after(rest, "/root")) && (*in || follow)) {
		return become_path(p, "/", in, flags);
	} else if (!strcmp(rest, "/maps")) {
		p->virt = VIRT_MAPS;
	} else if (!strcmp(rest, "/smaps")) {
		p->virt = VIRT_SMAPS;
	} else if (!strcmp(rest, "/statm")) {
		p->virt = VIRT_STATM;
	} else if (!strcmp(rest, "/stat")) {
		p->virt = VIRT_STAT;
	} else if (!strcmp(rest, "/cmdline")) {
		p->virt = VIRT_CMDLINE;
	} else if (!strcmp(rest, "/status")) {
		p->virt = VIRT_STATUS;
	} else if (!strcmp(rest, "/mem")) {
		p->virt = VIRT_DENIED;
	}
	return 0;
}

/* ---- links ---- */

long procself_link(const struct path *p, char *buf)
{
	struct cwd *c;
	long n;

	switch (p->virt) {
	case VIRT_LINK_EXE:
		strcpy(buf, exe);
		return (long)strlen(buf);
	case VIRT_LINK_FD:
		if (p->dir->kind == FILE_REMOTE)
			return remote_link_text(p->dir, buf);
		return (long)strlen(strcpy(buf, p->dir->path)); /* of a text: not the memory that holds it */
	case VIRT_LINK_CWD:
		c = cwd_get();
		n = c->dir ? remote_link_text(c->dir, buf) : (long)strlen(strcpy(buf, c->path));
		cwd_put(c);
		return n;
	default:
		return -EINVAL;
	}
}
