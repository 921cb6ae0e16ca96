// also: 6.1
/* Every operation of futex(2) without priority inheritance, with words on pages that are not resident. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include "tests/abi/abi.h"

#define WORDS 4
static uint32_t *word[WORDS]; /* each on a page of its own */

static long futex(uint32_t *w, int op, uint32_t val, const void *timeout, uint32_t *w2, uint32_t val3)
{
	return syscall(SYS_futex, w, op, val, timeout, w2, val3);
}

struct waiter {
	pthread_t id;
	int op, word;
	uint32_t val, bits;
	long ret;
	int err, tid;
};

static void *waits(void *arg)
{
	struct waiter *w = arg;

	__atomic_store_n(&w->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	w->ret = futex(word[w->word], w->op, w->val, NULL, NULL, w->bits);
	w->err = w->ret < 0 ? errno : 0;
	return NULL;
}

static void asleep(int tid)
{
	char name[64], text[512], *p;
	FILE *f;

	for (int i = 0; i < 5000; i++) {
		usleep(1000);
		snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
		if (!(f = fopen(name, "r"))) { /* where it cannot be asked */
			usleep(50000);
			return;
		}
		p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
		fclose(f);
		if (p && p[2] == 'S')
			return;
	}
}

static void start(struct waiter *w, int op, int on, uint32_t bits)
{
	*w = (struct waiter){ .op = op, .word = on, .val = *word[on], .bits = bits };
	MUST(pthread_create(&w->id, NULL, waits, w) == 0);
	while (!__atomic_load_n(&w->tid, __ATOMIC_SEQ_CST))
		usleep(100);
	asleep(w->tid);
}

static void ended(struct waiter *w)
{
	pthread_join(w->id, NULL);
	CHECK(w->ret == 0 && w->err == 0);
}

static void wait_wake(int private)
{
	struct waiter w[3];

	abi_press();
	CHECK(futex(word[0], FUTEX_WAKE | private, 10, NULL, NULL, 0) == 0);
	for (int i = 0; i < 3; i++)
		start(&w[i], FUTEX_WAIT | private, 0, 0);
	abi_press();
	CHECK(futex(word[0], FUTEX_WAKE | private, 1, NULL, NULL, 0) == 1);
	abi_press();
	CHECK(futex(word[0], FUTEX_WAKE | private, 10, NULL, NULL, 0) == 2);
	for (int i = 0; i < 3; i++)
		ended(&w[i]);
	abi_press();
	CHECK_ERR(futex(word[0], FUTEX_WAIT | private, *word[0] + 1, NULL, NULL, 0), EAGAIN);
}

static void bitset(int private)
{
	struct waiter w[2];

	start(&w[0], FUTEX_WAIT_BITSET | private, 1, 1);
	start(&w[1], FUTEX_WAIT_BITSET | private, 1, 6);
	abi_press();
	CHECK(futex(word[1], FUTEX_WAKE_BITSET | private, 9, NULL, NULL, 8) == 0);
	CHECK(futex(word[1], FUTEX_WAKE_BITSET | private, 9, NULL, NULL, 4) == 1);
	ended(&w[1]);
	CHECK(futex(word[1], FUTEX_WAKE_BITSET | private, 9, NULL, NULL, FUTEX_BITSET_MATCH_ANY) == 1);
	ended(&w[0]);
	CHECK_ERR(futex(word[1], FUTEX_WAIT_BITSET | private, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(word[1], FUTEX_WAKE_BITSET | private, 0, NULL, NULL, 0), EINVAL);
}

static void requeue(int private)
{
	struct waiter w[4];

	for (int i = 0; i < 4; i++)
		start(&w[i], FUTEX_WAIT | private, 2, 0);
	abi_press();
	CHECK_ERR(futex(word[2], FUTEX_CMP_REQUEUE | private, 1, (void *)1, word[3], *word[2] + 1), EAGAIN);
	abi_press();
	/* wakes one, moves one */
	CHECK(futex(word[2], FUTEX_CMP_REQUEUE | private, 1, (void *)1, word[3], *word[2]) == 2);
	abi_press();
	CHECK(futex(word[3], FUTEX_WAKE | private, 9, NULL, NULL, 0) == 1);
	abi_press();
	long moved = futex(word[2], FUTEX_REQUEUE | private, 0, (void *)9, word[3], 0);
	CHECK(moved == 0 || moved == 2); /* the plain one tells of those it has woken only; kernels differ */
	CHECK(futex(word[2], FUTEX_WAKE | private, 9, NULL, NULL, 0) == 0);
	CHECK(futex(word[3], FUTEX_WAKE | private, 9, NULL, NULL, 0) == 2);
	for (int i = 0; i < 4; i++)
		ended(&w[i]);
}

static void wake_op(int private)
{
	struct waiter w[2];

	*word[0] = 5;
	*word[1] = 7;
	start(&w[0], FUTEX_WAIT | private, 0, 0);
	start(&w[1], FUTEX_WAIT | private, 1, 0);
	abi_press();
	/* the second word gets 9 added; it was > 6: its waiter is woken too */
	CHECK(futex(word[0], FUTEX_WAKE_OP | private, 1, (void *)1, word[1],
		    FUTEX_OP(FUTEX_OP_ADD, 9, FUTEX_OP_CMP_GT, 6)) == 2);
	ended(&w[0]);
	ended(&w[1]);
	CHECK(*word[1] == 16);
	abi_press();
	CHECK(futex(word[0], FUTEX_WAKE_OP | private, 1, (void *)1, word[1],
		    FUTEX_OP(FUTEX_OP_ANDN, 16, FUTEX_OP_CMP_EQ, 3)) == 0);
	CHECK(*word[1] == 0);
	CHECK_ERR(futex(word[0], FUTEX_WAKE_OP | private, 1, (void *)1, word[1], FUTEX_OP(7, 1, FUTEX_OP_CMP_EQ, 0)),
		  ENOSYS);
}

static uint64_t ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void timeouts(int private)
{
	struct timespec *ts = (struct timespec *)abi_map(PAGE);
	uint64_t from = ns(CLOCK_MONOTONIC), until;

	*ts = (struct timespec){ 0, 30000000 };
	abi_press();
	CHECK_ERR(futex(word[0], FUTEX_WAIT | private, *word[0], ts, NULL, 0), ETIMEDOUT);
	CHECK(ns(CLOCK_MONOTONIC) - from >= 30000000);
	for (int realtime = 0; realtime < 2; realtime++) {
		until = ns(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC) + 30000000;
		*ts = (struct timespec){ (time_t)(until / 1000000000), (long)(until % 1000000000) };
		CHECK_ERR(futex(word[0], FUTEX_WAIT_BITSET | private | (realtime ? FUTEX_CLOCK_REALTIME : 0), *word[0],
				ts, NULL, ~0u),
			  ETIMEDOUT);
		CHECK(ns(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC) >= until);
		CHECK_ERR(futex(word[0], FUTEX_WAIT_BITSET | private, *word[0], &(struct timespec){ 0, 0 }, NULL, ~0u),
			  ETIMEDOUT);
	}
	*ts = (struct timespec){ 0, 1000000000 };
	CHECK_ERR(futex(word[0], FUTEX_WAIT | private, *word[0], ts, NULL, 0), EINVAL);
	*ts = (struct timespec){ -1, 0 };
	CHECK_ERR(futex(word[0], FUTEX_WAIT | private, *word[0], ts, NULL, 0), EINVAL);
}

static void mistakes(void)
{
	char *gone = abi_map(PAGE), *locked = abi_map(PAGE);

	munmap(gone, PAGE);
	locked[0] = 1;
	mprotect(locked, PAGE, PROT_NONE);
	CHECK_ERR(futex((uint32_t *)gone, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((uint32_t *)gone, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((uint32_t *)gone, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK(futex((uint32_t *)gone, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
	CHECK_ERR(futex((uint32_t *)locked, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((uint32_t *)((char *)word[0] + 1), FUTEX_WAIT, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((uint32_t *)((char *)word[0] + 2), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(word[0], FUTEX_WAIT, *word[0], (void *)gone, NULL, 0), EFAULT);
	CHECK_ERR(futex(word[0], 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(word[0], FUTEX_FD, 0, NULL, NULL, 0), ENOSYS);
	/* read-only memory does for private ones */
	mprotect(locked, PAGE, PROT_READ);
	CHECK_ERR(futex((uint32_t *)locked, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0), EAGAIN);
}

int main(void)
{
	for (int i = 0; i < WORDS; i++)
		word[i] = (uint32_t *)(abi_map(3 * PAGE) + PAGE + 64 * i);
	for (int private = 0; private <= FUTEX_PRIVATE_FLAG; private += FUTEX_PRIVATE_FLAG) {
		wait_wake(private);
		bitset(private);
		requeue(private);
		wake_op(private);
		timeouts(private);
		puts(private ? "private" : "shared");
	}
	mistakes();
	return abi_result();
}
