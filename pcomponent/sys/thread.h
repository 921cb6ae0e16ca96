/*
 * Thread block: what the dispatcher knows of one program thread. It hangs on %gs (the program never uses that), so trap
 * entries find it whatever the program did to FS. Only its own thread writes it, but for what says otherwise.
 */
#ifndef PCOMPONENT_SYS_THREAD_H
#define PCOMPONENT_SYS_THREAD_H
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "ashlar/base/list.h"
#include "pcomponent/trap/held.h"

struct trap_frame; /* host signal frame: trap/frame.h */
struct excache_port;

/*
 * A thread's trap area: aligned to its own size, so that a door finds its start from the stack pointer whatever the
 * program did to GS. Its first page is struct trap_head, sealed; the local trap stack fills the rest.
 */
#define TRAP_AREA_BYTES 262144
#define THREAD_STACK_BYTES (TRAP_AREA_BYTES - PAGE_BYTES)
#define TRAP_MAGIC 0x50415254
#define THREAD_SCRATCH_BYTES (16u << 10) /* argument copies without malloc */
#define THREAD_SCRATCH_EXTRA 8		 /* malloc'ed ones per call */

struct trap_head {	       /* read-only once the thread runs; offsets are known to trap/entry.S */
	struct thread *thread; /* 0 */
	uint64_t our_fs;       /* 8 */
	uint64_t magic;	       /* 16: TRAP_MAGIC */
};

struct thread {
	/* Offsets below are known to trap/entry.S. */
	struct thread *self; /* 0 */
	uint64_t our_fs;     /* 8: FS base of the dispatcher's own thread */
	uint64_t pending;    /* 16: PENDING_* of trap/sent.h: a program signal waits */

	struct list link; /* all threads; under the thread list's lock */
	int tid;	  /* of the host kernel, and of the program */

	/* Big-reader lock of the layout (vm/vmlock.h): nonzero while this thread is inside a fault. Others read it. */
	uint32_t in_fault __attribute__((aligned(64)));

	/* Memory path of this thread; made at its first miss. */
	struct excache_port *port;

	/* The call being served. */
	struct trap_frame *frame; /* of the SIGSYS; NULL outside calls */
	uint64_t *fs;		  /* the program's FS base, loaded when the call returns */
	long call_nr;
	uint64_t scratch_used;
	void *scratch_extra[THREAD_SCRATCH_EXTRA];
	char *scratch;

	/* Signals: outside of host_block kernel masks never hold SIGSYS, SIGSEGV, SIGBUS; what the program blocks of them: */
	uint64_t mask_virtual; /* others read it */
	struct held held;      /* those that were sent to it and wait */
	/* The call brought a mask of its own (sigsuspend, ppoll ...): the program's, and as the host kernel gets it. */
	uint64_t wait_mask, wait_mask_host;
	bool wait_mask_set;
	uint64_t wait_set; /* sigtimedwait is under way for these */
	siginfo_t sig_info;
	stack_t altstack; /* the program's own */
	void *trap_stack; /* THREAD_STACK_BYTES, behind the struct trap_head */

	/* trap/stop.h: others read these. */
	struct trap_frame *stop_frame;
	uint64_t stop_fs;
	uint32_t in_host; /* in host_block */

	/* Threads as the kernel keeps them for a program, kept by us: it would write to evicted pages. */
	uint64_t clear_child_tid, robust_list, robust_len;
	struct trap_frame *start_frame; /* what it was started from; freed at its end */
	uint64_t exit_jmp[5];		/* __builtin_setjmp buffer of the thread's start function */
};

_Static_assert(offsetof(struct trap_head, magic) == 16, "trap/entry.S");
_Static_assert(offsetof(struct thread, our_fs) == 8, "trap/entry.S");
_Static_assert(offsetof(struct thread, pending) == 16, "trap/entry.S");

static inline struct thread *thread_self(void)
{
	struct thread *t;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(t));
	return t;
}

#endif
