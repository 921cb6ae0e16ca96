/*
 * Traps: how control comes from the program to the dispatcher and back. entry.S holds the three doors (system call,
 * fault, program signal), the call stub that program signals may interrupt, and the user copies with their fix-ups.
 *
 * The handlers are not asynchronous to the dispatcher: system calls and faults come from program code, from uaccess
 * copies, or from a clock reading of ours (the vDSO's fall-back, answered on the spot), and program signals are blocked in all of our code but the stub of host_block. So they may take locks and use
 * malloc; the one rule is that program memory is touched only through uaccess, with no lock held. The exception are
 * SIGSYS, SIGSEGV and SIGBUS that somebody sends: they come anywhere, and are only held (trap/sent.h).
 */
#ifndef PCOMPONENT_TRAP_TRAP_H
#define PCOMPONENT_TRAP_TRAP_H
#include <stdbool.h>
#include <stdint.h>
#include "pcomponent/trap/frame.h"

struct thread;

/* Install the handlers for SIGSYS, SIGSEGV, SIGBUS. Once, before the program starts. 0 or -errno. */
int trap_open(void);
/* The same for one of them; flags: of the program's, SA_RESTART. */
int trap_door(int sig, uint64_t flags);
/* Make the calling pthread a program thread: %gs, trap stack, system calls dispatched from now on. 0 or -errno. */
int trap_thread_enter(struct thread *t);
/* In the child of a fork, on its one thread: system calls are dispatched as in the parent. 0 or -errno. */
int trap_forked(struct thread *t);
/* The reverse, before the pthread ends. */
void trap_thread_leave(void);

/* Load frame (on the trap stack, with its fp state behind it) and fs; never returns. */
void trap_resume(struct trap_frame *frame, uint64_t fs) __attribute__((noreturn));

/* Is ip in the dispatcher's own code? */
bool trap_ip_ours(uint64_t ip);

/* Called by entry.S; fs: the interrupted code's FS base, may be changed. */
void trap_sigsys(struct trap_frame *f, uint64_t *fs);
void trap_fault(struct trap_frame *f, uint64_t *fs);
void trap_signal(struct trap_frame *f, uint64_t *fs);
/* Called where a door is left and thread.pending is set: f takes signals on. false: f is of our own code, which will. */
bool trap_pending(struct trap_frame *f, const uint64_t *fs);

/* Doors and labels of entry.S. */
void entry_sigsys(void);
void entry_fault(void);
void entry_signal(void);
void entry_restorer(void);
int entry_copy(void *dst, const void *src, uint64_t n);
int entry_load32(uint32_t *dst, uint64_t src);
int entry_store32(uint64_t dst, uint32_t v);
int entry_cas32(uint64_t addr, uint32_t *expected, uint32_t v);
int entry_touch(uint64_t addr);
long entry_stub(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, long nr);
extern const char entry_leave_start[], entry_leave_insn[], entry_resume_start[], entry_resume_insn[];
extern const char entry_copy_start[], entry_copy_end[], entry_copy_fault[];
extern const char entry_stub_start[], entry_stub_insn[], entry_stub_end[], entry_stub_abort[];

/* ---- program signals (trap/signal.c) ---- */

struct sig_action { /* the kernel's struct sigaction */
	uint64_t handler, flags, restorer, mask;
};
/* Enter the program's handler for info: rewrite f so that returning from our handler starts it. */
void signal_enter(struct thread *t, struct trap_frame *f, const siginfo_t *info);
/* A synchronous fault of the program's own: its handler, or the end of the process with the signal's status. */
void signal_fault(struct thread *t, struct trap_frame *f, const siginfo_t *info);
/* Load the frame that the program's handler returns through into f. Ends the process when it is bad, as Linux does. */
void signal_return(struct thread *t, struct trap_frame *f);
/* Handlers become default actions; what is ignored stays so (CLONE_CLEAR_SIGHAND). */
void signal_handlers_clear(void);
/* For /proc/self/status: signals that the calling thread blocks, that are ignored, that have handlers. */
void signal_status(uint64_t *blocked, uint64_t *ignored, uint64_t *caught);
/*
 * For waits of ours that may last, on a program thread: signals that wait, that the program does not block and that have
 * their default action, act now (they end or stop the process, or are dropped).
 */
void signal_defaults_act(void);
/* The mask the program believes it has, and setting it, in the frame of the call being served. */
uint64_t signal_mask(const struct thread *t);
void signal_set_mask(struct thread *t, uint64_t mask);
/* Those of the dispatcher's three signals that the program ignores. */
uint64_t signal_ours_ignored(void);
/* After a host_block that was not done: did a signal end it whose action asks for the call to be made again (SA_RESTART)? */
bool signal_restarts(struct thread *t);

#endif
