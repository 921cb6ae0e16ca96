// also: 6.1
/* futex_waitv: which of several words was woken, time-outs by both clocks, mistakes. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include "tests/abi/abi.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define N 5

struct waitv {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};
static uint32_t *word[N];
static struct waitv *v;
static volatile int entered;

static long waitv(struct waitv *w, unsigned n, unsigned flags, const struct timespec *ts, clockid_t clock)
{
	return syscall(SYS_futex_waitv, w, n, flags, ts, clock);
}

static void *waker(void *arg)
{
	abi_press();
	usleep(30000);
	*word[3] = 9;
	while (syscall(SYS_futex, word[3], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) != 1)
		usleep(1000);
	return NULL;
}

int main(void)
{
	struct timespec ts;
	pthread_t id;

	v = (struct waitv *)abi_map(PAGE);
	for (int i = 0; i < N; i++) {
		word[i] = (uint32_t *)(abi_map(3 * PAGE) + PAGE);
		*word[i] = (uint32_t)i;
		v[i] = (struct waitv){ .val = (uint64_t)i, .uaddr = (uintptr_t)word[i], .flags = 2 | 128 };
	}
	if (waitv(v, 0, 0, NULL, 0) < 0 && errno == ENOSYS)
		abi_skip("this kernel has no futex_waitv");
	CHECK_ERR(waitv(v, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(v, 129, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(v, N, 1, NULL, 0), EINVAL);
	CHECK_ERR(waitv(NULL, N, 0, NULL, 0), EINVAL);
	abi_press();
	pthread_create(&id, NULL, waker, NULL);
	CHECK(waitv(v, N, 0, NULL, 0) == 3);
	pthread_join(id, NULL);
	CHECK_ERR(waitv(v, N, 0, NULL, 0), EAGAIN);
	v[3].val = 9;
	abi_press();
	for (clockid_t clock = CLOCK_REALTIME; clock <= CLOCK_MONOTONIC; clock++) {
		clock_gettime(clock, &ts);
		ts.tv_nsec += 30000000;
		if (ts.tv_nsec >= 1000000000) {
			ts.tv_sec++;
			ts.tv_nsec -= 1000000000;
		}
		CHECK_ERR(waitv(v, N, 0, &ts, clock), ETIMEDOUT);
	}
	CHECK_ERR(waitv(v, N, 0, &ts, CLOCK_PROCESS_CPUTIME_ID), EINVAL);
	v[1].reserved = 1;
	CHECK_ERR(waitv(v, N, 0, NULL, 0), EINVAL);
	v[1].reserved = 0;
	v[1].uaddr++;
	CHECK_ERR(waitv(v, N, 0, NULL, 0), EINVAL);
	munmap((char *)word[1] - PAGE, 3 * PAGE);
	v[1].uaddr--;
	CHECK_ERR(waitv(v, N, 0, NULL, 0), EFAULT);
	puts("waited");
	return abi_result();
}
