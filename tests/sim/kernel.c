/*
 * The host kernel as an ExCache meets it: userfaultfd and page tables of one process, as arrays. These functions stand
 * in for pcomponent/excache/uffd.c and present.c. Each call takes a little time, in which other threads go on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "pcomponent/excache/present.h"
#include "pcomponent/excache/uffd.h"
#include "rack.h"

#define KERNEL_AT 0x200000000000ULL /* where no other mapping lies: addresses are the same in every run */

struct kernel *kernel_open(unsigned slot, unsigned pages)
{
	struct kernel *k = calloc(1, sizeof(*k));

	k->base = KERNEL_AT + ((uint64_t)slot << 36);
	k->pages = pages;
	k->mem = mmap((void *)k->base, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	check(k->mem == (void *)k->base, "no memory for a process");
	k->present = calloc(pages, 3);
	k->protect = k->present + pages;
	k->registered = k->protect + pages;
	return k;
}

void kernel_close(struct kernel *k)
{
	munmap(k->mem, k->pages * PAGE_BYTES);
	free(k->present);
	free(k);
}

static void call_time(void)
{
	if (sim_chance(300000))
		sim_sleep(sim_below(1500));
}

static struct kernel *kernel_self(uint64_t addr, uint64_t bytes, unsigned *page)
{
	struct kernel *k = proc_self()->kernel;

	check(addr >= k->base && addr + bytes <= k->base + k->pages * PAGE_BYTES && addr % PAGE_BYTES == 0,
	      "the ExCache touches %#lx", (unsigned long)addr);
	*page = (unsigned)((addr - k->base) / PAGE_BYTES);
	return k;
}

void kernel_unmap(struct kernel *k, unsigned page, unsigned n)
{
	memset(k->mem + page * PAGE_BYTES, 0xdb, n * PAGE_BYTES); /* nobody may see what is not there */
	memset(k->present + page, 0, n);
	memset(k->protect + page, 0, n);
}

int uffd_open(int fd_floor, bool kernel_6_1, uint32_t *used)
{
	return 0;
}

void uffd_close(void)
{
}

void uffd_fork_child(int fd_floor)
{
}

int uffd_check(void)
{
	return 0;
}

int uffd_fd_raise(int fd)
{
	return fd;
}

int uffd_register(uint64_t start, uint64_t bytes)
{
	unsigned page;
	struct kernel *k = kernel_self(start, bytes, &page);

	memset(k->registered + page, 1, bytes / PAGE_BYTES);
	return 0;
}

int uffd_copy(uint64_t addr, const void *src, unsigned pages, bool protect)
{
	unsigned page, i;
	struct kernel *k = kernel_self(addr, pages * PAGE_BYTES, &page);

	call_time();
	for (i = 0; i < pages; i++) {
		check(k->registered[page + i], "a page is mapped where nothing is registered");
		if (k->present[page + i])
			break;
		if (src)
			memcpy(k->mem + (page + i) * PAGE_BYTES, (const char *)src + i * PAGE_BYTES, PAGE_BYTES);
		else
			memset(k->mem + (page + i) * PAGE_BYTES, 0, PAGE_BYTES);
		k->present[page + i] = true;
		k->protect[page + i] = protect;
	}
	call_time();
	return i ? (int)i : -EEXIST;
}

int uffd_protect(uint64_t addr, uint64_t pages, uint64_t *calls)
{
	unsigned page;
	struct kernel *k = kernel_self(addr, pages * PAGE_BYTES, &page);

	call_time();
	for (uint64_t i = 0; i < pages; i++)
		if (k->present[page + i] && !(options.plant == PLANT_NO_PROTECT && sim_chance(20000)))
			k->protect[page + i] = true;
	++*calls;
	call_time();
	return 0;
}

int uffd_unprotect(uint64_t addr, uint64_t pages)
{
	unsigned page;
	struct kernel *k = kernel_self(addr, pages * PAGE_BYTES, &page);

	call_time();
	memset(k->protect + page, 0, pages);
	call_time();
	return 0;
}

unsigned uffd_drop(struct iovec *iov, unsigned n)
{
	call_time();
	for (unsigned i = 0; i < n; i++) {
		unsigned page;
		struct kernel *k = kernel_self((uintptr_t)iov[i].iov_base, iov[i].iov_len, &page);

		kernel_unmap(k, page, (unsigned)(iov[i].iov_len / PAGE_BYTES));
	}
	call_time();
	return 1;
}

int uffd_read(const struct iovec *from, unsigned n, void *to)
{
	call_time();
	for (unsigned i = 0; i < n; i++) {
		unsigned page;
		struct kernel *k = kernel_self((uintptr_t)from[i].iov_base, from[i].iov_len, &page);

		for (unsigned j = 0; j < from[i].iov_len / PAGE_BYTES; j++)
			check(k->present[page + j], "a page is written back that is not there");
		memcpy(to, from[i].iov_base, from[i].iov_len);
		to = (char *)to + from[i].iov_len;
	}
	call_time();
	return 0;
}

int present_open(bool kernel_6_1, uint32_t *used)
{
	return 0;
}

void present_close(void)
{
}

void present_fork_child(void)
{
}

int present_each(uint64_t start, uint64_t end, void (*fn)(uint64_t vpn, uint64_t pages))
{
	unsigned page;
	struct kernel *k = kernel_self(start, end - start, &page);

	for (uint64_t i = 0; i < (end - start) / PAGE_BYTES; i++)
		if (k->present[page + i])
			fn((start >> PAGE_SHIFT) + i, 1);
	return 0;
}
