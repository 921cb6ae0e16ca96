/* getcontext, makecontext, swapcontext, setcontext, uc_link, on stacks that are not resident; out of handlers as well. */
#include <ucontext.h>
#include "tests/abi/abi.h"

#define N 20
static ucontext_t mine, other[N];
static int order[4 * N], n;

static void runs(int a, int b)
{
	char room[3000];

	memset(room, a, sizeof(room));
	for (int i = 0; i < 3; i++) {
		order[n++] = a;
		if (a == 3)
			abi_press();
		swapcontext(&other[a], &mine);
		CHECK(room[2999] == a && b == 1000 + a);
	}
	order[n++] = 100 + a; /* ends: uc_link */
}

static volatile int handled;
static ucontext_t in_handler, out_of_it;

static void on_signal(int sig)
{
	handled++;
	CHECK(sigismember(&in_handler.uc_sigmask, sig) != 1);
	setcontext(&out_of_it); /* and its mask */
}

static void coroutines(void)
{
	for (volatile int i = 0; i < N; i++) {
		getcontext(&other[i]);
		other[i].uc_stack.ss_size = 32 << 10;
		other[i].uc_stack.ss_sp = abi_map(other[i].uc_stack.ss_size);
		other[i].uc_link = &mine;
		makecontext(&other[i], (void (*)(void))runs, 2, i, 1000 + i);
	}
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < N; i++)
			swapcontext(&mine, &other[i]);
		abi_press();
	}
	CHECK(n == 4 * N && order[3] == 3 && order[4 * N - 1] == 100 + N - 1);
}

int main(void)
{
	static volatile int times;
	sigset_t now;

	coroutines();
	signal(SIGUSR1, on_signal);
	getcontext(&in_handler);
	getcontext(&out_of_it);
	if (times++ < 50)
		raise(SIGUSR1);
	CHECK(handled == 50);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(!sigismember(&now, SIGUSR1));
	puts("swapped");
	return abi_result();
}
