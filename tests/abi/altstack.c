// also: 6.1
/* sigaltstack, on memory that is not resident: where handlers run, what may be changed when, overflow. */
#include <pthread.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
#define BYTES (128UL << 10)

static char *stack;
static volatile int on_it, nested_on_it, flags_seen, err_seen, depth;

static bool here(const char *p)
{
	return p >= stack && p < stack + BYTES;
}

static void on_signal(int sig, siginfo_t *info, void *uc_)
{
	ucontext_t *uc = uc_;
	char local;
	stack_t now, other = { .ss_sp = stack, .ss_size = BYTES };

	on_it = here(&local);
	sigaltstack(NULL, &now);
	flags_seen = now.ss_flags;
	errno = 0;
	err_seen = sigaltstack(&other, NULL) ? errno : 0;
	CHECK(uc->uc_stack.ss_size == BYTES && uc->uc_stack.ss_sp == stack);
	if (depth++ == 0) {
		raise(SIGUSR2);
		nested_on_it = on_it;
	}
	on_it = here(&local);
}

static void install(int sig, int flags)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &act, NULL);
}

static void set(int flags)
{
	stack_t s = { .ss_sp = stack, .ss_size = BYTES, .ss_flags = flags };

	CHECK(sigaltstack(&s, NULL) == 0);
}

static void plain(void)
{
	stack_t now;

	set(0);
	install(SIGUSR1, SA_ONSTACK);
	install(SIGUSR2, SA_ONSTACK);
	for (int i = 0; i < 20; i++) {
		depth = 0;
		if (i % 5 == 0)
			abi_press();
		raise(SIGUSR1);
		CHECK(on_it && nested_on_it && flags_seen == SS_ONSTACK && err_seen == EPERM);
	}
	sigaltstack(NULL, &now);
	CHECK(now.ss_flags == 0 && now.ss_sp == stack && now.ss_size == BYTES);
	install(SIGUSR1, 0);
	install(SIGUSR2, 0);
	depth = 0;
	raise(SIGUSR1);
	CHECK(!on_it && !nested_on_it && err_seen == 0);
}

static void on_disarmed(int sig, siginfo_t *info, void *uc_)
{
	static char second[32 << 10];
	stack_t now, other = { .ss_sp = second, .ss_size = sizeof(second) };
	ucontext_t *uc = uc_;
	char local;

	on_it = here(&local);
	sigaltstack(NULL, &now);
	flags_seen = now.ss_flags;
	err_seen = sigaltstack(&other, NULL) ? errno : 0;
	CHECK((unsigned)uc->uc_stack.ss_flags == SS_AUTODISARM && uc->uc_stack.ss_sp == stack);
}

static void autodisarm(void)
{
	struct sigaction act = { .sa_sigaction = on_disarmed, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t now;

	set((int)SS_AUTODISARM);
	sigaction(SIGUSR1, &act, NULL);
	abi_press();
	raise(SIGUSR1);
	CHECK(on_it && flags_seen == SS_DISABLE);
	CHECK(err_seen == 0); /* it may be changed while it is in use */
	sigaltstack(NULL, &now);
	CHECK(now.ss_sp == stack && (unsigned)now.ss_flags == SS_AUTODISARM);
}

static void mistakes(void)
{
	stack_t s = { .ss_sp = stack, .ss_size = 100 }, now;

	CHECK_ERR(sigaltstack(&s, NULL), ENOMEM);
	s.ss_size = BYTES;
	s.ss_flags = 0x55;
	CHECK_ERR(sigaltstack(&s, NULL), EINVAL);
	CHECK_ERR(sigaltstack((stack_t *)8, NULL), EFAULT);
	CHECK_ERR(sigaltstack(NULL, (stack_t *)8), EFAULT);
	s.ss_flags = SS_ONSTACK; /* taken as 0 */
	CHECK(sigaltstack(&s, NULL) == 0);
	s = (stack_t){ .ss_sp = (void *)77, .ss_size = 5, .ss_flags = SS_DISABLE };
	CHECK(sigaltstack(&s, NULL) == 0);
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE && now.ss_size == 0 && !now.ss_sp);
}

static sigjmp_buf back;
static volatile int overflows;

static void on_overflow(int sig, siginfo_t *info, void *uc)
{
	char local;

	CHECK(sig == SIGSEGV && here(&local));
	overflows++;
	siglongjmp(back, 1);
}

static int recurse(int n)
{
	volatile char room[4096];

	room[0] = (char)n;
	if (n == 1 << 30)
		return 0;
	return recurse(n + 1) + room[0];
}

/* A stack that ends is seen by a handler on the other one, more than once. */
static void *overflow(void *arg)
{
	struct sigaction act = { .sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	set(0);
	sigaction(SIGSEGV, &act, NULL);
	for (int i = 0; i < 3; i++)
		if (!sigsetjmp(back, 1))
			recurse(0);
	signal(SIGSEGV, SIG_DFL);
	return NULL;
}

static void *has_none(void *arg)
{
	stack_t now;

	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE);
	return NULL;
}

int main(void)
{
	pthread_attr_t attr;
	pthread_t id;

	stack = abi_map(BYTES);
	plain();
	autodisarm();
	mistakes();
	set(0);
	pthread_create(&id, NULL, has_none, NULL);
	pthread_join(id, NULL);
	overflow(NULL);
	CHECK(overflows == 3);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_create(&id, &attr, overflow, NULL);
	pthread_join(id, NULL);
	CHECK(overflows == 6);
	puts("stacks");
	return abi_result();
}
