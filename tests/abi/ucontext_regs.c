// also: 6.1
/*
 * Handlers see the registers of what they interrupted and may change them: general ones, flags, vector state. And what
 * they do not change comes back whole, whatever they and their misses do to registers meanwhile.
 */
#include <immintrin.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include "tests/abi/abi.h"

static volatile int calls;
static ucontext_t *seen;

/* ud2 is 2 bytes: skipped; rax..r15 are seen and changed */
static void on_ill(int sig, siginfo_t *info, void *uc_)
{
	ucontext_t *uc = uc_;
	greg_t *g = uc->uc_mcontext.gregs;

	calls++;
	CHECK(info->si_addr == (void *)g[REG_RIP]);
	CHECK(g[REG_RAX] == 0x1111 && g[REG_RBX] == 0x2222 && g[REG_R8] == 0x88 && g[REG_R15] == 0xff);
	CHECK(g[REG_TRAPNO] == 6);
	g[REG_RIP] += 2;
	g[REG_RAX] = 0xaaaa;
	g[REG_RBX] = 0xbbbb;
	g[REG_R15] = 0xf00f;
	g[REG_EFL] |= 1; /* carry */
	abi_press();
}

static void general(void)
{
	struct sigaction act = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
	uint64_t a, b, r15;
	uint8_t carry;

	sigaction(SIGILL, &act, NULL);
	__asm__ volatile(
		"mov $0x1111, %%eax; mov $0x2222, %%ebx; mov $0x88, %%r8d; mov $0xff, %%r15d; clc; ud2; setc %3;"
		"mov %%rbx, %1; mov %%r15, %2"
		: "=&a"(a), "=r"(b), "=r"(r15), "=&q"(carry)
		:
		: "rbx", "r8", "r15", "memory", "cc");
	CHECK(a == 0xaaaa && b == 0xbbbb && r15 == 0xf00f && carry == 1 && calls == 1);
}

/* ---- vector state ---- */

static void on_spoil(int sig)
{
	static volatile double d = 1.5;

	calls++;
	d = d * 3.25 + 1;
	__asm__ volatile(
		"vpxor %%ymm0, %%ymm0, %%ymm0; vpxor %%ymm7, %%ymm7, %%ymm7; vpxor %%ymm15, %%ymm15, %%ymm15" ::
			: "xmm0", "xmm7", "xmm15");
	abi_press();
}

static void __attribute__((target("avx"))) vectors(void)
{
	uint64_t in[4] __attribute__((aligned(32))) = { 1, 2, 3, 4 }, out[3][4] __attribute__((aligned(32)));
	struct sigaction act = { .sa_handler = on_spoil };
	long pid = getpid();

	sigaction(SIGUSR1, &act, NULL);
	for (int i = 0; i < 5; i++) {
		long ret = 62; /* kill(self) */

		memset(out, 0, sizeof(out));
		__asm__ volatile("vmovdqa (%1), %%ymm0; vmovdqa %%ymm0, %%ymm7; vmovdqa %%ymm0, %%ymm15; syscall;"
				 "vmovdqa %%ymm0, (%2); vmovdqa %%ymm7, 32(%2); vmovdqa %%ymm15, 64(%2)"
				 : "+a"(ret)
				 : "r"(in), "r"(out), "D"(pid), "S"((long)SIGUSR1)
				 : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
		for (int v = 0; v < 3; v++)
			CHECK(!memcmp(out[v], in, sizeof(in)));
	}
}

static void on_change(int sig, siginfo_t *info, void *uc_)
{
	ucontext_t *uc = uc_;
	struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
	uint32_t *sw = (uint32_t *)((char *)fp + 464);

	calls++;
	CHECK(((uintptr_t)fp & 63) == 0);
	CHECK(sw[0] == 0x46505853); /* FP_XSTATE_MAGIC1 */
	CHECK(*(uint32_t *)((char *)fp + sw[1] - 4) == 0x46505845);
	CHECK(fp->_xmm[3].element[0] == 0x12345678);
	fp->_xmm[3].element[0] = 0x87654321;
	fp->mxcsr = (fp->mxcsr & ~0x6000u) | 0x2000; /* rounding */
	fp->cwd = 0x027f;
	*(uint64_t *)((char *)fp + 512) |= 2; /* XSTATE_BV: SSE is in use */
}

static void changed(void)
{
	struct sigaction act = { .sa_sigaction = on_change, .sa_flags = SA_SIGINFO };
	uint32_t x = 0x12345678, y = 0;
	uint16_t cwd;
	long ret = 62, pid = getpid();

	sigaction(SIGUSR1, &act, NULL);
	__asm__ volatile("movd %2, %%xmm3; syscall; movd %%xmm3, %1"
			 : "+a"(ret), "=&r"(y)
			 : "r"(x), "D"(pid), "S"((long)SIGUSR1)
			 : "rcx", "r11", "memory", "xmm3");
	CHECK(y == 0x87654321);
	CHECK((_mm_getcsr() & 0x6000) == 0x2000);
	__asm__ volatile("fnstcw %0" : "=m"(cwd));
	CHECK(cwd == 0x027f);
	_mm_setcsr(0x1f80);
	cwd = 0x037f;
	__asm__ volatile("fldcw %0" ::"m"(cwd));
}

/* The mask in the frame is the one that is in force afterwards. */
static void on_mask(int sig, siginfo_t *info, void *uc_)
{
	ucontext_t *uc = uc_;

	calls++;
	CHECK(!sigismember(&uc->uc_sigmask, SIGHUP));
	sigaddset(&uc->uc_sigmask, SIGHUP);
	sigaddset(&uc->uc_sigmask, SIGSEGV);
	seen = uc;
}

static void mask(void)
{
	struct sigaction act = { .sa_sigaction = on_mask, .sa_flags = SA_SIGINFO };
	sigset_t now;

	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGHUP) && sigismember(&now, SIGSEGV) && !sigismember(&now, SIGUSR1));
	sigemptyset(&now);
	sigprocmask(SIG_SETMASK, &now, NULL);
}

/* The fault's own fields */
static char *none;
static void on_segv(int sig, siginfo_t *info, void *uc_)
{
	ucontext_t *uc = uc_;

	calls++;
	CHECK(info->si_addr == none + 5 && uc->uc_mcontext.gregs[REG_CR2] == (greg_t)(none + 5));
	CHECK(uc->uc_mcontext.gregs[REG_TRAPNO] == 14);
	CHECK((uc->uc_mcontext.gregs[REG_ERR] & 6) == 6); /* a write of user mode */
	mprotect(none, PAGE, PROT_READ | PROT_WRITE);
}

static void fault(void)
{
	struct sigaction act = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

	none = abi_map(PAGE);
	mprotect(none, PAGE, PROT_NONE);
	abi_press();
	sigaction(SIGSEGV, &act, NULL);
	none[5] = 'x'; /* and again, when it may */
	CHECK(none[5] == 'x');
}

int main(void)
{
	general();
	if (__builtin_cpu_supports("avx"))
		vectors();
	changed();
	mask();
	fault();
	puts("registers");
	return abi_result();
}
