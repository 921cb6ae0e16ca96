/*
 * Ranges: the record locks on one file, as fcntl(2) has them: each owner holds ranges of bytes, for reading or for writing;
 * his own are split and joined as he sets them, those of others may be in the way. Used by who grants locks, and by who
 * has to know what was granted.
 */
#ifndef ASHLAR_BASE_RANGES_H
#define ASHLAR_BASE_RANGES_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/list.h"

struct range {
	struct list link;
	uint64_t owner;
	uint64_t start, end; /* inclusive */
	uint32_t type;	     /* F_RDLCK, F_WRLCK */
	uint32_t pid;	     /* what F_GETLK tells */
};

/* Whose range keeps owner from having this one? NULL: nobody's. */
struct range *ranges_conflict(const struct list *ranges, uint64_t owner, uint64_t start, uint64_t end, uint32_t type);
/*
 * Owner has this range, of this type, from now on; F_UNLCK: has it no more. *n, the number of ranges, follows. 0; -ENOMEM:
 * as it was.
 */
int ranges_set(struct list *ranges, const struct range *, uint32_t *n);
/* An owner's are gone, or another's; *n follows. */
void ranges_drop(struct list *ranges, uint64_t owner, uint32_t *n);
void ranges_pass(struct list *ranges, uint64_t owner, uint64_t to);

#endif
