/*
 * Faults of program memory: a missing or protected line, the growing stack, or the program's own mistake.
 */
#ifndef PCOMPONENT_FAULT_FAULT_H
#define PCOMPONENT_FAULT_FAULT_H
#include <stdbool.h>

struct thread;
struct trap_frame;

/* true: resolved, try the access again. false: not ours; f->info is what the program should see. */
bool fault_resolve(struct thread *t, struct trap_frame *f);

#endif
