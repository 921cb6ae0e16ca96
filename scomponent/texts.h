/*
 * Texts: a file that runs is not written to, and one that is open for writing does not run (ETXTBSY), between all processes
 * that this component serves. An open file counts as long as some connection has it: while it only waits for a member that
 * has not come yet, or is on its way in a message, its file may be written or run. Nobody would be told when that is over.
 */
#ifndef SCOMPONENT_TEXTS_H
#define SCOMPONENT_TEXTS_H
#include <stdbool.h>
#include <sys/types.h>
#include "ashlar/base/list.h"

#define TEXT_BUCKETS 256u /* a power of two */

struct handle;
struct stat;

enum text_use { TEXT_WRITES, TEXT_RUNS, TEXT_USES };

/* A file that somebody has open in one of these ways, or did while those have it open who do not count. */
struct text {
	struct list link;
	dev_t dev;
	ino_t ino;
	unsigned refs; /* open files that know it */
	unsigned used[TEXT_USES];
};

struct texts {
	struct list bucket[TEXT_BUCKETS];
};

void texts_init(struct texts *);
bool text_used(struct texts *, const struct stat *, enum text_use);
/* An open file that is about to get its first connection uses its file so, from now on. Without memory it does not. */
void text_know(struct texts *, struct handle *, enum text_use);
void text_forget(struct handle *); /* it is closed for good */
/* It has one connection more, or less. */
void text_more(struct handle *);
void text_less(struct handle *);

#endif
