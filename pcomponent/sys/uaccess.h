/*
 * The only ways to touch program memory. Call them with no lock held and outside library calls: a copy may miss, and the
 * miss is resolved inside it. An address outside the program's window, or one that the program itself could not access,
 * gives -EFAULT; nothing of the dispatcher's is ever read or written through these.
 */
#ifndef PCOMPONENT_SYS_UACCESS_H
#define PCOMPONENT_SYS_UACCESS_H
#include <stddef.h>
#include <stdint.h>

/* 0 or -EFAULT (some bytes may have been copied). */
int uaccess_in(void *dst, uint64_t src, size_t n);
int uaccess_out(uint64_t dst, const void *src, size_t n);

/* Copy a string of at most max-1 bytes and its terminator: its length, -EFAULT, or -ENAMETOOLONG. */
long uaccess_str(char *dst, uint64_t src, size_t max);

/*
 * One 4-byte word, for futexes: load, store, exchange if it is *expected (1: it was not, and *expected is what it was),
 * and make its page present and writable without changing it.
 */
int uaccess_load32(uint32_t *v, uint64_t src);
int uaccess_store32(uint64_t dst, uint32_t v);
int uaccess_cas32(uint64_t dst, uint32_t *expected, uint32_t v);
int uaccess_touch(uint64_t addr, int write);

#endif
