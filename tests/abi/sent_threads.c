// also: 6.1
// timeout: 120
/* SIGSEGV, SIGBUS and SIGSYS sent to a process of several threads: one that does not block them takes them. */
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include "tests/abi/abi.h"

static volatile int count, tid_seen, stop, other_tid, let_in, waited;
static int sig_now;

static int tid(void)
{
	return (int)syscall(SYS_gettid);
}

static void on_signal(int sig)
{
	tid_seen = tid();
	__atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST);
}

static void change(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(how, &set, NULL);
}

static bool until(volatile int *what, int value)
{
	for (int i = 0; i < 20000; i++) {
		if (__atomic_load_n(what, __ATOMIC_SEQ_CST) >= value)
			return true;
		usleep(500);
	}
	return false;
}

/* Blocks it until told otherwise; computes, sleeps or misses meanwhile */
static void *other(void *how)
{
	volatile unsigned long n = 0;
	bool in = false;

	other_tid = tid();
	while (!stop) {
		if (let_in && !in) {
			change(SIG_UNBLOCK, sig_now);
			in = true;
		}
		if (!strcmp(how, "computes"))
			for (int i = 0; i < 100000; i++)
				n++;
		else if (!strcmp(how, "sleeps"))
			usleep(2000);
		else
			abi_press();
	}
	return NULL;
}

static void taken_by_other(int sig, char *how)
{
	pthread_t id;

	sig_now = sig;
	count = stop = other_tid = let_in = 0;
	change(SIG_BLOCK, sig);
	pthread_create(&id, NULL, other, how);
	until(&other_tid, 1);
	kill(getpid(), sig);
	usleep(20000);
	CHECK(count == 0); /* all block it */
	let_in = 1;
	CHECK(until(&count, 1) && tid_seen == other_tid);
	for (int i = 2; i < 30; i++) {
		kill(getpid(), sig);
		CHECK(until(&count, i) && tid_seen == other_tid);
	}
	CHECK(pthread_kill(pthread_self(), sig) == 0);
	usleep(10000);
	CHECK(count == 29); /* this thread's own */
	stop = 1;
	pthread_join(id, NULL);
	change(SIG_UNBLOCK, sig);
	CHECK(count == 30 && tid_seen == tid());
}

static void *waits(void *arg)
{
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, sig_now);
	for (int i = 0; i < 20; i++) {
		int got = sigwaitinfo(&set, &info);

		CHECK(got == sig_now && (i % 2 ? info.si_code == SI_USER : info.si_value.sival_int == 1000 + i));
		__atomic_fetch_add(&waited, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* Blocked by all, and one of them waits for it, others compute */
static void waited_for(int sig)
{
	pthread_t id, busy;

	sig_now = sig;
	waited = count = stop = let_in = other_tid = 0;
	change(SIG_BLOCK, sig);
	pthread_create(&busy, NULL, other, "computes");
	pthread_create(&id, NULL, waits, NULL);
	for (int i = 0; i < 20; i++) {
		if (i % 2)
			kill(getpid(), sig);
		else
			sigqueue(getpid(), sig, (union sigval){ .sival_int = 1000 + i });
		if (!until(&waited, i + 1)) {
			CHECK(0);
			break;
		}
	}
	pthread_join(id, NULL);
	stop = 1;
	pthread_join(busy, NULL);
	CHECK(count == 0);
	change(SIG_UNBLOCK, sig);
	CHECK(count == 0);
}

/* A thread that ends leaves what came for the process to others */
static void *ends(void *arg)
{
	kill(getpid(), sig_now);
	return NULL;
}

static void left(int sig)
{
	pthread_t id;
	sigset_t set;

	sig_now = sig;
	count = 0;
	change(SIG_BLOCK, sig);
	for (int i = 0; i < 20; i++) {
		pthread_create(&id, NULL, ends, NULL);
		pthread_join(id, NULL);
		sigpending(&set);
		CHECK(sigismember(&set, sig) == 1);
		change(SIG_UNBLOCK, sig);
		CHECK(count == i + 1);
		change(SIG_BLOCK, sig);
	}
	change(SIG_UNBLOCK, sig);
}

int main(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGSYS };

	for (int i = 0; i < 3; i++) {
		struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

		sigaction(sigs[i], &act, NULL);
		taken_by_other(sigs[i], "computes");
		taken_by_other(sigs[i], "sleeps");
		taken_by_other(sigs[i], "misses");
		waited_for(sigs[i]);
		left(sigs[i]);
		printf("%d taken\n", sigs[i]);
	}
	return abi_result();
}
