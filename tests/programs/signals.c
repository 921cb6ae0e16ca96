/*
 * signals [NAME...]: what a program sees of signals. argv may name single steps; without, all. Between steps it walks over
 * more memory than a small ExCache holds, so that handlers, stacks and masks are met evicted.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define WALK_BYTES (6UL << 20)

static volatile sig_atomic_t seen, order, depth, deepest;
static volatile siginfo_t last;
static char *walked;
static sigjmp_buf back;

static void walk(void)
{
	for (size_t i = 0; i < WALK_BYTES; i += 4096)
		walked[i]++;
}

static void set(int sig, void (*fn)(int, siginfo_t *, void *), int flags, int masked)
{
	struct sigaction a = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&a.sa_mask);
	if (masked)
		sigaddset(&a.sa_mask, masked);
	MUST(!sigaction(sig, &a, NULL));
}

static void note(int sig, siginfo_t *info, void *uc)
{
	memcpy((void *)&last, info, sizeof(last));
	seen++;
	order = order * 10 + (sig == SIGUSR1 ? 1 : sig == SIGUSR2 ? 2 : 3);
}

static void plain(void)
{
	set(SIGUSR1, note, 0, 0);
	walk();
	raise(SIGUSR1);
	printf("raise: seen %d, signal %d, code %d, from myself %d\n", seen, last.si_signo, last.si_code == SI_TKILL,
	       last.si_pid == getpid() && last.si_uid == getuid());
	walk();
	kill(getpid(), SIGUSR1);
	printf("kill: seen %d, code %d\n", seen, last.si_code == SI_USER);
	for (int i = 0; i < 2000; i++)
		raise(SIGUSR1);
	printf("two thousand more: seen %d\n", seen);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	printf("ignored: seen %d\n", seen);
	set(SIGUSR1, note, (int)SA_RESETHAND, 0);
	raise(SIGUSR1);
	{
		struct sigaction a;

		MUST(!sigaction(SIGUSR1, NULL, &a));
		printf("once: seen %d, now default %d\n", seen, a.sa_handler == SIG_DFL);
	}
}

static void inner(int sig, siginfo_t *info, void *uc)
{
	order = order * 10 + 2;
	walk();
}

static void outer(int sig, siginfo_t *info, void *uc)
{
	order = order * 10 + 1;
	raise(SIGUSR2);
	walk();
	order = order * 10 + 3;
}

static void deeper(int sig, siginfo_t *info, void *uc)
{
	volatile char room[5000];

	room[0] = room[4999] = 1;
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (depth < 40)
		raise(sig);
	depth -= room[0];
}

static void nested(void)
{
	order = 0;
	set(SIGUSR2, inner, 0, 0);
	set(SIGUSR1, outer, 0, 0);
	raise(SIGUSR1);
	printf("one within another: %d\n", order);
	order = 0;
	set(SIGUSR1, outer, 0, SIGUSR2);
	raise(SIGUSR1);
	printf("one after another: %d\n", order);
	set(SIGUSR1, deeper, SA_NODEFER, 0);
	raise(SIGUSR1);
	printf("within itself: %d deep\n", deepest);
}

static char *alternate;
static volatile sig_atomic_t on_alternate, flags_inside;

static void where(int sig, siginfo_t *info, void *uc)
{
	char here;
	stack_t s;

	on_alternate = &here >= alternate && &here < alternate + 65536;
	sigaltstack(NULL, &s);
	flags_inside = s.ss_flags;
}

static int overflow(int n)
{
	volatile char room[20000];

	room[0] = (char)n;
	return n ? overflow(n - 1) + room[0] : 0;
}

static void jump_back(int sig, siginfo_t *info, void *uc)
{
	char here;

	memcpy((void *)&last, info, sizeof(last));
	on_alternate = &here >= alternate && &here < alternate + 65536;
	siglongjmp(back, 1);
}

static void altstack(void)
{
	stack_t s = { .ss_size = 65536 };

	alternate = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	s.ss_sp = alternate;
	say("sigaltstack", sigaltstack(&s, NULL));
	set(SIGUSR1, where, SA_ONSTACK, 0);
	walk();
	raise(SIGUSR1);
	printf("on it: %d, flags %d\n", on_alternate, flags_inside);
	set(SIGUSR1, where, 0, 0);
	walk();
	raise(SIGUSR1);
	printf("not on it: %d, flags %d\n", on_alternate, flags_inside);
	set(SIGSEGV, jump_back, SA_ONSTACK, 0);
	for (int i = 0; i < 3; i++) {
		if (!sigsetjmp(back, 1))
			overflow(1000000);
		printf("after a stack overflow: on it %d, signal %d, code %d\n", on_alternate, last.si_signo,
		       last.si_code);
		walk();
	}
	signal(SIGSEGV, SIG_DFL);
	s.ss_flags = SS_DISABLE;
	say("disable", sigaltstack(&s, NULL));
	s.ss_flags = 0;
	s.ss_size = 100;
	say("too small", sigaltstack(&s, NULL));
}

static void fault_at(const char *what, volatile char *at, bool write)
{
	if (!sigsetjmp(back, 1)) {
		if (write)
			*at = 1;
		else
			(void)*at;
		printf("%s: no fault\n", what);
		return;
	}
	printf("%s: signal %d, code %d, address %s\n", what, last.si_signo, last.si_code,
	       last.si_addr == at ? "right" : "wrong");
}

static void faults(void)
{
	char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile int wrong = 0;

	set(SIGSEGV, jump_back, 0, 0);
	set(SIGBUS, jump_back, 0, 0);
	set(SIGFPE, jump_back, 0, 0);
	memset(p, 1, 16 * 4096);
	fault_at("null, read", (char *)8, false);
	fault_at("null, write", (char *)8, true);
	munmap(p + 4096, 4096);
	fault_at("unmapped", p + 4096 + 123, true);
	mprotect(p + 2 * 4096, 4096, PROT_READ);
	fault_at("read-only, write", p + 2 * 4096 + 77, true);
	fault_at("read-only, read", p + 2 * 4096 + 77, false);
	mprotect(p + 3 * 4096, 4096, PROT_NONE);
	fault_at("no access", p + 3 * 4096 + 4095, false);
	walk();
	fault_at("read-only and evicted, write", p + 2 * 4096 + 77, true);
	fault_at("no access and evicted", p + 3 * 4096, false);
	fault_at("own code, write", (char *)(uintptr_t)faults, true);
	for (int i = 0; i < 2000; i++) {
		volatile char *at = p + 4096 + i % 4096;

		if (!sigsetjmp(back, 1))
			*at = 1;
		wrong += last.si_addr != at || last.si_signo != SIGSEGV;
	}
	printf("two thousand faults: %d wrong\n", wrong);
	if (!sigsetjmp(back, 1)) {
		volatile int zero = 0;

		wrong = 100 / zero;
	}
	printf("division: signal %d, code %d\n", last.si_signo, last.si_code);
	set(SIGILL, jump_back, 0, 0);
	if (!sigsetjmp(back, 1))
		__asm__ volatile("ud2");
	printf("illegal: signal %d, code %d\n", last.si_signo, last.si_code);
	set(SIGTRAP, note, 0, 0);
	seen = 0;
	__asm__ volatile("int3");
	printf("breakpoint: seen %d, code %d\n", seen, last.si_code == SI_KERNEL || last.si_code == TRAP_BRKPT);
}

static void skip(int sig, siginfo_t *info, void *uc)
{
	ucontext_t *u = uc;

	u->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
	u->uc_mcontext.gregs[REG_R12] = 4711;
	seen++;
}

static void clobber(int sig, siginfo_t *info, void *uc)
{
	__asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm7, %%xmm7\n\tpxor %%xmm15, %%xmm15" ::
				 : "xmm0", "xmm7", "xmm15");
	walk();
	seen++;
}

static void context(void)
{
	long r12 = 1, rax = 39, rdi = getpid(), rsi = SIGUSR1;
	double a = 1.5, b = 2.5, c = 3.5;

	set(SIGILL, skip, 0, 0);
	seen = 0;
	__asm__ volatile("mov $1, %%r12\n\tud2\n\tmov %%r12, %0" : "=r"(r12)::"r12");
	printf("context changed by the handler: seen %d, register %ld\n", seen, r12);
	set(SIGUSR1, clobber, 0, 0);
	seen = 0;
	rax = SYS_kill;
	__asm__ volatile("movsd %[a], %%xmm0\n\tmovsd %[b], %%xmm7\n\tmovsd %[c], %%xmm15\n\t"
			 "syscall\n\t"
			 "movsd %%xmm0, %[a]\n\tmovsd %%xmm7, %[b]\n\tmovsd %%xmm15, %[c]"
			 : "+a"(rax), [a] "+m"(a), [b] "+m"(b), [c] "+m"(c)
			 : "D"(rdi), "S"(rsi)
			 : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
	printf("vector registers across a handler: seen %d, %g %g %g\n", seen, a, b, c);
}

static void masks(void)
{
	sigset_t some, old, pending, empty;
	struct timespec no = { 0, 0 };
	siginfo_t info;
	union sigval v;

	sigemptyset(&empty);
	sigemptyset(&some);
	sigaddset(&some, SIGUSR1);
	sigaddset(&some, SIGRTMIN);
	sigaddset(&some, SIGRTMIN + 1);
	set(SIGUSR1, note, 0, 0);
	set(SIGRTMIN, note, 0, 0);
	set(SIGRTMIN + 1, note, 0, 0);
	seen = order = 0;
	sigprocmask(SIG_BLOCK, &some, &old);
	raise(SIGUSR1);
	raise(SIGUSR1);
	sigpending(&pending);
	printf("blocked: seen %d, pending %d\n", seen, sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("then: seen %d\n", seen);
	sigprocmask(SIG_BLOCK, &some, NULL);
	for (int i = 3; i > 0; i--) {
		v.sival_int = i;
		sigqueue(getpid(), SIGRTMIN + i % 2, v);
	}
	printf("queued:");
	while (sigtimedwait(&some, &info, &no) > 0)
		printf(" %d=%d", info.si_signo - SIGRTMIN, info.si_value.sival_int);
	printf("; %s\n", error_name(errno));
	seen = 0;
	raise(SIGUSR1);
	printf("sigsuspend: %d", sigsuspend(&empty));
	printf(" %s, seen %d\n", error_name(errno), seen);
	seen = 0;
	sigfillset(&some);
	sigprocmask(SIG_SETMASK, &some, NULL); /* with all of them blocked, missing pages must still come */
	walk();
	sigprocmask(SIG_SETMASK, NULL, &some);
	printf("all blocked: SEGV %d, BUS %d, SYS %d, KILL %d, TERM %d\n", sigismember(&some, SIGSEGV),
	       sigismember(&some, SIGBUS), sigismember(&some, SIGSYS), sigismember(&some, SIGKILL),
	       sigismember(&some, SIGTERM));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static volatile sig_atomic_t stop;

