/* Uiter: see uiter.h. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include "ashlar/base/limits.h"
#include "pcomponent/fs/uiter.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

void uiter_one(struct uiter *it, uint64_t addr, uint64_t bytes)
{
	it->one = (struct iovec){ .iov_base = (void *)addr, .iov_len = bytes };
	it->v = &it->one;
	it->off = 0;
	it->left = bytes < RW_BYTES_MAX ? bytes : RW_BYTES_MAX;
}

long uiter_vec(struct thread *t, struct uiter *it, uint64_t iov, uint64_t n)
{
	struct iovec *v;
	uint64_t i;

	if (n > IOV_MAX)
		return -EINVAL;
	v = sys_scratch(t, (n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (uaccess_in(v, iov, n * sizeof(*v)))
		return -EFAULT;
	it->v = v;
	it->off = it->left = 0;
	for (i = 0; i < n; i++) {
		if (v[i].iov_len > SSIZE_MAX)
			return -EINVAL;
		it->left += v[i].iov_len < RW_BYTES_MAX ? v[i].iov_len : RW_BYTES_MAX;
	}
	if (it->left > RW_BYTES_MAX)
		it->left = RW_BYTES_MAX;
	return 0;
}

long uiter_probe(const struct uiter *it)
{
	const struct iovec *v = it->v;
	uint64_t off = it->off;

	if (!it->left)
		return 0;
	for (; v->iov_len == off; v++)
		off = 0;
	return uaccess_touch((uint64_t)v->iov_base + off, 1);
}

/* One copy; where it fails, page by page, to learn how far it can go. */
static uint64_t copy(uint64_t addr, char *local, uint64_t n, bool out)
{
	uint64_t done = 0, piece;

	if (!(out ? uaccess_out(addr, local, n) : uaccess_in(local, addr, n)))
		return n;
	while (done < n) {
		piece = PAGE_BYTES - (addr + done) % PAGE_BYTES;
		if (piece > n - done)
			piece = n - done;
		if (out ? uaccess_out(addr + done, local + done, piece) : uaccess_in(local + done, addr + done, piece))
			break;
		done += piece;
	}
	return done;
}

static uint64_t run(struct uiter *it, char *local, uint64_t n, bool out, int *fault)
{
	uint64_t done = 0, piece, got;

	*fault = 0;
	if (n > it->left)
		n = it->left;
	while (done < n) {
		piece = it->v->iov_len - it->off;
		if (!piece) {
			it->v++;
			it->off = 0;
			continue;
		}
		if (piece > n - done)
			piece = n - done;
		got = copy((uint64_t)it->v->iov_base + it->off, local + done, piece, out);
		it->off += got;
		it->left -= got;
		done += got;
		if (got < piece) {
			*fault = 1;
			break;
		}
	}
	return done;
}

uint64_t uiter_in(struct uiter *it, void *dst, uint64_t n, int *fault)
{
	return run(it, dst, n, false, fault);
}

uint64_t uiter_out(struct uiter *it, const void *src, uint64_t n, int *fault)
{
	/* only read from, in this direction */
	return run(it, (char *)(uintptr_t)src, n, true, fault);
}
