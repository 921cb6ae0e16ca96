// status: 33
/* exit_group of a thread ends all others, whatever they do: sleep, wait, miss, compute. */
#include <pthread.h>
#include "tests/abi/abi.h"

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *computes(void *arg)
{
	volatile unsigned long n = 0;

	while (n < ~0UL)
		n++;
	return NULL;
}

static void *misses(void *arg)
{
	while (arg)
		abi_press();
	return NULL;
}

static void *waits(void *arg)
{
	pthread_mutex_lock(&held);
	return NULL;
}

static void *ends(void *arg)
{
	usleep(100000);
	puts("the end");
	fflush(stdout);
	_exit(33);
}

int main(void)
{
	pthread_t id;

	pthread_mutex_lock(&held);
	pthread_create(&id, NULL, computes, NULL);
	pthread_create(&id, NULL, misses, "");
	pthread_create(&id, NULL, waits, NULL);
	pthread_create(&id, NULL, ends, NULL);
	for (;;)
		pause();
}
