/* [FORKS]: fork beside running threads: the child has one, whole memory, working locks and threads of its own; many times. */
#include <pthread.h>
#include <sys/wait.h>
#include "abi.h"

#define PAGES 400
#define FORKS 20

static unsigned *area;
static volatile int stop;

static void *churn(void *arg)
{
	unsigned long x = (unsigned long)arg;

	while (!stop) {
		x = x * 6364136223846793005UL + 1442695040888963407UL;
		free(malloc(x >> 52));
		__atomic_fetch_add(&area[(x >> 33) % PAGES * 1024 + (unsigned long)arg], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *touch(void *arg)
{
	for (int i = 0; i < PAGES; i++)
		area[i * 1024 + 7] = 77;
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread[3], own;
	int status, forks = argc > 1 ? atoi(argv[1]) : FORKS;

	area = (unsigned *)abi_map(PAGES * PAGE);
	for (int i = 0; i < PAGES; i++)
		area[i * 1024 + 9] = (unsigned)i;
	for (long i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, churn, (void *)i);
	for (int n = 0; n < forks; n++) {
		pid_t pid = fork();

		MUST(pid >= 0);
		if (!pid) {
			unsigned long a = 0, b = 0;

			for (int i = 0; i < PAGES; i++)
				a += area[i * 1024] + area[i * 1024 + 1] + area[i * 1024 + 2];
			for (int i = 0; i < PAGES; i++)
				CHECK(area[i * 1024 + 9] == (unsigned)i);
			free(malloc(100000));
			pthread_create(&own, NULL, touch, NULL);
			pthread_join(own, NULL);
			/* nobody of the parent's writes here any more */
			for (int i = 0; i < PAGES; i++)
				b += area[i * 1024] + area[i * 1024 + 1] + area[i * 1024 + 2];
			CHECK(a == b);
			_exit(abi_result());
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < PAGES; i++)
		CHECK(area[i * 1024 + 7] == 0);
	puts("threads and forks");
	return abi_result();
}
