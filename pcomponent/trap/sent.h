/*
 * SIGSYS, SIGSEGV and SIGBUS that somebody sent (kill, sigqueue, a timer), as against those by which the host kernel
 * tells us of calls and faults. The program may block them, the host kernel may not while program code runs: so a sent
 * one comes in at any point, also inside the dispatcher. It is held (trap/held.h) and taken on at the way out of a door,
 * which is where thread.pending is looked at. During host_block the program's whole mask is the host's: what is held goes
 * back to the host kernel for that time, so that sigtimedwait, signalfd and sigsuspend find it.
 *
 * Not as on Linux: in a program of several threads one of the three that all of them block may not be seen by a thread
 * that already waits in read(2) or poll(2) of a signalfd.
 */
#ifndef PCOMPONENT_TRAP_SENT_H
#define PCOMPONENT_TRAP_SENT_H
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct thread;
struct trap_frame;

/* thread.pending: a signal of host_block is in sig_info; something is held that the thread must look at; trap/stop.h. */
#define PENDING_NOTED 1u
#define PENDING_LOOK 2u
#define PENDING_STOP 4u

/*
 * The code of a signal that says no more than that the thread's held one of that number is to be looked at: the host
 * kernel lets only the first thread send what kill(2) and tgkill(2) send. The program cannot send it to any effect.
 */
#define SENT_KICK (-78)

/* In a door: f->info was sent and met f in code that is not the call stub. The way out of a door takes it on. */
void sent_arrives(struct thread *t, struct trap_frame *f);
/* Let the program's frame f take on what is held and not blocked; what waits for the process is offered to others. */
void sent_deliver(struct thread *t, struct trap_frame *f);
/* The thread's mask_virtual may hold less than before. */
void sent_unblocked(struct thread *t);
/* What is meant by an information of the host kernel's, if that is a kick: from the thread's held ones. false: nothing. */
bool sent_meant(struct thread *t, siginfo_t *info);
/* Give what waits back to the host kernel, which blocks it for this thread now. */
void sent_give_back(struct thread *t);
/* Those that wait for the thread or for the process; how many of the process's wait goes for any thread. */
uint64_t sent_waiting(struct thread *t);
/* sig is ignored from now on: none of it waits. */
void sent_forget(int sig);
/* In a forked process, on its only thread: nothing waits. */
void sent_forked(struct thread *t);
/* Before execve: every signal is blocked, what waits is the host kernel's. And when that has failed. */
void sent_exec(struct thread *t);
void sent_exec_failed(void);
/* The thread ends, with every signal blocked: what came for the process is for others. */
void sent_thread_ends(struct thread *t);

#endif
