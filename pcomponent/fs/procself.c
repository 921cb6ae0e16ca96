/* /proc/self: see procself.h. Routing first, then links, then texts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"

static struct {
	char exe[PATH_MAX];
	char *const *argv;
} self;

void fs_proc_self(const char *exe_canonical, char *const argv[])
{
	snprintf(self.exe, sizeof(self.exe), "%s", exe_canonical);
	self.argv = argv;
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
	f = fd_remote((int)fd);
	if (!f)
		return 0;
	if (!*tail && flags & PATH_NOFOLLOW) {
		p->virt = VIRT_LINK_FD;
		p->dir = f;
	} else {
		become_remote(p, f, tail);
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
			return become_path(p, self.exe, in, flags);
		p->virt = VIRT_LINK_EXE;
	} else if ((in = after(rest, "/cwd"))) {
		if (*in || follow)
			return route_cwd(p, in, flags);
		p->virt = VIRT_LINK_CWD;
	} else if ((in = after(rest, "/root")) && (*in || follow)) {
		return become_path(p, "/", in, flags);
	} else if (!strcmp(rest, "/maps")) {
		p->virt = VIRT_MAPS;
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
		strcpy(buf, self.exe);
		return (long)strlen(buf);
	case VIRT_LINK_FD:
		return remote_link_text(p->dir, buf);
	case VIRT_LINK_CWD:
		c = cwd_get();
		n = c->dir ? remote_link_text(c->dir, buf) : (long)strlen(strcpy(buf, c->path));
		cwd_put(c);
		return n;
	default:
		return -EINVAL;
	}
}

/* ---- texts ---- */

static char *cmdline_text(size_t *len)
{
	size_t n = 0, one;
	char *text;
	int i;

	for (i = 0; self.argv && self.argv[i]; i++)
		n += strlen(self.argv[i]) + 1;
	text = malloc(n + 1);
	if (!text)
		return NULL;
	for (*len = 0, i = 0; self.argv && self.argv[i]; i++, *len += one) {
		one = strlen(self.argv[i]) + 1;
		memcpy(text + *len, self.argv[i], one);
	}
	return text;
}

/* The host's text, but for the sizes: the dispatcher's own memory is not the program's. */
static char *status_text(size_t *len)
{
	FILE *in = fopen("/proc/thread-self/status", "re"), *out;
	uint64_t size = 0, resident = 0;
	char line[512], *text = NULL;

	if (!in)
		return NULL;
	out = open_memstream(&text, len);
	if (out) {
		vm_totals(&size, &resident);
		while (fgets(line, sizeof(line), in)) {
			if (!strncmp(line, "VmSize:", 7))
				fprintf(out, "VmSize:\t%8llu kB\n", (unsigned long long)size / 1024);
			else if (!strncmp(line, "VmRSS:", 6))
				fprintf(out, "VmRSS:\t%8llu kB\n", (unsigned long long)resident / 1024);
			else
				fputs(line, out);
		}
		if (fclose(out)) {
			free(text);
			text = NULL;
		}
	}
	fclose(in);
	return text;
}

static int fill(int fd, const char *text, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, text + done, len - done);
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

struct text_open {
	int memfd; /* above the floor */
	unsigned flags;
};

static long text_make(void *arg)
{
	const struct text_open *o = arg;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", o->memfd);
	return host4(SYS_openat, AT_FDCWD, link, O_RDONLY | (o->flags & O_CLOEXEC), 0);
}

/* A memfd above the floor that holds the text: the program's descriptor is a second, read-only opening of it. */
static long text_memfd(const char *name, const char *text, size_t len)
{
	int low = memfd_create(name, MFD_CLOEXEC), fd, err;

	if (low < 0)
		return -errno;
	fd = fcntl(low, F_DUPFD_CLOEXEC, fd_floor());
	err = fd < 0 ? -errno : 0;
	close(low);
	if (!err)
		err = fill(fd, text, len);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

long procself_open(const struct path *p, unsigned flags)
{
	struct text_open o = { .flags = flags };
	size_t len = 0;
	struct file *f;
	char *text;
	long fd;

	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	text = p->virt == VIRT_MAPS	 ? vm_maps_text(&len)
	       : p->virt == VIRT_CMDLINE ? cmdline_text(&len)
					 : status_text(&len);
	if (!text)
		return -ENOMEM;
	fd = text_memfd(strrchr(p->str, '/') + 1, text, len);
	free(text);
	if (fd < 0)
		return fd;
	o.memfd = (int)fd;
	f = file_new(FILE_TEXT, 0, O_RDONLY, S_IFREG, p->str);
	fd = f ? fd_install_host(f, text_make, &o) : -ENOMEM;
	file_put(f);
	close(o.memfd);
	return fd;
}
