// also: 6.1
// timeout: 90
/* SIGCONT and the signals that stop: handlers run, and what waits is dropped by its opposite. */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tests/abi/abi.h"

static volatile int continued;

static void on_cont(int sig)
{
	continued++;
}

/* A signal that is blocked while it waits is dropped by its opposite. */
static void opposites(void)
{
	sigset_t set, now;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGTSTP);
	sigpending(&now);
	CHECK(sigismember(&now, SIGTSTP) == 1);
	kill(getpid(), SIGCONT);
	sigpending(&now);
	CHECK(sigismember(&now, SIGTSTP) == 0 && sigismember(&now, SIGCONT) == 1);
	kill(getpid(), SIGTTIN);
	sigpending(&now);
	CHECK(sigismember(&now, SIGCONT) == 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void *restless(void *arg)
{
	for (;;)
		abi_press();
	return arg;
}

int main(void)
{
	struct sigaction act = { .sa_handler = on_cont };
	pthread_t id;

	sigaction(SIGCONT, &act, NULL);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTSTP, on_cont);
	opposites(); /* before there are threads that do not block them */
	CHECK(continued == 0);
	pthread_create(&id, NULL, restless, NULL);
	raise(SIGCONT);
	CHECK(continued == 1);
	puts("went on");
	return abi_result();
}
