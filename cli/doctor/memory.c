/* Checks of what ashlar does with memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "ashlar/base/size.h"
#include "cli/doctor/doctor.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define MAPS_USUAL 65530L
#define LOW_ADDRESS 0x60000UL
#define MEMORY_LEAST (256UL << 20)
#define SHM_USUAL (64UL << 20)

static void *page_map(void)
{
	void *p = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* What the dispatcher does: a descriptor for faults of user space, SIGBUS mode, write protection, one page brought. */
static int uffd_use(void *arg)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	char *at = page_map(), *from = page_map();
	struct uffdio_register r = { .range = { .start = (uint64_t)(uintptr_t)at, .len = PAGE_BYTES },
				     .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP };
	struct uffdio_copy c = { .dst = (uint64_t)(uintptr_t)at,
				 .src = (uint64_t)(uintptr_t)from,
				 .len = PAGE_BYTES,
				 .mode = UFFDIO_COPY_MODE_DONTWAKE | UFFDIO_COPY_MODE_WP };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	(void)arg;
	if (fd < 0)
		return errno;
	if (!at || !from)
		return ENOMEM;
	*from = 'x';
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &r) || ioctl(fd, UFFDIO_COPY, &c))
		return errno;
	return *at == 'x' ? 0 : EIO;
}

void check_userfaultfd(struct doctor_finding *f)
{
	long all = -1;
	int err = doctor_in_child(uffd_use, NULL);

	if (err) {
		doctor_denied(f, DOCTOR_MISSING, "userfaultfd", err, "5.11");
		doctor_means(f, "no page can be remote: programs do not start");
		return;
	}
	(void)doctor_read_number("/proc/sys/vm/unprivileged_userfaultfd", &all);
	doctor_found(f, DOCTOR_OK,
		     "user mode, SIGBUS, write protection (vm.unprivileged_userfaultfd %ld does not matter)", all);
}

static int madvise_use(void *arg)
{
	char *p = page_map();
	struct iovec iov = { .iov_base = p, .iov_len = PAGE_BYTES };
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	(void)arg;
	if (!p || fd < 0)
		return errno;
	*(volatile char *)p = 1;
	if (syscall(SYS_process_madvise, fd, &iov, 1, MADV_DONTNEED, 0) != (long)PAGE_BYTES)
		return errno ? errno : EIO;
	return *(volatile char *)p == 0 ? 0 : EIO;
}

void check_process_madvise(struct doctor_finding *f)
{
	int err = doctor_in_child(madvise_use, NULL);

	if (!err) {
		doctor_found(f, DOCTOR_OK, "drops pages of the caller");
		return;
	}
	doctor_denied(f, DOCTOR_LIMITED, "process_madvise of oneself", err, "6.13");
	doctor_means(f, "pages are dropped by madvise, up to three times as many calls");
}

