/* See writeback.h. */
#include "pcomponent/excache/writeback.h"
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/line.h"
#include "pcomponent/excache/port.h"
#include "pcomponent/excache/uffd.h"

#define SAMPLE_BYTES 64u /* nearly every page that is not zero shows it here */

static struct {
	int (*peek)(void *dst, uint64_t src, size_t n);
	char *page; /* LINE_BATCH of them */
	struct net_mr *mr;
	const void *addr[LINE_BATCH];
} slots;

static int pages_ready(void)
{
	if (!slots.page)
		slots.page = transfer_alloc(LINE_BATCH, &slots.mr);
	return slots.page ? 0 : -ENOMEM;
}

int writeback_open(int (*peek)(void *dst, uint64_t src, size_t n))
{
	slots.peek = net_local_any(excache.net) ? peek : NULL;
	return pages_ready();
}

void writeback_close(void)
{
	transfer_free(slots.page, LINE_BATCH, slots.mr);
	slots.page = NULL;
}

void writeback_fork_child(int (*peek)(void *dst, uint64_t src, size_t n))
{
	slots.peek = net_local_any(excache.net) ? peek : NULL;
	if (!slots.mr && net_local_any(excache.net))
		return; /* plain memory, ours by copy-on-write */
	transfer_forget(slots.page, LINE_BATCH);
	slots.page = NULL;
	slots.mr = NULL;
}

static char *slot_page(unsigned i)
{
	return slots.page + i * PAGE_BYTES;
}

static void *page_addr(uint64_t vpn)
{
	return (void *)(uintptr_t)(vpn << PAGE_SHIFT);
}

static bool all_zero(const char *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* A page that the program can read and that is not zero is its own slot. */
static bool slot_direct(unsigned i, uint64_t vpn)
{
	char sample[SAMPLE_BYTES];

	if (!slots.peek || slots.peek(sample, vpn << PAGE_SHIFT, sizeof(sample)) || all_zero(sample, sizeof(sample)))
		return false;
	slots.addr[i] = page_addr(vpn);
	return true;
}

/*
 * One by one, as one of them is not there: a program took it out of a shared object, by its size or a hole. It is zeros
 * then, for whoever asks.
 */
static void slots_copy_each(const uint64_t *vpn, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct iovec iov = { page_addr(vpn[i]), PAGE_BYTES };

		if (uffd_read(&iov, 1, slot_page(i)))
			memset(slot_page(i), 0, PAGE_BYTES);
	}
}

/* Copy pages from to to-1 (neighbours in the list, not in memory) by one call. */
static int slots_copy(const uint64_t *vpn, unsigned from, unsigned to, uint64_t *zeros)
{
	struct iovec iov[LINE_BATCH] = { { page_addr(vpn[from]), 0 } };
	unsigned runs = 1;
	int err;

	for (unsigned i = from; i < to; i++) {
		if (i > from && vpn[i] != vpn[i - 1] + 1)
			iov[runs++] = (struct iovec){ page_addr(vpn[i]), 0 };
		iov[runs - 1].iov_len += PAGE_BYTES;
		slots.addr[i] = slot_page(i);
	}
	err = uffd_read(iov, runs, slot_page(from));
	if (err && excache.shared) {
		slots_copy_each(vpn, from, to);
		err = 0;
	}
	for (unsigned i = from; i < to && !err; i++)
		if (all_zero(slot_page(i), PAGE_BYTES))
			*zeros |= 1ULL << i;
	return err;
}

int writeback_read(const uint64_t *vpn, unsigned n, uint64_t *zeros)
{
	int err = pages_ready();

	*zeros = 0;
	for (unsigned i = 0, from; i < n && !err; i++) {
		for (from = i; i < n && !slot_direct(i, vpn[i]); i++)
			;
		if (i > from)
			err = slots_copy(vpn, from, i, zeros);
	}
	return err;
}

int writeback_slot(unsigned i, struct net_sge *sge)
{
	int err = pages_ready();

	if (err)
		return err;
	slots.addr[i] = slot_page(i);
	*sge = (struct net_sge){ slot_page(i), PAGE_BYTES, slots.mr };
	return 0;
}

unsigned writeback_sge(const uint8_t *slot, unsigned n, struct net_sge *sge)
{
	unsigned pieces = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *addr = slots.addr[slot[i]];

		if (pieces > 0 && (const char *)sge[pieces - 1].addr + sge[pieces - 1].bytes == addr)
			sge[pieces - 1].bytes += PAGE_BYTES;
		else
			sge[pieces++] = (struct net_sge){ (void *)(uintptr_t)addr, PAGE_BYTES, slots.mr };
	}
	return pieces;
}
