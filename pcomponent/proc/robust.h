/* Robust futexes: the list of locks a thread holds, walked by us when it ends (the kernel would miss evicted pages). */
#ifndef PCOMPONENT_PROC_ROBUST_H
#define PCOMPONENT_PROC_ROBUST_H

struct thread;
void robust_exit(struct thread *t);
/* The process ends by the calling thread t: those of all threads. (After a fatal signal nobody is left to do it.) */
void robust_exit_all(struct thread *t);

#endif
