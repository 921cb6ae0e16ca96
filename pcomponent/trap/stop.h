/*
 * Stopping the program: every thread of it stands still on the way out of a door, or inside a call of the host kernel's
 * that moves nothing but local memory, and its registers can be read. No call is interrupted by it: a thread that is in
 * program code is fetched by a SIGSYS of ours, a thread in the call stub is let wait there, and stays when it comes back.
 *
 * For a thread of the dispatcher's own; one at a time.
 */
#ifndef PCOMPONENT_TRAP_STOP_H
#define PCOMPONENT_TRAP_STOP_H
#include <stdbool.h>
#include <stdint.h>

struct thread;
struct trap_frame;

/* 0: all stand still, until stop_end. -ETIMEDOUT: one did not within the time; they go on. */
int stop_begin(unsigned timeout_ms);
void stop_end(void);

/* Where a thread that stands still will go on, and its FS base; NULL: nowhere. */
const struct trap_frame *stop_frame(const struct thread *t, uint64_t *fs);

/* ---- for the doors and for host_block, on the thread itself ---- */

/* The code of the SIGSYS by which a thread is fetched (the program cannot send it to any effect). */
#define STOP_CODE (-77)
/* Stand still with this frame while that is wanted. */
void stop_here(struct thread *t, struct trap_frame *f, const uint64_t *fs);
/* Around the call stub. */
void stop_enter_host(struct thread *t);
void stop_leave_host(struct thread *t);

/* In a forked process, on its only thread: nobody wants it to stand still. */
void stop_forked(struct thread *t);

#endif
