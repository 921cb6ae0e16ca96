/* threads: what programs do with threads, many times over; prints only what must come out. Native output is the judge. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define ROUNDS 300

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t counter;
static atomic_uint finished;
static __thread uint64_t own = 7;

static void *add_own(void *arg)
{
	uintptr_t n = (uintptr_t)arg;

	MUST(own == 7);
	own += n;
	pthread_mutex_lock(&lock);
	counter += own;
	pthread_mutex_unlock(&lock);
	return (void *)(n * 2);
}

static void create_join(void)
{
	uint64_t sum = 0;

	counter = 0;
	for (uintptr_t i = 0; i < ROUNDS; i++) {
		pthread_t t;
		void *back;

		MUST(!pthread_create(&t, NULL, add_own, (void *)i));
		MUST(!pthread_join(t, &back));
		sum += (uintptr_t)back;
	}
	printf("created and joined one by one: %lu %lu\n", counter, sum);
}

static void many_at_once(void)
{
	pthread_t t[40];
	uint64_t sum = 0;
	void *back;

	counter = 0;
	for (uintptr_t i = 0; i < 40; i++)
		MUST(!pthread_create(&t[i], NULL, add_own, (void *)i));
	for (int i = 39; i >= 0; i--) {
		MUST(!pthread_join(t[i], &back));
		sum += (uintptr_t)back;
	}
	printf("forty at once: %lu %lu\n", counter, sum);
}

static void *finish(void *arg)
{
	atomic_fetch_add(&finished, 1);
	return arg;
}

static void detach(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_t t;

		MUST(!pthread_create(&t, NULL, finish, NULL));
		MUST(!pthread_detach(t));
		if (i % 30 == 29)
			while (atomic_load(&finished) < (unsigned)i - 20)
				sched_yield();
	}
	while (atomic_load(&finished) < ROUNDS)
		sched_yield();
	printf("detached: %u\n", atomic_load(&finished));
}

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void contend(void)
{
	pthread_t t[4];

	counter = 0;
	for (int i = 0; i < 4; i++)
		MUST(!pthread_create(&t[i], NULL, count_up, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("a mutex held by four in turn: %lu\n", counter);
}

static unsigned place;

static void *ring(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		while (place % 3 != me)
			pthread_cond_wait(&changed, &lock);
		place++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void conditions(void)
{
	struct timespec until;
	pthread_t t[3];
	int err;

	for (uintptr_t i = 0; i < 3; i++)
		MUST(!pthread_create(&t[i], NULL, ring, (void *)i));
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("a ring of three: %u\n", place);

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	do
		err = pthread_cond_timedwait(&changed, &lock, &until);
	while (!err);
	pthread_mutex_unlock(&lock);
	printf("a wait with an end: %s\n", error_name(err));
}

static pthread_barrier_t barrier;
static atomic_uint phase_sum;

static void *phases(void *arg)
{
	for (unsigned p = 0; p < 50; p++) {
		atomic_fetch_add(&phase_sum, p);
		pthread_barrier_wait(&barrier);
		MUST(atomic_load(&phase_sum) >= 4 * p);
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

static void barriers(void)
{
	pthread_t t[4];

	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		MUST(!pthread_create(&t[i], NULL, phases, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("barriers: %u\n", atomic_load(&phase_sum));
}

static sem_t full, empty;
static unsigned box;

static void *produce(void *arg)
{
	for (unsigned i = 1; i <= 2000; i++) {
		sem_wait(&empty);
		box = i;
		sem_post(&full);
	}
	return arg;
}

static void semaphores(void)
{
	unsigned long sum = 0;
	pthread_t t;

	sem_init(&full, 0, 0);
	sem_init(&empty, 0, 1);
	MUST(!pthread_create(&t, NULL, produce, NULL));
	for (int i = 0; i < 2000; i++) {
		sem_wait(&full);
		sum += box;
		sem_post(&empty);
	}
	pthread_join(t, NULL);
	printf("semaphores: %lu\n", sum);
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static uint64_t pair[2];

static void *read_pairs(void *arg)
{
	for (int i = 0; i < 5000; i++) {
		pthread_rwlock_rdlock(&rw);
		MUST(pair[0] == pair[1]);
		pthread_rwlock_unlock(&rw);
	}
	return arg;
}

static void *write_pairs(void *arg)
{
	for (int i = 0; i < 5000; i++) {
		pthread_rwlock_wrlock(&rw);
		pair[0]++;
		pair[1]++;
		pthread_rwlock_unlock(&rw);
	}
	return arg;
}

static void readers_writers(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		MUST(!pthread_create(&t[i], NULL, i < 2 ? read_pairs : write_pairs, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("readers and writers: %lu %lu\n", pair[0], pair[1]);
}

static pthread_key_t key;
static atomic_uint destroyed;

static void destroy(void *value)
{
	atomic_fetch_add(&destroyed, (unsigned)(uintptr_t)value);
}

static void *set_key(void *arg)
{
	pthread_setspecific(key, arg);
	return pthread_getspecific(key);
}

static void keys(void)
{
	pthread_t t[10];

	pthread_key_create(&key, destroy);
	for (uintptr_t i = 1; i <= 10; i++)
		MUST(!pthread_create(&t[i - 1], NULL, set_key, (void *)i));
	for (int i = 0; i < 10; i++)
		pthread_join(t[i], NULL);
	printf("keys destroyed: %u\n", atomic_load(&destroyed));
}

static void *wait_for_cancel(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *spin_until_cancelled(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		;
	return arg;
}

static void cancel(void)
{
	pthread_t t;
	void *back;
	int n = 0;

	for (int i = 0; i < 20; i++) {
		MUST(!pthread_create(&t, NULL, i % 2 ? wait_for_cancel : spin_until_cancelled, NULL));
		pthread_cancel(t);
		pthread_join(t, &back);
		n += back == PTHREAD_CANCELED;
	}
	printf("cancelled: %d\n", n);
}

static void *die_holding(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void robust(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;
	pthread_t t;
	int err;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &attr);
	MUST(!pthread_create(&t, NULL, die_holding, &m));
	pthread_join(t, NULL);
	err = pthread_mutex_lock(&m);
	printf("a robust mutex whose owner ended: %s\n", error_name(err));
	pthread_mutex_consistent(&m);
	pthread_mutex_unlock(&m);
	printf("and after: %s\n", error_name(pthread_mutex_lock(&m)));
}

static void inherit(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	printf("priority inheritance: %s", error_name(pthread_mutex_init(&m, &attr)));
	printf(" %s", error_name(pthread_mutex_lock(&m)));
	printf(" %s\n", error_name(pthread_mutex_unlock(&m)));
}

static void *stack_deep(void *arg)
{
	volatile char room[3 << 20];

	for (size_t i = 0; i < sizeof(room); i += 4096)
		room[i] = (char)i;
	for (size_t i = 0; i < sizeof(room); i += 4096)
		MUST(room[i] == (char)i);
	return arg;
}

static void stacks(void)
{
	pthread_attr_t attr;
	pthread_t t[4];

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 4 << 20);
	for (int i = 0; i < 4; i++)
		MUST(!pthread_create(&t[i], &attr, stack_deep, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("deep stacks: ok\n");
}

static void *tell_tid(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	return NULL;
}

static void identity(void)
{
	pid_t tid = 0;
	pthread_t t;

	printf("main thread is the process: %d\n", syscall(SYS_gettid) == getpid());
	MUST(!pthread_create(&t, NULL, tell_tid, &tid));
	pthread_join(t, NULL);
	printf("another is not: %d\n", tid > 0 && tid != getpid());
}

int main(void)
{
	identity();
	create_join();
	many_at_once();
	detach();
	contend();
	conditions();
	barriers();
	semaphores();
	readers_writers();
	keys();
	cancel();
	robust();
	inherit();
	stacks();
	return 0;
}
