/* open and close. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fifo.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/kept.h"

struct open_args {
	uint32_t flags, mode;
};

#define O_TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

/* FIFOs, sockets and devices outside /dev: say once why they do not open. */
static long open_special(struct thread *t, const struct path *p, const struct open_args *o)
{
	static int said;
	bool here;
	long ret = fifo_open(t, p, o->flags, &here);

	if (ret == -ENXIO && !here && !__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
		sys_message(
			"%s: sockets and devices on a storage component cannot be opened, nor its FIFOs from another machine",
			p->str);
	return ret;
}

static long open_remote(struct thread *t, const struct path *p, const struct open_args *o)
{
	uint32_t mode = o->flags & (O_CREAT | O_TMPFILE_BIT) ? o->mode & 07777 & ~umask_get() : 0;
	long fd = fd_reserve(o->flags & O_CLOEXEC), err;
	struct file *f;

	if (fd < 0)
		return fd;
	err = remote_open(p, o->flags, mode, &f, NULL);
	if (err) {
		fd_unreserve((int)fd);
		return err == -ENXIO ? open_special(t, p, o) : err;
	}
	fd_install((int)fd, f);
	file_put(f);
	return fd;
}

struct host_open {
	const char *path;
	const struct open_args *o;
};

static long host_make(void *arg)
{
	const struct host_open *h = arg;

	return host4(SYS_openat, AT_FDCWD, h->path, h->o->flags, h->o->mode);
}

/* The list of our own descriptors: remembered, so that getdents leaves the dispatcher's out. */
static long open_fds(const struct path *p, const struct open_args *o)
{
	struct host_open h = { .path = p->str, .o = o };
	struct file *f = file_new(FILE_FDS, 0, o->flags, S_IFDIR, p->str);
	long ret = f ? fd_install_host(f, host_make, &h) : -ENOMEM;

	file_put(f);
	return ret;
}

static long open_op(struct thread *t, struct path *p, void *arg)
{
	const struct open_args *o = arg;
	struct open_how how = { .flags = o->flags, .mode = o->mode, .resolve = p->rules };
	long ret;

	if (p->where == PATH_REMOTE)
		return open_remote(t, p, o);
	switch (p->virt) {
	case VIRT_FDS:
		return open_fds(p, o);
	case VIRT_MAPS:
	case VIRT_SMAPS:
	case VIRT_STATM:
	case VIRT_STAT:
	case VIRT_CMDLINE:
	case VIRT_STATUS:
		if (o->flags & O_PATH)
			break;
		return proctext_open(p, o->flags);
	case VIRT_DENIED:
		return -EACCES;
	default:
		break;
	}
	/* may wait: a terminal line, a FIFO in /dev/shm */
	if (p->rules)
		ret = fd_adopt(host_block(t, SYS_openat2, (uint64_t)AT_FDCWD, (uint64_t)p->str, (uint64_t)&how,
					  sizeof(how), 0, 0));
	else
		ret = fd_adopt(
			host_block(t, SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)p->str, o->flags, o->mode, 0, 0));
	if (ret >= 0 && (o->flags & O_TRUNC))
		kept_discarded((int)ret, 0, UINT64_MAX);
	return ret;
}

static unsigned follow_flags(uint32_t flags)
{
	return flags & O_NOFOLLOW || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ? PATH_NOFOLLOW : 0;
}

static long open_any(struct thread *t, int dirfd, uint64_t addr, uint32_t flags, uint32_t mode)
{
	struct open_args o = { .flags = flags, .mode = mode };

	return path_do(t, dirfd, addr, follow_flags(flags), open_op, &o);
}

long sys_open(struct thread *t, const uint64_t a[6])
{
	return open_any(t, AT_FDCWD, a[0], (uint32_t)a[1], (uint32_t)a[2]);
}

long sys_openat(struct thread *t, const uint64_t a[6])
{
	return open_any(t, (int)a[0], a[1], (uint32_t)a[2], (uint32_t)a[3]);
}

/* The struct of the program, which may be shorter or longer than ours: what we do not know of it must be zero. */
static long how_in(struct thread *t, uint64_t addr, uint64_t bytes, struct open_how *how)
{
	char *all;
	uint64_t i;

	if (bytes < sizeof(*how))
		return -EINVAL;
	if (bytes > 4096)
		return -E2BIG;
	if (!(all = sys_scratch(t, bytes)))
		return -ENOMEM;
	if (uaccess_in(all, addr, bytes))
		return -EFAULT;
	for (i = sizeof(*how); i < bytes; i++)
		if (all[i])
			return -E2BIG;
	memcpy(how, all, sizeof(*how));
	return 0;
}

/* What is wrong with how, whatever the path, by the host kernel's own judgement. */
static long how_check(const struct open_how *how)
{
	long err = host4(SYS_openat2, -1, "x", how, sizeof(*how));

	if (err != -EBADF)
		return err;
	return how->resolve & RESOLVE_CACHED ? -EAGAIN : 0;
}

long sys_openat2(struct thread *t, const uint64_t a[6])
{
	struct open_how how;
	struct open_args o;
	struct path p;
	long ret;

	if ((ret = how_in(t, a[2], a[3], &how)) || (ret = how_check(&how)))
		return ret;
	o = (struct open_args){ .flags = (uint32_t)how.flags, .mode = (uint32_t)how.mode };
	ret = path_get_rules((int)a[0], a[1], follow_flags(o.flags), (uint32_t)how.resolve, &p);
	return ret ? ret : path_do_with(t, &p, follow_flags(o.flags), open_op, &o);
}

long sys_creat(struct thread *t, const uint64_t a[6])
{
	return open_any(t, AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, (uint32_t)a[1]);
}

long sys_close(struct thread *t, const uint64_t a[6])
{
	(void)t;
	return fd_close((int)a[0]);
}

long sys_close_range(struct thread *t, const uint64_t a[6])
{
	(void)t;
	return fd_close_range((unsigned)a[0], (unsigned)a[1], (unsigned)a[2]);
}
