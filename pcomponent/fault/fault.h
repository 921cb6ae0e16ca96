/*
 * Faults of program memory: a missing or protected line, the growing stack, or the program's own mistake.
 */
#ifndef PCOMPONENT_FAULT_FAULT_H
#define PCOMPONENT_FAULT_FAULT_H
#include <signal.h>
#include <stdbool.h>

struct thread;
struct trap_frame;

/*
 * true: resolved, try the access again. false: not ours; *info, f's at first, is what the program should see: another signal
 * than the host kernel's where a file mapping has no page.
 */
bool fault_resolve(struct thread *t, struct trap_frame *f, siginfo_t *info);

#endif
