// also: 6.1
/* Cancellation of every kind, pthread_kill, joins, detached threads, thread-local destructors, hundreds of threads. */
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>
#include "tests/abi/abi.h"

static int cleaned, pipes[2];
static sem_t ready;

static void clean(void *arg)
{
	__atomic_fetch_add(&cleaned, 1, __ATOMIC_SEQ_CST);
}

static void *in_read(void *arg)
{
	char c;

	pthread_cleanup_push(clean, NULL);
	sem_post(&ready);
	CHECK(read(pipes[0], &c, 1) == -2); /* never comes back */
	pthread_cleanup_pop(0);
	return NULL;
}

static void *in_cond(void *arg)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;

	pthread_cleanup_push(clean, NULL);
	pthread_mutex_lock(&m);
	sem_post(&ready);
	for (;;)
		pthread_cond_wait(&c, &m);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *in_spin(void *arg)
{
	volatile unsigned long n = 0;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cleanup_push(clean, NULL);
	sem_post(&ready);
	for (;;)
		n++;
	pthread_cleanup_pop(0);
	return NULL;
}

static void *in_misses(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cleanup_push(clean, NULL);
	sem_post(&ready);
	volatile char *p = arg;
	for (;;)
		for (size_t i = 0; i < 4UL << 20; i += PAGE)
			p[i]++;
	pthread_cleanup_pop(0);
	return NULL;
}

static void *disabled(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	sem_post(&ready);
	usleep(50000);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	return NULL;
}

static void cancels(const char *what, void *(*fn)(void *), void *arg, int want)
{
	pthread_t id;
	void *ret;

	cleaned = 0;
	for (int i = 0; i < 10; i++) {
		MUST(pthread_create(&id, NULL, fn, arg) == 0);
		sem_wait(&ready);
		if (i % 2)
			usleep(2000);
		CHECK(pthread_cancel(id) == 0);
		CHECK(pthread_join(id, &ret) == 0 && ret == PTHREAD_CANCELED);
	}
	CHECK(cleaned == want);
	printf("cancelled %s\n", what);
}

static pthread_key_t key;
static int destroyed;
static void destroy(void *arg)
{
	__atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
}

#define MANY 400
static sem_t go;
static uint64_t sum;
static void *one_of_many(void *arg)
{
	char room[8192];

	pthread_setspecific(key, arg);
	memset(room, (int)(intptr_t)arg, sizeof(room));
	sem_wait(&go);
	for (unsigned i = 0; i < sizeof(room); i += 1024)
		CHECK(room[i] == (char)(intptr_t)arg);
	__atomic_fetch_add(&sum, (uintptr_t)arg, __ATOMIC_SEQ_CST);
	return arg;
}

static void many(void)
{
	static pthread_t id[MANY];
	pthread_attr_t attr;
	void *ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_key_create(&key, destroy);
	for (intptr_t i = 0; i < MANY; i++)
		MUST(pthread_create(&id[i], &attr, one_of_many, (void *)(i + 1)) == 0);
	abi_press();
	for (int i = 0; i < MANY; i++)
		sem_post(&go);
	for (intptr_t i = 0; i < MANY; i++)
		CHECK(pthread_join(id[i], &ret) == 0 && ret == (void *)(i + 1));
	CHECK(sum == MANY * (MANY + 1) / 2 && destroyed == MANY);
	puts("hundreds");
}

static void *detached(void *arg)
{
	pthread_detach(pthread_self());
	__atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST);
	if (arg)
		syscall(SYS_exit, 0);
	return NULL;
}

static void detaches(void)
{
	pthread_t id;

	sum = 0;
	for (int i = 0; i < 300; i++)
		if (pthread_create(&id, NULL, detached, i % 2 ? "" : NULL))
			usleep(1000), i--;
	for (int i = 0; i < 10000 && __atomic_load_n(&sum, __ATOMIC_SEQ_CST) < 300; i++)
		usleep(1000);
	CHECK(sum == 300);
	puts("detached");
}

static void *returns(void *arg)
{
	usleep(30000);
	return NULL;
}

static void joins(void)
{
	struct timespec ts;
	pthread_t id;

	pthread_create(&id, NULL, returns, NULL);
	clock_gettime(CLOCK_REALTIME, &ts);
	CHECK(pthread_tryjoin_np(id, NULL) == EBUSY);
	CHECK(pthread_timedjoin_np(id, NULL, &ts) == ETIMEDOUT);
	ts.tv_sec += 20;
	CHECK(pthread_timedjoin_np(id, NULL, &ts) == 0);
	CHECK(pthread_join(pthread_self(), NULL) == EDEADLK);
}

int main(void)
{
	sem_init(&ready, 0, 0);
	sem_init(&go, 0, 0);
	MUST(pipe(pipes) == 0);
	cancels("in read", in_read, NULL, 10);
	cancels("waiting for a condition", in_cond, NULL, 10);
	cancels("amidst a loop", in_spin, NULL, 10);
	cancels("amidst misses", in_misses, abi_map(4UL << 20), 10);
	cancels("later", disabled, NULL, 0);
	many();
	detaches();
	joins();
	return abi_result();
}