/* As the dispatcher asks; linux/fs.h of Debian 12 does not know it. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_PRESENT (1u << 3)
#define SCAN _IOWR('f', 16, struct scan_arg)

static int scan_use(void *arg)
{
	uint64_t run[3], page = (uint64_t)(uintptr_t)run & -PAGE_BYTES;
	struct scan_arg a = { .size = sizeof(a),
			      .start = page,
			      .end = page + PAGE_BYTES,
			      .vec = (uint64_t)(uintptr_t)run,
			      .vec_len = 1,
			      .category_anyof_mask = SCAN_PRESENT,
			      .return_mask = SCAN_PRESENT };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	(void)arg;
	run[0] = 0;
	return fd < 0 ? errno : ioctl(fd, SCAN, &a) < 0 ? errno : 0;
}

void check_pagemap_scan(struct doctor_finding *f)
{
	int err = doctor_in_child(scan_use, NULL);

	if (!err) {
		doctor_found(f, DOCTOR_OK, "works");
		return;
	}
	doctor_found(f, DOCTOR_LIMITED, "PAGEMAP_SCAN: %s", err == ENOTTY ? "not in this kernel" : strerror(err));
	doctor_means(f, "the page map is read instead, once, 2 ms for a gigabyte");
	if (err == ENOTTY)
		doctor_fix(f, "a kernel from 6.7 on");
}

void check_memfd(struct doctor_finding *f)
{
	int fd = memfd_create("ashlar-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)PAGE_BYTES) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		doctor_denied(f, DOCTOR_MISSING, "memfd_create with sealing", errno, "3.17");
		doctor_means(f, "monitors can give nobody access to their memory: nothing starts");
	} else {
		doctor_found(f, DOCTOR_OK, "with sealing");
	}
	if (fd >= 0)
		close(fd);
}

void check_overcommit(struct doctor_finding *f)
{
	long mode = 0;

	(void)doctor_read_number("/proc/sys/vm/overcommit_memory", &mode);
	doctor_found(f, mode == 2 ? DOCTOR_LIMITED : DOCTOR_OK, "vm.overcommit_memory = %ld", mode);
	if (mode == 2) {
		doctor_means(f, "all that is mapped counts against this machine's memory, also what is remote");
		doctor_fix(f, "sysctl -w vm.overcommit_memory=0");
	}
}

void check_maps(struct doctor_finding *f)
{
	long n = MAPS_USUAL;

	(void)doctor_read_number("/proc/sys/vm/max_map_count", &n);
	doctor_found(f, n < MAPS_USUAL ? DOCTOR_LIMITED : DOCTOR_OK, "vm.max_map_count = %ld", n);
	if (n < MAPS_USUAL) {
		doctor_means(f, "programs with many mappings get ENOMEM");
		doctor_fix(f, "sysctl -w vm.max_map_count=65530");
	}
}

void check_min_addr(struct doctor_finding *f)
{
	void *want = (void *)LOW_ADDRESS;
	void *p = mmap(want, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	long least = 0;

	(void)doctor_read_number("/proc/sys/vm/mmap_min_addr", &least);
	if (p == want) {
		doctor_found(f, DOCTOR_OK, "0x%lx can be mapped (vm.mmap_min_addr = %ld)", LOW_ADDRESS, least);
	} else {
		doctor_found(f, DOCTOR_LIMITED, "0x%lx cannot be mapped (vm.mmap_min_addr = %ld)", LOW_ADDRESS, least);
		doctor_means(f, "programs linked to such addresses cannot be loaded");
		doctor_fix(f, "sysctl -w vm.mmap_min_addr=65536");
	}
	if (p != MAP_FAILED)
		munmap(p, PAGE_BYTES);
}

void check_shm(struct doctor_finding *f)
{
	struct statvfs v;
	char size[24];

	if (statvfs("/dev/shm", &v) || access("/dev/shm", W_OK)) {
		doctor_found(f, DOCTOR_LIMITED, "/dev/shm: %s", strerror(errno));
		doctor_means(f, "shm_open fails in programs, natively as well; ashlar itself does not use it");
		doctor_fix(f, "mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
		return;
	}
	doctor_found(f, DOCTOR_OK, "/dev/shm has %s", size_format(v.f_bsize * v.f_blocks, size));
	if (v.f_bsize * v.f_blocks < SHM_USUAL) {
		f->state = DOCTOR_LIMITED;
		doctor_means(f, "programs may want more shared memory; ashlar itself does not use it");
		doctor_fix(f, "mount -o remount,size=256M /dev/shm, for a container: docker run --shm-size=256m");
	}
}

void check_memory(struct doctor_finding *f)
{
	struct sysinfo s;
	uint64_t total, limit = UINT64_MAX;
	char a[24], b[24], text[64];
	long n = 0;

	if (sysinfo(&s)) {
		doctor_found(f, DOCTOR_LIMITED, "its size cannot be read: %s", strerror(errno));
		doctor_means(f, "give sizes by --memory and --excache");
		return;
	}
	total = (uint64_t)s.totalram * s.mem_unit;
	if (doctor_read("/sys/fs/cgroup/memory.max", text, sizeof(text)) &&
	    doctor_read_number("/sys/fs/cgroup/memory.max", &n) && (uint64_t)n < total)
		limit = (uint64_t)n;
	doctor_found(f, DOCTOR_OK, "%s%s%s", size_format(total, a),
		     limit < total ? ", of which this group may use " : "", limit < total ? size_format(limit, b) : "");
	if (total < MEMORY_LEAST || limit < MEMORY_LEAST) {
		f->state = DOCTOR_LIMITED;
		doctor_means(f, "small programs only");
		doctor_fix(f, "ashlar run --memory 2x64M --excache 32M ... stays within it");
	} else if (limit < total) {
		f->state = DOCTOR_LIMITED;
		doctor_means(f, "the defaults of ashlar run go by the machine's size, not by the group's");
		doctor_fix(f, "ashlar run --memory NxSIZE --excache SIZE ...");
	}
}
