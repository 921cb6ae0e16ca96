/*
 * Lines: virtual page number -> line word, for the whole of a process's address space. Words come to be when they are
 * first used, as zero (a zero line): a reservation of terabytes costs nothing. Looking up takes no lock; releasing and
 * walking are for callers that exclude faults.
 */
#ifndef PCOMPONENT_EXCACHE_LINES_H
#define PCOMPONENT_EXCACHE_LINES_H
#include <stdint.h>

#define LINES_VPN_MAX (1ULL << 35) /* user space of four-level page tables: 47 bits */

/* 0 or -ENOMEM. */
int lines_open(void);
void lines_close(void);

/* The word of vpn (< LINES_VPN_MAX), made if need be; NULL only when the host has no memory for it. Any thread. */
uint64_t *lines_get(uint64_t vpn);
/* The same, but NULL where it was never used. Any thread. */
uint64_t *lines_peek(uint64_t vpn);

/* The first vpn in [from, end) whose word was ever used, or `end`. Steps over unused gaps of any size quickly. */
uint64_t lines_next(uint64_t from, uint64_t end);

/* exclusive: words in [from, end) are all zero now: give the memory of whole blocks back. */
void lines_release(uint64_t from, uint64_t end);

#endif
