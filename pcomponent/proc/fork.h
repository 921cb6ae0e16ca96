/*
 * fork: a real fork of the dispatcher's process. The child is a member of the same tree, with its own number and
 * capabilities, its own share of the ExCache, its own connections; what the two have in common is what Linux lets them
 * have in common, and the frames that held the parent's pages, until either writes.
 */
#ifndef PCOMPONENT_PROC_FORK_H
#define PCOMPONENT_PROC_FORK_H
#include <stdint.h>

struct member; /* proc/join.h */
struct thread;

enum member_kind { MEMBER_FORK, MEMBER_EXEC };

/* A member number from the node daemon; for a fork with a part of our ExCache. 0, -EAGAIN, -errno. */
long member_new(struct thread *t, enum member_kind, struct member *out);
/* It was not needed. */
void member_drop(const struct member *);

/* The child of a vfork has become another program: what it was lent of the ExCache for its parent's pages goes back. */
void fork_lent_back(struct thread *t);

/* Between these no other thread is inside the dispatcher's locks, and the layout is held exclusive. */
void fork_gate_close(void);
void fork_gate_open(void);

#endif
