/*
 * vfork: the parent waits until the child has ended or is another program. On Linux the two share their memory meanwhile;
 * ours is a fork, and what the child wrote into its parent's stack frames (within VFORK_BYTES above the stack pointer: there
 * posix_spawn and gcc's driver tell the cause of a failure) is carried over when it ends or becomes another program. Other
 * memory that it writes stays its own, which Linux allows programs to count on as little.
 */
#ifndef PCOMPONENT_PROC_VFORK_H
#define PCOMPONENT_PROC_VFORK_H
#include <stddef.h>
#include <stdint.h>

#define VFORK_BYTES 16384u

struct vfork {
	int ends[2]; /* a pipe of ours: the child tells by it, its closing is the end of the wait */
	uint64_t at;
	size_t bytes;
	char *before; /* the frames as they were */
};

/* In the parent, before the fork; sp: of the calling program. 0 or -errno. */
int vfork_open(struct vfork *, uint64_t sp);
/* In the parent, after it, also when it failed: until the child lets go. Frees what open took. */
void vfork_wait(struct vfork *);

/* In the child: of a vfork (taken over), or NULL: of a fork. */
void vfork_forked(const struct vfork *);
/* Its end of the pipe, -1: none. */
int vfork_child_fd(void);
/* It ends or becomes another program, now. Harmless in all others. */
void vfork_child_tells(void);
/* It is another program without an exec of the host kernel's: its parent goes on. */
void vfork_child_leaves(void);

#endif
