/* State of the address space and the move under the ExCache (vm.h, layout.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/limits.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/layout.h"

#define STACK_FIRST_BYTES (128UL << 10)
#define STACK_STEP_BYTES (64UL << 10)
#define STACK_GUARD_BYTES (1UL << 20)
#define LOCAL_BASE_BYTES (8UL << 20)
#define LOCAL_THREAD_BYTES (768UL << 10)
#define LOCAL_SHARE 128

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

int vm_open(uint64_t budget_bytes, uint64_t stack_bytes)
{
	struct vma v = { .flags = VMA_STACK, .prot = PROT_READ | PROT_WRITE };
	void *p;
	int err;

	if ((err = reserve_ours()))
		return err;
	layout.budget = budget_bytes;
	table_set_noreserve_max(budget_bytes / 8);
	layout.stack_top = WINDOW_STACK_TOP;
	layout.stack_base = layout.stack_top - ((stack_bytes + PAGE_BYTES - 1) & -PAGE_BYTES);
	layout.stack_low = layout.stack_top - STACK_FIRST_BYTES;
	layout.mmap_top = layout.stack_base - STACK_GUARD_BYTES;
	p = mmap((void *)layout.stack_base, layout.stack_top - layout.stack_base, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	if (mprotect((void *)layout.stack_low, STACK_FIRST_BYTES, PROT_READ | PROT_WRITE))
		return -errno;
	v.start = layout.stack_low;
	v.end = layout.stack_top;
	return table_insert(&v);
}

uint64_t vm_stack_top(void)
{
	return layout.stack_top;
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

	if (v->flags & (VMA_REGISTERED | VMA_HOST | VMA_OURS))
		return 0;
	err = excache_register(v->start, v->end);
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

int layout_add(const struct vma *v, bool *reclaim)
{
	struct vma in = *v;
	int err;

	if (layout.registered && !(v->flags & (VMA_HOST | VMA_OURS))) {
		if ((err = excache_register(v->start, v->end)))
			return err;
		in.flags |= VMA_REGISTERED;
	}
	err = table_insert(&in);
	return err ? err : layout_settle(reclaim);
}

int layout_settle(bool *reclaim)
{
	bool all = table_weight() > layout.budget;
	struct vma *v;
	int err;

	local_bound();
	if (layout.registered)
		return 0; /* every mapping was registered when it was entered */
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

void layout_reclaim(struct thread *t)
{
	int err = 0;

	vm_lock_shared(t);
	if (!t->port)
		err = excache_port_open(&t->port);
	if (!err)
		err = excache_reclaim(t->port);
	vm_unlock_shared(t);
	if (err)
		proc_end_nomem();
}

int layout_clear(uint64_t start, uint64_t end, bool host_too)
{
	struct vma *v;
	int err;

	if (table_ours(start, end))
		return -ENOMEM;
	if ((err = table_split(start, end)))
		return err;
	for (v = table_find(start); v && v->start < end; v = table_next(v)) {
		if (v->flags & VMA_REGISTERED)
			excache_forget(v->start, v->end);
		if (host_too && munmap((void *)v->start, v->end - v->start))
			return -errno;
	}
	table_remove(start, end);
	return 0;
}

bool vm_stack_grow(struct thread *t, uint64_t addr)
{
	struct vma v = { .flags = VMA_STACK, .prot = PROT_READ | PROT_WRITE };
	bool grown = false, reclaim = false;
	struct vma *next;
	uint64_t low;

	if (addr < layout.stack_base || addr >= layout.stack_top)
		return false;
	vm_lock_exclusive();
	/* Another thread may have grown it; a program may have mapped over it or protected it: then it is no growth. */
	if (addr < layout.stack_low) {
		low = addr & -STACK_STEP_BYTES;
		if (low < layout.stack_base)
			low = layout.stack_base;
		v.start = low;
		v.end = layout.stack_low;
		next = table_find(low);
		if ((!next || next->start >= v.end) && !mprotect((void *)low, v.end - low, v.prot)) {
			layout.stack_low = low;
			grown = !layout_add(&v, &reclaim);
		}
	}
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	return grown;
}

/* ---- names of mapped files ---- */

static char **names;
static uint32_t names_used;

uint32_t names_add(const char *path)
{
	char **bigger;
	uint32_t i;

	for (i = 0; i < names_used; i++)
		if (!strcmp(names[i], path))
			return i + 1;
	bigger = realloc(names, (names_used + 1) * sizeof(*names));
	if (!bigger)
		return 0;
	names = bigger;
	names[names_used] = strdup(path);
	return names[names_used] ? ++names_used : 0;
}

const char *names_get(uint32_t i)
{
	return i && i <= names_used ? names[i - 1] : "";
}
