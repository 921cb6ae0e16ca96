// also: 6.1
// status: 7
/* The first thread ends and the others go on: signals still come, and the last one's exit is the process's. */
#include <pthread.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

static volatile int handled;
static pid_t process;

static void on_signal(int sig)
{
	handled++;
}

static void *goes_on(void *arg)
{
	usleep(100000);
	abi_press();
	CHECK(getpid() == process && syscall(SYS_gettid) != process);
	for (int i = 0; i < 20; i++) {
		kill(process, i % 2 ? SIGUSR1 : SIGSEGV);
		while (handled <= i)
			usleep(1000);
	}
	CHECK(kill(process, 0) == 0);
	puts("the second one ends it");
	if (abi_result())
		_exit(1);
	fflush(stdout);
	_exit(7);
}

int main(void)
{
	pthread_t id;

	process = getpid();
	signal(SIGUSR1, on_signal);
	signal(SIGSEGV, on_signal);
	pthread_create(&id, NULL, goes_on, NULL);
	pthread_exit(NULL);
}
