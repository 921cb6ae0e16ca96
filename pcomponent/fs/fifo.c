/* FIFOs: see fifo.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fifo.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"

#define NOT_AGAIN ((uint32_t)(O_CREAT | O_EXCL | O_NOFOLLOW | O_TRUNC))

/* As memcmp: 1 when here's is the later one. */
static int compare(const struct timespec *here, const struct wire_time *there)
{
	if (here->tv_sec != there->sec)
		return here->tv_sec > there->sec ? 1 : -1;
	return (here->tv_nsec > (long)there->nsec) - (here->tv_nsec < (long)there->nsec);
}

static bool same_number(const struct wire_stat *there, const struct stat *here)
{
	return S_ISFIFO(there->mode) && S_ISFIFO(here->st_mode) && there->ino == here->st_ino &&
	       there->dev_major == major(here->st_dev) && there->dev_minor == minor(here->st_dev);
}

/*
 * The same, and not only a FIFO with the same number on another machine? Both have changed at the same time. Who writes to it
 * changes it, also between two looks: then it is the time of a look here between two looks there.
 */
static bool is_same(const struct file *f, const struct wire_stat *before, const struct stat *here)
{
	struct wire_stat after;

	if (!same_number(before, here) || compare(&here->st_ctim, &before->ctime) < 0)
		return false;
	return compare(&here->st_ctim, &before->ctime) == 0 ||
	       (!remote_stat_file(f, &after) && compare(&here->st_ctim, &after.ctime) <= 0);
}

/* The file on this machine, O_PATH and above the floor: -ENXIO where it is not the same. */
static int here_open(const struct file *f, const struct wire_stat *there)
{
	int low = open(f->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), high = -1;
	struct stat here;

	if (low < 0)
		return -ENXIO;
	if (!fstat(low, &here) && is_same(f, there, &here))
		high = fcntl(low, F_DUPFD_CLOEXEC, fd_floor());
	close(low);
	return high < 0 ? -ENXIO : high;
}

long fifo_open(struct thread *t, const struct path *p, uint32_t flags, bool *here)
{
	struct wire_stat there;
	struct file *f;
	char link[32];
	long ret = remote_open(p, O_PATH | (flags & O_NOFOLLOW), 0, &f, &there);
	int fd;

	*here = false;
	if (ret)
		return ret;
	fd = here_open(f, &there);
	file_put(f);
	*here = fd >= 0;
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	/* waits for the other side */
	ret = host_block(t, SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)link, flags & ~NOT_AGAIN, 0, 0, 0);
	close(fd);
	return fd_adopt(ret);
}
