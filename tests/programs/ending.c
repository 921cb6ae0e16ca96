/* ending exit N | signal N | segv | abort | fpe | ill | trap | thread-exit N | main-exit: ends in the way that is asked for. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include "tests/programs/say.h"

static int number;

static void *exit_in_thread(void *arg)
{
	exit(number);
	return arg;
}

static void *outlive_main(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
	printf("main is gone\n");
	return NULL;
}

int main(int argc, char **argv)
{
	static pthread_t self;
	const char *how = argc > 1 ? argv[1] : "exit";
	volatile int zero = 0;
	pthread_t t;

	number = argc > 2 ? atoi(argv[2]) : 0;
	printf("ending by %s\n", how);
	fflush(stdout);
	if (strcmp(how, "exit") == 0)
		return number;
	if (strcmp(how, "_exit") == 0)
		_exit(number);
	if (strcmp(how, "signal") == 0)
		kill(getpid(), number);
	else if (strcmp(how, "segv") == 0)
		*(volatile int *)(uintptr_t)zero = 1;
	else if (strcmp(how, "abort") == 0)
		abort();
	else if (strcmp(how, "fpe") == 0)
		number = 100 / zero;
	else if (strcmp(how, "ill") == 0)
		__asm__ volatile("ud2");
	else if (strcmp(how, "trap") == 0)
		__asm__ volatile("int3");
	else if (strcmp(how, "thread-exit") == 0) {
		MUST(!pthread_create(&t, NULL, exit_in_thread, NULL));
		pause();
	} else if (strcmp(how, "main-exit") == 0) {
		self = pthread_self();
		MUST(!pthread_create(&t, NULL, outlive_main, &self));
		pthread_exit(NULL);
	}
	printf("still here\n");
	return EXIT_BROKEN;
}
