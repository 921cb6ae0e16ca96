/* The dispatcher's heap (heap.h). */
#include "pcomponent/sys/heap.h"
#include <errno.h>
#include <malloc.h>
#include "pcomponent/proc/proc.h"
#include "pcomponent/vm/window.h"

void *__sbrk(intptr_t increment)
{
	(void)increment;
	errno = ENOMEM;
	return (void *)-1;
}

void *sbrk(intptr_t increment)
{
	return __sbrk(increment);
}

void heap_open(void)
{
	mallopt(M_ARENA_MAX, 1);
	if ((uint64_t)&heap_open < WINDOW_END || (uint64_t)__builtin_frame_address(0) < WINDOW_END)
		proc_fail(125,
			  "address layout: the dispatcher lies in the program's window (is the stack limit unlimited? "
			  "try `ulimit -s 8192`)");
}
