/* Uiter: a run through buffers of the program, one or an iovec of them, in pieces. */
#ifndef PCOMPONENT_FS_UITER_H
#define PCOMPONENT_FS_UITER_H
#include <stdint.h>
#include <sys/uio.h>

struct thread;

#define RW_BYTES_MAX 0x7ffff000ULL /* of one call, as on Linux */

struct uiter {
	struct iovec one;
	const struct iovec *v; /* local copy; bases are program addresses */
	uint64_t off;	       /* into v[0] */
	uint64_t left;	       /* bytes */
};

void uiter_one(struct uiter *, uint64_t addr, uint64_t bytes);
/* From an iovec of the program. 0; -EINVAL: too many pieces, or too long; -EFAULT; -ENOMEM. */
long uiter_vec(struct thread *, struct uiter *, uint64_t iov, uint64_t n);

/* May its first byte be written? 0 or -EFAULT. */
long uiter_probe(const struct uiter *);

/*
 * Copy up to n bytes from (to) the program and advance: the number of bytes, less than n only where the buffers end or,
 * with *fault set, where a page cannot be accessed.
 */
uint64_t uiter_in(struct uiter *, void *dst, uint64_t n, int *fault);
uint64_t uiter_out(struct uiter *, const void *src, uint64_t n, int *fault);

#endif
