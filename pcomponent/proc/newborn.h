/*
 * Children between their fork and their D2P_HELLO. The node daemon cannot see one that is killed there (it knows no process
 * yet), keeps its place in the tree and its memory for DMEMBER_MS, and the tree that long from ending. Its parent can: it
 * tells the daemon, when it waits for children, when it ends, and when there is no room for another.
 */
#ifndef PCOMPONENT_PROC_NEWBORN_H
#define PCOMPONENT_PROC_NEWBORN_H
#include <stdbool.h>
#include <stdint.h>

/* Before a fork, by that member's number: its slot; -1: there is none free, and nothing is known of this child. */
int newborn_named(uint32_t member);
/* In the parent: that member is this process; 0: there was no fork. slot may be -1, here and below. */
void newborn_forked(int slot, uint32_t member, int32_t pid);
/* In the child, which knows nothing of its parent's other children: its hello is sent. */
void newborn_came(int slot);
/* Tell the node daemon of those that have ended without one. True: there were such. Any thread. */
bool newborn_look(void);

#endif
