/* See uffd.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "ashlar/base/log.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/uffd.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static struct {
	int fd, self, mem; /* userfaultfd, pidfd, /proc/self/mem; -1: none */
	int floor;
	bool drop_vector; /* process_madvise(DONTNEED) on oneself works */
	void *zeros;
} uffd = { .fd = -1, .self = -1, .mem = -1 };

/* Move a descriptor out of the program's numbers. */
int uffd_fd_raise(int fd)
{
	int high = fd;

	if (fd >= 0 && fd < uffd.floor) {
		high = fcntl(fd, F_DUPFD_CLOEXEC, uffd.floor);
		(void)close(fd);
	}
	return high;
}

static void fd_drop(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Kernels before 6.13 refuse to let a process drop its own pages by vector. */
static bool drop_vector_works(void)
{
	char *p = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { .iov_base = p, .iov_len = PAGE_BYTES };
	bool works;

	if (p == MAP_FAILED)
		return false;
	*(volatile char *)p = 1;
	works = uffd.self >= 0 && syscall(SYS_process_madvise, uffd.self, &iov, 1, MADV_DONTNEED, 0) == PAGE_BYTES &&
		*(volatile char *)p == 0;
	(void)munmap(p, PAGE_BYTES);
	return works;
}

/* The files of a process that changed its user belong to root, until it lets itself be looked at again. */
int excache_self_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), dumpable, err;

	if (fd >= 0 || errno != EACCES)
		return fd;
	dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_SET_DUMPABLE, 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	err = errno;
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, 0);
	errno = err;
	return fd;
}

/* Without a pidfd it goes on. */
static void self_open(void)
{
	uffd.self = uffd_fd_raise((int)syscall(SYS_pidfd_open, getpid(), 0));
	uffd.mem = uffd_fd_raise(excache_self_open("/proc/self/mem"));
}

int uffd_open(int fd_floor, bool kernel_6_1, uint32_t *used)
{
	uffd.floor = fd_floor;
	self_open();
	uffd.zeros = mmap(NULL, UFFD_ZEROS_MAX * PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
			  0);
	if (uffd.mem < 0 || uffd.zeros == MAP_FAILED) {
		int err = errno;

		uffd.zeros = NULL;
		uffd_close();
		return -err;
	}
	uffd.drop_vector = !kernel_6_1 && drop_vector_works();
	*used |= uffd.drop_vector ? STATS_KERNEL_DROP : 0u;
	return 0;
}

void uffd_close(void)
{
	fd_drop(&uffd.fd);
	fd_drop(&uffd.self);
	fd_drop(&uffd.mem);
	if (uffd.zeros)
		(void)munmap(uffd.zeros, UFFD_ZEROS_MAX * PAGE_BYTES);
	uffd.zeros = NULL;
}

void uffd_fork_child(int fd_floor)
{
	uffd.floor = fd_floor;
	uffd.fd = uffd.self = uffd.mem = -1;
}

static int fd_make(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	int err;

	uffd.fd = uffd_fd_raise((int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
	if (uffd.fd >= 0 && ioctl(uffd.fd, UFFDIO_API, &api) == 0)
		return 0;
	err = errno;
	fd_drop(&uffd.fd);
	return -err;
}

int uffd_check(void)
{
	int err = fd_make();

	fd_drop(&uffd.fd);
	return err;
}

int uffd_register(uint64_t start, uint64_t bytes)
{
	struct uffdio_register r = { .range = { .start = start, .len = bytes },
				     .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP };
	int err = uffd.fd < 0 ? fd_make() : 0;

	if (!err && uffd.mem < 0) /* a child, which may have no need of it */
		self_open();
	if (!err && uffd.mem < 0)
		err = -errno;
	if (!err && ioctl(uffd.fd, UFFDIO_REGISTER, &r) != 0)
		err = -errno;
	return err;
}

int uffd_copy(uint64_t addr, const void *src, unsigned pages, bool protect)
{
	for (;;) {
		struct uffdio_copy c = { .dst = addr,
					 .src = (uint64_t)(uintptr_t)(src ? src : uffd.zeros),
					 .len = pages * PAGE_BYTES,
					 .mode = UFFDIO_COPY_MODE_DONTWAKE | (protect ? UFFDIO_COPY_MODE_WP : 0) };

		if (ioctl(uffd.fd, UFFDIO_COPY, &c) == 0)
			return (int)pages;
		if (c.copy > 0)
			return (int)((uint64_t)c.copy / PAGE_BYTES);
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int protection(uint64_t addr, uint64_t pages, uint64_t mode)
{
	struct uffdio_writeprotect w = { .range = { .start = addr, .len = pages * PAGE_BYTES }, .mode = mode };

	while (ioctl(uffd.fd, UFFDIO_WRITEPROTECT, &w) != 0)
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	return 0;
}

/*
 * Kernel 6.1 wants the range inside one mapping, later ones want all mappings in it registered: halve it until they are
 * content. A single page that is not registered is none of ours.
 */
int uffd_protect(uint64_t addr, uint64_t pages, uint64_t *calls)
{
	int err = protection(addr, pages, UFFDIO_WRITEPROTECT_MODE_WP);

	++*calls;
	if (err != -ENOENT)
		return err;
	if (pages == 1)
		return 0;
	err = uffd_protect(addr, pages / 2, calls);
	return err ? err : uffd_protect(addr + pages / 2 * PAGE_BYTES, pages - pages / 2, calls);
}

int uffd_unprotect(uint64_t addr, uint64_t pages)
{
	return protection(addr, pages, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
}

/* Skip the first bytes of a vector. */
static unsigned iov_skip(struct iovec **iov, unsigned n, size_t bytes)
{
	while (n > 0 && bytes >= (*iov)->iov_len) {
		bytes -= (*iov)->iov_len;
		(*iov)++;
		n--;
	}
	if (n > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
	return n;
}

unsigned uffd_drop(struct iovec *iov, unsigned n)
{
	unsigned calls = 0;

	while (n > 0) {
		long done = -1;

		if (uffd.drop_vector) {
			done = syscall(SYS_process_madvise, uffd.self, iov, n, MADV_DONTNEED, 0);
			calls++;
		}
		if (done <= 0) {
			/* A page that stays would be taken for a dropped one: its later contents would be lost. */
			BUG_ON(madvise(iov->iov_base, iov->iov_len, MADV_DONTNEED) != 0);
			done = (long)iov->iov_len;
			calls++;
		}
		n = iov_skip(&iov, n, (size_t)done);
	}
	return calls;
}

/* /proc/self/mem reads what the program itself may not (PROT_NONE). */
static int read_forced(const struct iovec *from, void *to)
{
	ssize_t r = pread(uffd.mem, to, from->iov_len, (off_t)(uintptr_t)from->iov_base);

	return r == (ssize_t)from->iov_len ? 0 : r < 0 ? -errno : -EFAULT;
}

int uffd_read(const struct iovec *from, unsigned n, void *to)
{
	while (n > 0) {
		size_t bytes = 0, whole = 0;
		struct iovec local = { .iov_base = to };
		ssize_t r;

		for (unsigned i = 0; i < n; i++)
			bytes += from[i].iov_len;
		local.iov_len = bytes;
		r = process_vm_readv(getpid(), &local, 1, from, n, 0);
		for (; n > 0 && r > 0 && whole + from->iov_len <= (size_t)r; n--, from++)
			whole += from->iov_len;
		to = (char *)to + whole;
		if (n > 0) {
			int err = read_forced(from, to);

			if (err)
				return err;
			to = (char *)to + from->iov_len;
			from++;
			n--;
		}
	}
	return 0;
}
