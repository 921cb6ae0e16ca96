/*
 * Uffd: the host kernel's side of lines. One userfaultfd for the process, in SIGBUS mode, user faults only (works for
 * ordinary users), synchronous write protection. Descriptors lie above fd_floor. Nothing here faults or locks.
 */
#ifndef PCOMPONENT_EXCACHE_UFFD_H
#define PCOMPONENT_EXCACHE_UFFD_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define UFFD_ZEROS_MAX 64u /* pages of zeros mapped by one uffd_copy */

/*
 * Probe what this kernel can do, and use no more than Debian's 6.1 has if kernel_6_1; STATS_KERNEL_DROP in *used: many
 * runs of pages are dropped by one call. The userfaultfd itself is opened by the first uffd_register. 0 or -errno.
 */
int uffd_open(int fd_floor, bool kernel_6_1, uint32_t *used);
void uffd_close(void);
/* In the child of a fork, whose descriptors are closed: nothing is registered there any more. */
void uffd_fork_child(int fd_floor);
/* Does this machine give us a userfaultfd as we need it? 0 or -errno. */
int uffd_check(void);

/* Move a descriptor out of the program's numbers: the new one, -1 as it came. */
int uffd_fd_raise(int fd);

int uffd_register(uint64_t start, uint64_t bytes);
/* Map pages copies of src (NULL: zeros, at most UFFD_ZEROS_MAX) at addr. Pages mapped (>= 1), or -errno. */
int uffd_copy(uint64_t addr, const void *src, unsigned pages, bool protect);
/*
 * Protect what is present in the range; parts of it may be unmapped or not registered. *calls grows by the system calls
 * that it took.
 */
int uffd_protect(uint64_t addr, uint64_t pages, uint64_t *calls);
int uffd_unprotect(uint64_t addr, uint64_t pages);
/* Drop pages. iov is used up. Returns the number of system calls that it took. */
unsigned uffd_drop(struct iovec *iov, unsigned n);
/* Read memory of this process whatever its protection. 0 or -errno. */
int uffd_read(const struct iovec *from, unsigned n, void *to);

#endif
