/* From trap frame to handler: the call table of syscalls.def. */
#include <errno.h>
#include <linux/audit.h>
#include "ashlar/base/clock.h"
#include "ashlar/stats.h"
#include "pcomponent/fs/calls.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/sys/calls.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/frame.h"
#include "pcomponent/vm/calls.h"

struct stats_page *process_stats;

#define N                      \
	{                      \
		ARG_NONE, 0, 0 \
	}
#define FD                   \
	{                    \
		ARG_FD, 0, 0 \
	}
#define STR                   \
	{                     \
		ARG_STR, 0, 0 \
	}
#define IN(bytes)                \
	{                        \
		ARG_IN, 0, bytes \
	}
#define OUT(bytes)                \
	{                         \
		ARG_OUT, 0, bytes \
	}
#define IO(bytes)                \
	{                        \
		ARG_IO, 0, bytes \
	}
#define INN(len, bytes)              \
	{                            \
		ARG_IN_N, len, bytes \
	}
#define OUTN(len, bytes)              \
	{                             \
		ARG_OUT_N, len, bytes \
	}
#define ION(len, bytes)              \
	{                            \
		ARG_IO_N, len, bytes \
	}
#define OUTR(len, bytes)              \
	{                             \
		ARG_OUT_R, len, bytes \
	}
#define OUTL(len)                 \
	{                         \
		ARG_OUT_L, len, 0 \
	}

static const struct call_desc calls[] = {
#define SYS(nr, name, fn, level, note, ...) [nr] = { #name, sys_##fn, CALL_##level, note, { __VA_ARGS__ } },
#include "pcomponent/sys/syscalls.def"
#undef SYS
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))
_Static_assert(CALLS <= STATS_SYSCALLS, "a counter per call");

const struct call_desc *call_desc(uint64_t nr)
{
	return nr < CALLS && calls[nr].fn ? &calls[nr] : NULL;
}

long dispatch_call(struct thread *t, struct trap_frame *f, uint64_t *fs)
{
	const uint64_t a[6] = { f->regs.di, f->regs.si, f->regs.dx, f->regs.r10, f->regs.r8, f->regs.r9 };
	uint64_t nr = (uint64_t)f->info.si_syscall, start;
	const struct call_desc *row = call_desc(nr);
	long ret;

	if (!row || f->info.si_arch != AUDIT_ARCH_X86_64) {
		STAT_ADD(process_stats->unknown_calls, 1);
		return -ENOSYS;
	}
	start = clock_ns();
	t->frame = f;
	t->fs = fs;
	t->call_nr = (long)nr;
	ret = row->fn(t, a);
	sys_scratch_reset(t);
	STAT_ADD(process_stats->call[nr].count, 1);
	STAT_ADD(process_stats->call[nr].total_ns, clock_ns() - start);
	return ret;
}
