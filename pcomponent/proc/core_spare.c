/*
 * What the host kernel leaves out of a core file of its own: the dispatcher's memory, with its capabilities and keys. Only
 * where there may be such a file at all; what is mapped later is not spared, and holds nothing that outlives the process.
 */
#include <stdio.h>
#include <sys/mman.h>
#include "pcomponent/proc/core.h"
#include "pcomponent/vm/window.h"

void core_spare(void)
{
	unsigned long start, end;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && start >= WINDOW_END)
			(void)madvise((void *)start, end - start, MADV_DONTDUMP);
	if (f)
		fclose(f);
}
