/*
 * The fault path: from the host kernel's SIGBUS (missing or protected page of registered memory) or SIGSEGV (stack
 * growth) to a resident line. Runs in the faulting thread, under the layout lock held shared; takes no other lock.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include "pcomponent/excache/excache.h"
#include "pcomponent/fault/fault.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/frame.h"
#include "pcomponent/vm/vm.h"

/* A line's miss: 0 resolved, 1 not a line of ours, -errno lost. */
static int resolve_line(struct thread *t, uint64_t addr, bool write)
{
	uint64_t start, end;
	int err = 1;

	vm_lock_shared(t);
	if (vm_registered(addr, &start, &end)) {
		if (!t->port)
			err = excache_port_open(&t->port);
		if (t->port)
			err = excache_fault(t->port, addr, write, start, end);
	}
	vm_unlock_shared(t);
	return err;
}

bool fault_resolve(struct thread *t, struct trap_frame *f)
{
	uint64_t addr = (uint64_t)f->info.si_addr;
	int err;

	if (f->info.si_signo == SIGSEGV)
		return vm_stack_grow(t, addr);
	err = resolve_line(t, addr, f->regs.err & PF_WRITE);
	if (err == -ENOMEM)
		proc_end_nomem();
	/* A lost page (-EIO) has been reported with its component's name. */
	if (err < 0 && err != -EIO)
		sys_message("the page at %#lx cannot be brought in: error %d", addr, -err);
	return err == 0;
}
