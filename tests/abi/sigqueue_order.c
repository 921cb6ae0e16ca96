// also: 6.1
/* Queued signals: values, order, to the process and to a thread, the limit of waiting ones. */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define SEEN 256
static volatile int n_seen;
static struct {
	int sig, code, value, tid;
	pid_t pid;
	uid_t uid;
} seen[SEEN];

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	int i = n_seen;

	if (i >= SEEN)
		return;
	seen[i].sig = sig;
	seen[i].code = info->si_code;
	seen[i].value = info->si_value.sival_int;
	seen[i].pid = info->si_pid;
	seen[i].uid = info->si_uid;
	seen[i].tid = (int)syscall(SYS_gettid);
	n_seen = i + 1;
}

static void block(sigset_t *set)
{
	sigemptyset(set);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaddset(set, i);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

static void value(int sig, int v)
{
	CHECK(sigqueue(getpid(), sig, (union sigval){ .sival_int = v }) == 0);
}

/* All handlers block all others: they run one after the other, the lowest number first. */
static void order(void)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t set;

	block(&set);
	act.sa_mask = set;
	for (int i = SIGRTMIN; i < SIGRTMIN + 4; i++)
		sigaction(i, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGUSR2, &act, NULL);
	for (int i = 0; i < 20; i++)
		value(SIGRTMIN + 3 - i % 4, i);
	value(SIGUSR2, 100);
	value(SIGUSR2, 101); /* dropped */
	value(SIGUSR1, 102);
	abi_press();
	n_seen = 0;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	CHECK(n_seen == 22);
	for (int i = 0; i < n_seen; i++) {
		printf("%s%d %d\n", seen[i].sig >= SIGRTMIN ? "RT+" : "",
		       seen[i].sig >= SIGRTMIN ? seen[i].sig - SIGRTMIN : seen[i].sig, seen[i].value);
		CHECK(seen[i].code == SI_QUEUE && seen[i].pid == getpid() && seen[i].uid == getuid());
	}
}

/* The same without blocking each other: stacked, so the last that is set up runs first. */
static void stacked(void)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t set;

	block(&set);
	for (int i = SIGRTMIN; i < SIGRTMIN + 4; i++)
		sigaction(i, &act, NULL);
	for (int i = 0; i < 8; i++)
		value(SIGRTMIN + i % 4, i);
	n_seen = 0;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	CHECK(n_seen == 8);
	for (int i = 0; i < n_seen; i++)
		printf("stacked RT+%d %d\n", seen[i].sig - SIGRTMIN, seen[i].value);
}

static volatile int other_tid, done;

static void *other(void *arg)
{
	other_tid = (int)syscall(SYS_gettid);
	while (!done)
		usleep(1000);
	return NULL;
}

static void directed(void)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	pthread_t id;
	sigset_t set;

	for (int i = SIGRTMIN; i < SIGRTMIN + 4; i++)
		sigaction(i, &act, NULL);
	pthread_create(&id, NULL, other, NULL);
	while (!other_tid)
		usleep(1000);
	n_seen = 0;
	info.si_pid = 4711; /* whatever is said */
	info.si_value.sival_int = 12;
	CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), other_tid, SIGRTMIN, &info) == 0);
	while (n_seen < 1)
		usleep(1000);
	CHECK(seen[0].tid == other_tid && seen[0].value == 12 && seen[0].pid == 4711);
	CHECK(pthread_kill(id, SIGRTMIN + 1) == 0);
	while (n_seen < 2)
		usleep(1000);
	CHECK(seen[1].tid == other_tid && seen[1].code == SI_TKILL);
	CHECK(pthread_sigqueue(id, SIGRTMIN + 2, (union sigval){ .sival_int = 13 }) == 0);
	while (n_seen < 3)
		usleep(1000);
	CHECK(seen[2].tid == other_tid && seen[2].code == SI_QUEUE && seen[2].value == 13);
	/* to the process while this thread blocks it: the other one takes it */
	block(&set);
	value(SIGRTMIN + 3, 14);
	while (n_seen < 4)
		usleep(1000);
	CHECK(seen[3].tid == other_tid && seen[3].value == 14);
	CHECK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGRTMIN) == 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	CHECK(n_seen == 5 && seen[4].tid == (int)syscall(SYS_gettid));
	done = 1;
	pthread_join(id, NULL);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 0x3ffff0, SIGRTMIN), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), -1, SIGRTMIN), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, 1, syscall(SYS_gettid), 0), ESRCH);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(sigqueue(getpid(), 65, (union sigval){ 0 }), EINVAL);
	CHECK_ERR(kill(0x3ffff0, 0), ESRCH);
	CHECK(kill(getpid(), 0) == 0);
	info.si_code = SI_USER;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info), EPERM);
}

static void limit(void)
{
	struct rlimit r;
	sigset_t set;
	siginfo_t info;
	int n = 0;

	getrlimit(RLIMIT_SIGPENDING, &r);
	r.rlim_cur = 40;
	MUST(setrlimit(RLIMIT_SIGPENDING, &r) == 0);
	block(&set);
	errno = 0;
	while (n < 1000 && sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = n }) == 0)
		n++;
	CHECK(n <= 40 && errno == EAGAIN);
	CHECK(kill(getpid(), SIGUSR1) == 0); /* the old kind always goes */
	for (int i = 0; i < n; i++)
		CHECK(sigwaitinfo(&set, &info) == (i ? SIGRTMIN : SIGUSR1) || info.si_value.sival_int >= 0);
}

int main(void)
{
	order();
	stacked();
	directed();
	limit();
	return abi_result();
}
