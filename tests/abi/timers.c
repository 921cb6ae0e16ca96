// also: 6.1
/* Interval and POSIX timers: by signal, to a thread, with a thread of the library, overrun, all clocks of itimers. */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include "tests/abi/abi.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int n, code, value, tid_seen, overrun, timer_seen;

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	code = info->si_code;
	value = info->si_value.sival_int;
	overrun += info->si_overrun;
	tid_seen = (int)syscall(SYS_gettid);
	n++; /* last: who waits for it may be another thread */
}

static void handled(int sig)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigaction(sig, &act, NULL);
	n = 0;
}

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void until(int count)
{
	volatile unsigned long x = 0;
	double from = now(CLOCK_MONOTONIC);

	while (n < count && now(CLOCK_MONOTONIC) - from < 20)
		for (int i = 0; i < 10000; i++)
			x++;
	CHECK(n >= count);
}

static void interval(int which, int sig)
{
	struct itimerval it = { { 0, 5000 }, { 0, 10000 } }, old;

	handled(sig);
	CHECK(setitimer(which, &it, NULL) == 0);
	CHECK(getitimer(which, &old) == 0 && old.it_interval.tv_usec >= 5000 && old.it_value.tv_usec <= 20000);
	abi_press();
	until(8);
	CHECK(code == SI_KERNEL);
	it.it_value.tv_usec = it.it_interval.tv_usec = 0;
	CHECK(setitimer(which, &it, &old) == 0);
	n = 0;
	until(0);
	CHECK_ERR(setitimer(7, &it, NULL), EINVAL);
	CHECK_ERR(setitimer(which, (void *)8, NULL), EFAULT);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(setitimer(which, &it, NULL), EINVAL);
}

static void alarms(void)
{
	handled(SIGALRM);
	CHECK(alarm(100) == 0);
	CHECK(alarm(1) >= 99);
	until(1);
	CHECK(alarm(0) == 0);
}

static void posix(clockid_t clock)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 99 };
	struct itimerspec it = { { 0, 3000000 }, { 0, 3000000 } }, old;
	sigset_t set;
	timer_t id;

	handled(SIGRTMIN + 2);
	MUST(timer_create(clock, &ev, &id) == 0);
	CHECK(timer_settime(id, 0, &it, &old) == 0 && old.it_value.tv_nsec == 0 && old.it_value.tv_sec == 0);
	until(5);
	CHECK(code == SI_TIMER && value == 99);
	/* blocked for a while: one waits, the others are counted */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	n = overrun = 0;
	for (double from = now(clock); now(clock) - from < 0.1;)
		;
	CHECK(n == 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK(n >= 1 && overrun >= 3);
	CHECK(timer_gettime(id, &old) == 0 && old.it_interval.tv_nsec == 3000000);
	/* absolute */
	clock_gettime(clock, &it.it_value);
	it.it_value.tv_nsec += 20000000;
	if (it.it_value.tv_nsec >= 1000000000) {
		it.it_value.tv_sec++;
		it.it_value.tv_nsec -= 1000000000;
	}
	it.it_interval.tv_nsec = 0;
	CHECK(timer_settime(id, TIMER_ABSTIME, &it, NULL) == 0);
	n = 0;
	until(1);
	CHECK(timer_delete(id) == 0);
	CHECK_ERR(syscall(SYS_timer_delete, 4711), EINVAL);
}

static volatile int helper_tid, stop;
static void *helper(void *arg)
{
	helper_tid = (int)syscall(SYS_gettid);
	while (!stop)
		usleep(1000);
	return NULL;
}

static void to_thread(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { { 0, 3000000 }, { 0, 3000000 } };
	pthread_t thread;
	timer_t id;

	pthread_create(&thread, NULL, helper, NULL);
	while (!helper_tid)
		usleep(1000);
	handled(SIGUSR1);
	ev.sigev_notify_thread_id = helper_tid;
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
	CHECK(timer_settime(id, 0, &it, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		until(i + 1);
		CHECK(tid_seen == helper_tid);
	}
	timer_delete(id);
	stop = 1;
	pthread_join(thread, NULL);
	ev.sigev_notify_thread_id = 0x3ffff0;
	CHECK_ERR(timer_create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
}

static void in_thread(union sigval v)
{
	timer_seen = v.sival_int;
	__atomic_fetch_add(&n, 1, __ATOMIC_SEQ_CST);
}

static void by_thread(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread };
	struct itimerspec it = { { 0, 5000000 }, { 0, 5000000 } };
	timer_t id;

	ev.sigev_value.sival_int = 4242;
	n = 0;
	CHECK(timer_create(CLOCK_REALTIME, &ev, &id) == 0);
	CHECK(timer_settime(id, 0, &it, NULL) == 0);
	abi_press();
	until(4);
	CHECK(timer_seen == 4242);
	timer_delete(id);
	usleep(20000);
}

static void silent(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	struct itimerspec it = { .it_value.tv_sec = 100 };
	timer_t id;

	CHECK(timer_create(CLOCK_BOOTTIME, &ev, &id) == 0);
	CHECK(timer_settime(id, 0, &it, NULL) == 0);
	CHECK(timer_gettime(id, &it) == 0 && it.it_value.tv_sec >= 99);
	CHECK(timer_getoverrun(id) == 0);
	timer_delete(id);
	/* without an event: SIGALRM with the timer's number */
	handled(SIGALRM);
	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &id) == 0);
	it = (struct itimerspec){ .it_value.tv_nsec = 5000000 };
	CHECK(timer_settime(id, 0, &it, NULL) == 0);
	until(1);
	CHECK(code == SI_TIMER);
	timer_delete(id);
	CHECK_ERR(timer_create(77, &ev, &id), EINVAL);
}

int main(void)
{
	interval(ITIMER_REAL, SIGALRM);
	interval(ITIMER_VIRTUAL, SIGVTALRM);
	interval(ITIMER_PROF, SIGPROF);
	alarms();
	puts("interval timers");
	posix(CLOCK_MONOTONIC);
	posix(CLOCK_REALTIME);
	posix(CLOCK_PROCESS_CPUTIME_ID);
	posix(CLOCK_THREAD_CPUTIME_ID);
	to_thread();
	by_thread();
	silent();
	puts("posix timers");
	return abi_result();
}
