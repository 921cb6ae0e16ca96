// also: 6.1
/* What a sleep that a signal ends says is left; time-outs that go on after a restart are not longer than asked. */
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include "tests/abi/abi.h"

static volatile int handled;

static void on_alarm(int sig)
{
	handled++;
}

static void in_ms(long ms, long every)
{
	struct itimerval it = { .it_value.tv_usec = ms * 1000, .it_interval.tv_usec = every * 1000 };

	setitimer(ITIMER_REAL, &it, NULL);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(void)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct timespec *left = (struct timespec *)abi_map(PAGE), ask;
	struct timeval tv;
	double from;

	sigaction(SIGALRM, &act, NULL);
	abi_press();
	in_ms(50, 0);
	ask = (struct timespec){ 1, 900000000 };
	CHECK_ERR(nanosleep(&ask, left), EINTR);
	CHECK(left->tv_sec == 1 && left->tv_nsec > 0 && left->tv_nsec <= 880000000);
	in_ms(50, 0);
	CHECK(clock_nanosleep(CLOCK_REALTIME, 0, &ask, left) == EINTR);
	CHECK(left->tv_sec == 1 && left->tv_nsec > 0 && left->tv_nsec <= 880000000);
	/* absolute: nothing is said */
	*left = (struct timespec){ 77, 88 };
	clock_gettime(CLOCK_MONOTONIC, &ask);
	ask.tv_sec += 2;
	in_ms(50, 0);
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ask, left) == EINTR);
	CHECK(left->tv_sec == 77 && left->tv_nsec == 88);
	/* left and asked may be the same */
	*left = (struct timespec){ 0, 200000000 };
	in_ms(20, 20);
	from = now();
	while (nanosleep(left, left))
		CHECK(errno == EINTR);
	in_ms(0, 0);
	CHECK(now() - from >= 0.2 && now() - from < 1.2 && handled > 5);
	/* select and ppoll say what is left, the library hides ppoll's */
	tv = (struct timeval){ 1, 900000 };
	in_ms(50, 0);
	CHECK_ERR(select(0, NULL, NULL, NULL, &tv), EINTR);
	CHECK(tv.tv_sec == 1 && tv.tv_usec <= 880000);
	*left = (struct timespec){ 1, 900000000 };
	in_ms(50, 0);
	CHECK_ERR(syscall(SYS_ppoll, NULL, 0, left, NULL, 8), EINTR);
	CHECK(left->tv_sec == 1 && left->tv_nsec <= 880000000);
	*left = (struct timespec){ 1, 900000000 };
	in_ms(50, 0);
	CHECK_ERR(syscall(SYS_pselect6, 0, NULL, NULL, NULL, left, NULL), EINTR);
	CHECK(left->tv_sec == 1 && left->tv_nsec <= 880000000);
	/* an ignored signal is no interruption */
	signal(SIGALRM, SIG_IGN);
	in_ms(20, 0);
	CHECK(nanosleep(&(struct timespec){ 0, 60000000 }, left) == 0);
	CHECK(poll(NULL, 0, 40) == 0);
	CHECK_ERR(nanosleep(&(struct timespec){ 0, 1000000000 }, NULL), EINVAL);
	CHECK_ERR(nanosleep((void *)8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_restart_syscall), EINTR);
	puts("slept");
	return abi_result();
}
