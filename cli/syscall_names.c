/* Names of the system calls that the dispatcher counts: from its own table. */
#include <stddef.h>
#include "cli/run.h"

static const char *const names[] = {
#define SYS(nr, name, ...) [nr] = #name,
#include "pcomponent/sys/syscalls.def"
#undef SYS
};

const char *syscall_name(unsigned nr)
{
	return nr < sizeof(names) / sizeof(names[0]) ? names[nr] : NULL;
}
