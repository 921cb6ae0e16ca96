/*
 * The dispatcher's heap. The kernel's program break would lie at low addresses, inside the program's window; so malloc
 * is denied it and takes mappings, which the host kernel places above WINDOW_END.
 */
#ifndef PCOMPONENT_SYS_HEAP_H
#define PCOMPONENT_SYS_HEAP_H
#include <stdint.h>

/* Settle malloc's tunables; checks that our image lies above the window. Ends the process when it does not. */
void heap_open(void);

/* Instead of glibc's: no break for malloc. */
void *__sbrk(intptr_t increment);
void *sbrk(intptr_t increment);

#endif