static void *mine_only(void *arg)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	*(volatile int *)arg = 1;
	while (!stop)
		usleep(1000);
	return NULL;
}

static volatile pid_t handled_by;

static void who(int sig, siginfo_t *info, void *uc)
{
	handled_by = (pid_t)syscall(SYS_gettid);
	seen++;
}

static void threads(void)
{
	volatile int ready = 0;
	sigset_t s;
	pthread_t t;

	set(SIGUSR2, who, 0, 0);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	seen = 0;
	MUST(!pthread_create(&t, NULL, mine_only, (void *)&ready));
	while (!ready)
		usleep(1000);
	pthread_kill(t, SIGUSR2);
	while (!seen)
		usleep(1000);
	printf("to one thread: by another than main %d\n", handled_by != getpid());
	kill(getpid(), SIGUSR2);
	while (seen < 2)
		usleep(1000);
	printf("to the process: by the one that lets it in %d\n", handled_by != getpid());
	stop = 1;
	pthread_join(t, NULL);
	printf("to none: %s\n", error_name(pthread_kill(pthread_self(), 0)));
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

static void bad(void)
{
	struct sigaction a = { .sa_handler = SIG_IGN };

	say("action of KILL", sigaction(SIGKILL, &a, NULL));
	say("action of signal 0", sigaction(0, &a, NULL));
	say("action of signal 65", (long)syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	say("kill nobody", kill(999999999, SIGTERM));
	say("kill with signal 99", kill(getpid(), 99));
	say("may I", kill(getpid(), 0));
}

static const struct step {
	const char *name;
	void (*run)(void);
} steps[] = {
	{ "plain", plain },	{ "nested", nested }, { "altstack", altstack }, { "faults", faults },
	{ "context", context }, { "masks", masks },   { "threads", threads },	{ "bad", bad },
};

int main(int argc, char **argv)
{
	walked = mmap(NULL, WALK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(walked != MAP_FAILED);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bool wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], steps[i].name) == 0;
		if (!wanted)
			continue;
		seen = 0;
		printf("-- %s\n", steps[i].name);
		steps[i].run();
		fflush(stdout);
	}
	return 0;
}
