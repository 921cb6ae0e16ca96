// status: 0
/* All threads end by pthread_exit, the first one before the others: the process's status is 0. */
#include <pthread.h>
#include "tests/abi/abi.h"

static void *ends(void *arg)
{
	usleep(1000 * (unsigned)(intptr_t)arg);
	pthread_exit((void *)5);
}

int main(void)
{
	pthread_t id;

	for (intptr_t i = 0; i < 20; i++)
		pthread_create(&id, NULL, ends, (void *)i);
	puts("all end");
	fflush(stdout);
	pthread_exit((void *)9);
}
