/*
 * The address space is divided once: the program's mappings lie below WINDOW_END, everything of the dispatcher's (its
 * image, heap, stacks, buffers, the host kernel's first stack, the vDSO) above. So a bound check keeps a bad pointer of
 * the program out of the dispatcher, and a test can tell whose memory is whose by the address.
 */
#ifndef PCOMPONENT_VM_WINDOW_H
#define PCOMPONENT_VM_WINDOW_H

#define WINDOW_START 0x10000UL
#define WINDOW_END 0x700000000000UL
#define USER_END 0x7ffffffff000UL		   /* what Linux gives programs */
#define WINDOW_STACK_TOP (WINDOW_END - 0x100000UL) /* top of the main thread's stack */
#define WINDOW_PIE 0x500000000000UL		   /* position independent programs */

#endif
