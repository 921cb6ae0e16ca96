/* State of the address space and the move under the ExCache (vm.h, layout.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/limits.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/kept.h"
#include "pcomponent/vm/layout.h"

#define LOCAL_BASE_BYTES (8UL << 20)
#define LOCAL_THREAD_BYTES (768UL << 10)
#define LOCAL_SHARE 128
#define UNPINNED_BYTES_MIN (96 * PAGE_BYTES) /* instructions touch several pages, and threads as many each */

struct layout layout;

/* What the host kernel put into the window before we decided anything: glibc's first thread block lies at the break. */
static int reserve_ours(void)
{
	struct vma v = { .flags = VMA_OURS };
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int err = 0;

	if (!maps)
		return -errno;
	while (!err && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &v.start, &v.end) == 2 && v.start < WINDOW_END)
			err = table_insert(&v);
	fclose(maps);
	return err;
}

int vm_open(uint64_t budget_bytes)
{
	int err = reserve_ours();

	layout.budget = budget_bytes;
	table_set_noreserve_max(budget_bytes / 8);
	return err ? err : stack_make();
}

void vm_open_keeper(uint64_t budget_bytes)
{
	layout.budget = budget_bytes;
	layout.registered = true;
}

/* exclusive: the program's mappings in [start, end), where nothing else is. */
static int clear_all(uint64_t start, uint64_t end)
{
	int err = start < end ? layout_clear(start, end, false) : 0;

	if (!err && start < end && munmap((void *)start, end - start))
		err = -errno;
	return err;
}

int vm_reset(void)
{
	uint64_t at = WINDOW_START, stop, next;
	const struct vma *ours;
	int err = 0;

	vm_lock_exclusive();
	reuse_keep();
	for (; !err && at < WINDOW_END; at = next) {
		ours = table_ours(at, WINDOW_END);
		stop = ours ? ours->start : WINDOW_END;
		next = ours ? ours->end : WINDOW_END;
		err = clear_all(at, stop);
	}
	layout = (struct layout){ .budget = layout.budget, .charged = layout.charged };
	if (!err)
		err = stack_make();
	charge_now();
	vm_unlock_exclusive();
	names_reap();
	return err;
}

uint64_t vm_budget(void)
{
	return __atomic_load_n(&layout.budget, __ATOMIC_RELAXED);
}

int vm_budget_set(uint64_t budget_bytes)
{
	bool reclaim = false;
	uint64_t old;
	int err;

	vm_lock_exclusive();
	old = layout.budget;
	__atomic_store_n(&layout.budget, budget_bytes, __ATOMIC_RELAXED);
	err = layout_settle(&reclaim);
	if (err)
		__atomic_store_n(&layout.budget, old, __ATOMIC_RELAXED);
	charge_now();
	vm_unlock_exclusive();
	return err;
}

uint64_t vm_weight(bool *registered)
{
	*registered = __atomic_load_n(&layout.registered, __ATOMIC_RELAXED);
	return table_weight();
}

bool vm_registered(uint64_t addr, uint64_t *start, uint64_t *end)
{
	const struct vma *v = table_find(addr);

	if (!v || v->start > addr || !(v->flags & VMA_REGISTERED))
		return false;
	*start = v->start;
	*end = v->end;
	return true;
}

bool vm_registered_in(uint64_t start, uint64_t end)
{
	struct vma *v = table_find(start);

	while (v && v->start < end && !(v->flags & VMA_REGISTERED))
		v = table_next(v);
	return v && v->start < end;
}

int vm_each_registered(int (*fn)(uint64_t start, uint64_t end))
{
	struct vma *v;
	int err = 0;

	for (v = table_find(0); v && !err; v = table_next(v))
		if (v->flags & VMA_REGISTERED)
			err = fn(v->start, v->end);
	return err;
}

static int register_vma(struct vma *v)
{
	int err;

	if (v->flags & (VMA_REGISTERED | VMA_HOST | VMA_OURS | VMA_UNREAD))
		return 0;
	err = excache_register(v->start, v->end);
	if (!err && (v->flags & VMA_LOCKED))
		err = excache_pin(v->start, v->end);
	if (!err)
		table_set(v, v->flags | VMA_REGISTERED, v->prot);
	return err;
}

/*
 * The stated bound of the dispatcher's own memory: its buffers and heap, a share per thread (trap stack, stack, scratch,
 * bounce buffers), and tables that grow with the program's memory (lines, frames).
 */
static void local_bound(void)
{
	stat_max(&process_stats->local_bytes_max,
		 LOCAL_BASE_BYTES + process_stats->threads_peak * LOCAL_THREAD_BYTES + table_weight() / LOCAL_SHARE);
}

