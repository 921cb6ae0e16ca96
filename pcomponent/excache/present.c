/*
 * See present.h. PAGEMAP_SCAN (kernel 6.7) steps over what has no page table at all; before it the whole page map is
 * read, which takes 0.6 ms for a gigabyte without a page in it, and 2 ms for a full one.
 */
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/present.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/uffd.h"

#define ENTRY_PRESENT (1ULL << 63)
#define ENTRY_SWAPPED (1ULL << 62)
#define RUNS 256

/* As in linux/fs.h since 6.7; Debian 12's headers are older. */
struct scan_run {
	uint64_t start, end, categories;
};
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN _IOWR('f', 16, struct scan_arg)

static int fd = -1;
static bool scan_works;

static long scan(uint64_t start, uint64_t end, struct scan_run *runs, uint64_t *walked)
{
	struct scan_arg a = {
		.size = sizeof(a),
		.start = start,
		.end = end,
		.vec = (uint64_t)(uintptr_t)runs,
		.vec_len = RUNS,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED,
	};
	long n = ioctl(fd, SCAN, &a);

	*walked = a.walk_end;
	return n < 0 ? -errno : n;
}

/* Does the kernel know the call, and does it see this very stack? */
static bool scan_probe(void)
{
	struct scan_run runs[RUNS] = { { 0 } };
	uint64_t page = (uint64_t)(uintptr_t)runs / PAGE_BYTES * PAGE_BYTES, walked;

	return scan(page, page + PAGE_BYTES, runs, &walked) == 1 && runs[0].start == page;
}

static int pagemap_open(void)
{
	fd = uffd_fd_raise(excache_self_open("/proc/self/pagemap"));
	return fd < 0 ? -errno : 0;
}

int present_open(bool kernel_6_1, uint32_t *used)
{
	int err = pagemap_open();

	if (err)
		return err;
	scan_works = !kernel_6_1 && scan_probe();
	*used |= scan_works ? STATS_KERNEL_SCAN : 0u;
	return 0;
}

void present_fork_child(void)
{
	fd = -1;
}

void present_close(void)
{
	if (fd >= 0)
		(void)close(fd);
	fd = -1;
}

static int each_by_scan(uint64_t start, uint64_t end, void (*fn)(uint64_t vpn, uint64_t pages))
{
	struct scan_run runs[RUNS];

	while (start < end) {
		uint64_t walked;
		long n = scan(start, end, runs, &walked);

		if (n < 0)
			return (int)n;
		for (long i = 0; i < n; i++)
			fn(runs[i].start >> PAGE_SHIFT, (runs[i].end - runs[i].start) >> PAGE_SHIFT);
		if (walked <= start)
			return -EIO;
		start = walked;
	}
	return 0;
}

static int each_by_read(uint64_t start, uint64_t end, void (*fn)(uint64_t vpn, uint64_t pages))
{
	uint64_t entry[512];

	while (start < end) {
		uint64_t n = (end - start) >> PAGE_SHIFT;
		ssize_t r = pread(fd, entry, (n < 512 ? n : 512) * 8, (off_t)((start >> PAGE_SHIFT) * 8));

		if (r <= 0 || r % 8)
			return r < 0 ? -errno : -EIO;
		for (ssize_t i = 0; i < r / 8; i++, start += PAGE_BYTES)
			if (entry[i] & (ENTRY_PRESENT | ENTRY_SWAPPED))
				fn(start >> PAGE_SHIFT, 1);
	}
	return 0;
}

int present_each(uint64_t start, uint64_t end, void (*fn)(uint64_t vpn, uint64_t pages))
{
	int err = fd < 0 ? pagemap_open() : 0;

	if (err)
		return err;
	return scan_works ? each_by_scan(start, end, fn) : each_by_read(start, end, fn);
}
