/*
 * The fault path: from the host kernel's SIGBUS (missing or protected page of registered memory) or SIGSEGV (stack
 * growth) to a resident line. Runs in the faulting thread, under the layout lock held shared; takes no other lock.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
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
		err = vm_port(t);
		if (!err)
			err = excache_fault(t->port, addr, write, start, end);
		vm_charge();
	}
	vm_unlock_shared(t);
	return err;
}

/* Nothing is mapped there, or it may not be accessed that way. */
static bool resolve_segv(struct thread *t, const struct trap_frame *f, siginfo_t *info)
{
	uint64_t addr = (uint64_t)info->si_addr;
	uint32_t prot = f->regs.err & PF_WRITE ? PROT_WRITE : f->regs.err & PF_FETCH ? PROT_EXEC : PROT_READ;
	int err;

	if (info->si_code == SEGV_MAPERR)
		return vm_fault_grow(t, addr);
	if (info->si_code != SEGV_ACCERR || (err = vm_fault_file(t, addr, prot)) > 0)
		return false;
	if (err) {
		info->si_signo = SIGBUS;
		info->si_code = BUS_ADRERR;
	}
	return !err;
}

bool fault_resolve(struct thread *t, struct trap_frame *f, siginfo_t *info)
{
	uint64_t addr = (uint64_t)info->si_addr;
	int err;

	if (info->si_signo == SIGSEGV)
		return resolve_segv(t, f, info);
	if (info->si_code == BUS_MCEERR_AR) /* so the keeper marks pages of shared memory that are lost */
		info->si_code = BUS_ADRERR;
	err = resolve_line(t, addr, f->regs.err & PF_WRITE);
	if (err == -ENOMEM)
		proc_end_nomem();
	/* A lost page (-EIO) has been reported with its component's name. */
	if (err < 0 && err != -EIO)
		sys_message("the page at %#lx cannot be brought in: error %d", addr, -err);
	return err == 0;
}
