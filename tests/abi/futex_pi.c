// also: 6.1
/* Futexes with priority inheritance: words are written by the kernel, on pages that are not resident. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include "tests/abi/abi.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static uint32_t *lock, *cond;

static long futex(uint32_t *w, int op, uint32_t val, const void *timeout, uint32_t *w2, uint32_t val3)
{
	return syscall(SYS_futex, w, op, val, timeout, w2, val3);
}

static uint32_t tid(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

static void alone(int private)
{
	struct timespec past = { 1, 0 };

	abi_press();
	CHECK(futex(lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0) == 0 && *lock == tid());
	abi_press();
	CHECK_ERR(futex(lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0), EDEADLK);
	abi_press();
	CHECK(futex(lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0 && *lock == 0);
	abi_press();
	CHECK(futex(lock, FUTEX_TRYLOCK_PI | private, 0, NULL, NULL, 0) == 0 && *lock == tid());
	abi_press();
	CHECK(futex(lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0);
	CHECK_ERR(futex(lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0), EPERM);
	abi_press();
	CHECK(futex(lock, FUTEX_LOCK_PI2 | private, 0, &past, NULL, 0) == 0);
	CHECK(futex(lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0);
	*lock = 0x3ffffff0; /* nobody's number */
	CHECK_ERR(futex(lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0), ESRCH);
	*lock = 0;
}

static int private_flag;
static volatile int inside, most, rounds;

static void *contends(void *arg)
{
	for (int i = 0; i < 50; i++) {
		uint32_t me = tid(), none = 0;

		if (!__atomic_compare_exchange_n(lock, &none, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			CHECK(futex(lock, FUTEX_LOCK_PI | private_flag, 0, NULL, NULL, 0) == 0);
		CHECK((*lock & FUTEX_TID_MASK) == me);
		if (++inside > most)
			most = inside;
		if (i % 10 == 0)
			usleep(200);
		rounds++;
		inside--;
		if (!__atomic_compare_exchange_n(lock, &me, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			CHECK(futex(lock, FUTEX_UNLOCK_PI | private_flag, 0, NULL, NULL, 0) == 0);
	}
	return NULL;
}

static void contended(int private)
{
	pthread_t id[6];

	private_flag = private;
	rounds = most = inside = 0;
	for (int i = 0; i < 6; i++)
		pthread_create(&id[i], NULL, contends, NULL);
	for (int i = 0; i < 4; i++)
		abi_press();
	for (int i = 0; i < 6; i++)
		pthread_join(id[i], NULL);
	CHECK(rounds == 300);
	CHECK(most == 1);
	CHECK(*lock == 0);
}

static void *times_out(void *arg)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 40000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	CHECK_ERR(futex(lock, FUTEX_LOCK_PI | private_flag, 0, &ts, NULL, 0), ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	CHECK_ERR(futex(lock, FUTEX_LOCK_PI2 | private_flag, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(lock, FUTEX_TRYLOCK_PI | private_flag, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(lock, FUTEX_UNLOCK_PI | private_flag, 0, NULL, NULL, 0), EPERM);
	return NULL;
}

static void timed(int private)
{
	pthread_t id;

	private_flag = private;
	CHECK(futex(lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0) == 0);
	pthread_create(&id, NULL, times_out, NULL);
	abi_press();
	pthread_join(id, NULL);
	CHECK(futex(lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0);
	CHECK(*lock == 0);
}

static volatile int arrived;

static void *waits_requeued(void *arg)
{
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
	CHECK(futex(cond, FUTEX_WAIT_REQUEUE_PI | private_flag, 1, NULL, lock, 0) == 0);
	CHECK((*lock & FUTEX_TID_MASK) == tid());
	CHECK(futex(lock, FUTEX_UNLOCK_PI | private_flag, 0, NULL, NULL, 0) == 0);
	return NULL;
}

static void requeued(int private)
{
	pthread_t id[3];
	long moved = 0;

	private_flag = private;
	arrived = 0;
	*cond = 1;
	for (int i = 0; i < 3; i++)
		pthread_create(&id[i], NULL, waits_requeued, NULL);
	while (arrived < 3)
		usleep(1000);
	usleep(50000);
	abi_press();
	CHECK(futex(lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0) == 0);
	CHECK_ERR(futex(cond, FUTEX_CMP_REQUEUE_PI | private, 1, (void *)10, lock, 7), EAGAIN);
	for (int i = 0; i < 100 && moved < 3; i++) {
		long n = futex(cond, FUTEX_CMP_REQUEUE_PI | private, 1, (void *)10, lock, 1);

		CHECK(n >= 0);
		moved += n;
		usleep(1000);
	}
	CHECK(moved == 3);
	CHECK(futex(lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(id[i], NULL);
	CHECK(*lock == 0);
	*cond = 2;
	CHECK_ERR(futex(cond, FUTEX_WAIT_REQUEUE_PI | private, 1, NULL, lock, 0), EAGAIN);
}

static pthread_mutex_t *mutex;

static void *dies_with_it(void *arg)
{
	pthread_mutex_lock(mutex);
	__atomic_store_n(&arrived, 1, __ATOMIC_SEQ_CST);
	usleep(60000);
	return NULL;
}

static void *inherits(void *arg)
{
	int err = pthread_mutex_lock(mutex);

	if (err == EOWNERDEAD) {
		__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
		CHECK(pthread_mutex_consistent(mutex) == 0);
	} else {
		CHECK(err == 0);
	}
	CHECK(pthread_mutex_unlock(mutex) == 0);
	return NULL;
}

/* A robust mutex with inheritance: its owner dies while others wait for it. */
static void owner_dies(int shared)
{
	pthread_mutexattr_t attr;
	pthread_t owner, id[3];

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setpshared(&attr, shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
	MUST(pthread_mutex_init(mutex, &attr) == 0);
	for (int round = 0; round < 5; round++) {
		inside = arrived = 0;
		pthread_create(&owner, NULL, dies_with_it, NULL);
		while (!arrived)
			usleep(1000);
		for (int i = 0; i < 3; i++)
			pthread_create(&id[i], NULL, inherits, NULL);
		abi_press();
		pthread_join(owner, NULL);
		abi_press();
		for (int i = 0; i < 3; i++)
			pthread_join(id[i], NULL);
		CHECK(inside == 1);
	}
	/* nobody waits */
	inside = arrived = 0;
	pthread_create(&owner, NULL, dies_with_it, NULL);
	pthread_join(owner, NULL);
	abi_press();
	inherits(NULL);
	CHECK(inside == 1);
	pthread_mutex_destroy(mutex);
}

int main(void)
{
	lock = (uint32_t *)(abi_map(3 * PAGE) + PAGE + 128);
	cond = (uint32_t *)(abi_map(3 * PAGE) + PAGE + 256);
	mutex = (pthread_mutex_t *)(abi_map(3 * PAGE) + PAGE);
	for (int private = 0; private <= FUTEX_PRIVATE_FLAG; private += FUTEX_PRIVATE_FLAG) {
		alone(private);
		contended(private);
		timed(private);
		requeued(private);
		owner_dies(!private);
		puts(private ? "private" : "shared");
	}
	return abi_result();
}
