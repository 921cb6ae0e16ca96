/* Ends of the process (proc.h). */
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/counters.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/proc/newborn.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/robust.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/proc/vfork.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/vm/vm.h"

void proc_exit(int status)
{
	if (process_stats && !join_foreign()) {
		excache_count();
		STAT_SET(process_stats->end_ns, clock_ns());
		counters_end();
	}
	_exit(status);
}

void proc_end_nomem(void)
{
	proc_exit(125);
}

void proc_fail(int status, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sys_message("%s", line);
	proc_exit(status);
}

long sys_exit(struct thread *t, const uint64_t a[6])
{
	vfork_child_tells();
	thread_exit(t, (int)a[0] & 0xff);
}

long sys_exit_group(struct thread *t, const uint64_t a[6])
{
	vfork_child_tells();
	robust_exit_all(t);
	(void)newborn_look();
	vm_ends();
	proc_exit((int)a[0] & 0xff);
}
