/*
 * Counters of this process (ashlar/stats.h): where they lie. Those of the tree's first process, and of up to MEMBERS_MAX others,
 * are written where whoever asked for them finds them also when the process is killed.
 */
#ifndef PCOMPONENT_PROC_COUNTERS_H
#define PCOMPONENT_PROC_COUNTERS_H
#include <stdbool.h>

/*
 * At the start of a program: fd is a memfd of a struct stats_tree, -1: nobody asked; it stays open. first: of the tree. Sets
 * process_stats, or ends the process with a message.
 */
void counters_open(int fd, bool first);
/* In a child of fork: its own from now on. */
void counters_forked(void);
/* Add them to the tree's, and begin anew: the process is about to become another program. */
void counters_tell(void);
/* The process is about to end. */
void counters_end(void);

#endif