int layout_room(uint64_t start, uint64_t end, uint32_t flags, uint32_t prot)
{
	struct table_sums all = table_sums(), old = table_sums_in(start, end);
	uint64_t bytes = end - start;

	if (all.bytes - old.bytes + bytes > proc_limit(RLIMIT_AS))
		return -ENOMEM;
	if (table_is_data(flags, prot) && all.data - old.data + bytes > proc_limit(RLIMIT_DATA))
		return -ENOMEM;
	return 0;
}

uint64_t layout_pin_max(bool registered)
{
	uint64_t kept = layout.budget / 4 < UNPINNED_BYTES_MIN ? UNPINNED_BYTES_MIN : layout.budget / 4;

	if (!registered)
		return layout.budget;
	return layout.budget > kept ? layout.budget - kept : 0;
}

int layout_pin_room(uint64_t bytes)
{
	return table_sums().pinned + bytes > layout_pin_max(layout.registered) ? -ENOMEM : 0;
}

bool layout_look(uint64_t addr, struct vma *out)
{
	const struct vma *v;
	bool found;

	vm_lock_exclusive();
	v = table_find(addr);
	found = v && v->start <= addr && !(v->flags & VMA_OURS);
	if (found)
		*out = *v;
	vm_unlock_exclusive();
	return found;
}

int layout_add(const struct vma *v, bool *reclaim)
{
	struct vma in = *v;
	int err;

	if (layout.registered && !(v->flags & (VMA_HOST | VMA_OURS | VMA_UNREAD))) {
		err = excache_register(v->start, v->end);
		if (!err && (v->flags & VMA_LOCKED))
			err = excache_pin(v->start, v->end);
		if (err)
			return err;
		in.flags |= VMA_REGISTERED;
	}
	err = table_insert(&in);
	if (!err)
		err = layout_settle(reclaim);
	if (!err && (v->flags & VMA_CHARGED))
		charge_now();
	return err;
}

int layout_settle(bool *reclaim)
{
	bool all = table_weight() > layout.budget;
	struct vma *v;
	int err;

	local_bound();
	reuse_fit(all ? 0 : layout.budget - table_weight());
	if (table_sums().pinned > layout_pin_max(all || layout.registered))
		return -ENOMEM;
	if (layout.registered)
		return 0; /* every mapping was registered when it was entered, or read */
	if (all) {
		/* From here on pages come and go one by one. */
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		STAT_SET(process_stats->registered_ns, clock_ns());
		__atomic_store_n(&layout.registered, true, __ATOMIC_RELAXED);
		*reclaim = true;
	}
	for (v = table_find(0); v; v = table_next(v)) {
		if (!all && (!(v->flags & VMA_NORESERVE) || table_counts(v) || !(v->prot & PROT_WRITE)))
			continue;
		if ((err = register_vma(v)))
			return err;
	}
	return 0;
}

int vm_port(struct thread *t)
{
	return t->port ? 0 : excache_port_open(&t->port);
}

void layout_reclaim(struct thread *t)
{
	int err;

	vm_lock_shared(t);
	if (!(err = vm_port(t)))
		err = excache_reclaim(t->port);
	vm_unlock_shared(t);
	if (err)
		proc_end_nomem();
}

int layout_make_room(struct thread *t, unsigned lines)
{
	int err;

	vm_lock_shared(t);
	if (!(err = vm_port(t)))
		err = excache_make_room(t->port, lines);
	vm_unlock_shared(t);
	if (err == -ENOMEM)
		proc_end_nomem();
	return err;
}

int layout_clear(uint64_t start, uint64_t end, bool host_too)
{
	bool named = false, charged = false, sysv = false;
	struct vma *v;
	int err;

	if (table_ours(start, end))
		return -ENOMEM;
	if ((err = table_split(start, end)))
		return err;
	for (v = table_find(start); v && v->start < end; v = table_next(v)) {
		if (v->flags & VMA_LOCKED)
			excache_unpin(v->start, v->end);
		if (v->flags & VMA_REGISTERED)
			excache_forget(v->start, v->end);
		if ((host_too || (v->flags & VMA_KEPT)) && munmap((void *)v->start, v->end - v->start))
			return -errno;
		if ((v->flags & VMA_KEPT) && (v->flags & VMA_LOCKED))
			(void)kept_lock(v, 0);
		if (v->flags & VMA_KEPT) /* now that nobody writes there any more */
			kept_unmap(v->start, v->end);
		named |= v->name != 0;
		charged |= (v->flags & VMA_CHARGED) != 0;
		sysv |= (v->flags & (VMA_SYSV | VMA_KEPT)) == (VMA_SYSV | VMA_KEPT);
	}
	table_remove(start, end);
	if (sysv)
		sysv_sweep();
	if (charged)
		charge_now();
	if (named)
		names_sweep();
	return 0;
}
