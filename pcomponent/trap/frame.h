/*
 * The host kernel's signal frame on x86-64 as it lies on a stack (rt_sigframe of the kernel; glibc's ucontext_t has a
 * longer mask and must not be used to write it). A handler of ours works on the frame it was entered with; returning
 * from it makes the host kernel load whatever the frame then says.
 */
#ifndef PCOMPONENT_TRAP_FRAME_H
#define PCOMPONENT_TRAP_FRAME_H
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct trap_regs {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate; /* address; 0: none */
	uint64_t reserved[8];
};

struct trap_frame {
	uint64_t pretcode;
	uint64_t uc_flags, uc_link;
	stack_t uc_stack;
	struct trap_regs regs;
	uint64_t sigmask;
	siginfo_t info;
};
_Static_assert(sizeof(struct trap_regs) == 256, "struct sigcontext");
_Static_assert(offsetof(struct trap_frame, sigmask) == 8 + 296, "rt_sigframe");
_Static_assert(sizeof(struct trap_frame) == 440, "rt_sigframe");

/* The kernel's struct _fpx_sw_bytes at offset 464 of the legacy area tells how large the saved state is. */
#define FP_LEGACY_BYTES 512u
#define FP_SW_OFFSET 464u
#define FP_XSTATE_MAGIC 0x46505853u
struct fp_sw {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size;
	uint32_t reserved[7];
};

/* Page fault error code bits (regs.err). */
#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_FETCH 16u

/* Signals that are ours: no mask that the kernel gets may hold them. */
#define SIG_BIT(n) (1ULL << ((n)-1))
#define SIGS_OURS (SIG_BIT(SIGSYS) | SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS))
#define SIGS_ALL_BLOCKED (~SIGS_OURS)

#endif
