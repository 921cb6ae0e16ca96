/*
 * The threads of the process: every program thread is a pthread of the dispatcher with a thread block and a trap stack.
 */
#ifndef PCOMPONENT_PROC_THREADS_H
#define PCOMPONENT_PROC_THREADS_H
#include <stdint.h>

struct thread;
struct trap_frame;

/* A new block with its stacks, not yet in the list; NULL: out of memory. */
struct thread *thread_alloc(void);
void thread_free(struct thread *t);

/* In the list from add to remove; remove returns how many are left. */
void threads_add(struct thread *t);
uint32_t threads_remove(struct thread *t);
/* In the child of a fork: the caller's is the only one; what the others had is freed. */
void threads_forked(struct thread *t);
/* Program threads now. */
uint32_t threads_count(void);
/* fn for every thread but the caller's own, under the list's lock. */
void threads_each(void (*fn)(struct thread *t, void *arg), void *arg);

/*
 * Start a thread that goes on from a copy of frame (with its fp state) with the given FS base; settid/cleartid as
 * clone(2) has them (0: not asked). Its tid, or -errno.
 */
int thread_start(const struct trap_frame *frame, uint64_t fs, uint64_t parent_settid, uint64_t child_settid,
		 uint64_t child_cleartid, struct thread *parent);

/* The calling thread ends: its words are cleared, its robust locks given up, its resources freed. */
void thread_exit(struct thread *t, int status) __attribute__((noreturn));

#endif
