/* Futexes that the dispatcher wakes in the kernel's place. */
#ifndef PCOMPONENT_PROC_FUTEX_H
#define PCOMPONENT_PROC_FUTEX_H
#include <stdint.h>

/* Wake one waiter of a shared futex: its key needs the page to be there, so it is brought in for that. */
void futex_wake_one(uint64_t word);

#endif
