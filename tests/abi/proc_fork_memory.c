// also: ofi 6.1
/* fork: neither of parent and child ever sees what the other writes later, wherever a page lies; several generations. */
#include <sys/wait.h>
#include "abi.h"

#define PAGES 1200
#define GENERATIONS 3

static unsigned char *area;

static void write_all(unsigned seed)
{
	for (unsigned i = 0; i < PAGES; i++)
		memset(area + i * PAGE, (int)(seed * 7 + i), 64);
}

static void check_all(unsigned seed)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < PAGES; i++)
		wrong += area[i * PAGE + 33] != (unsigned char)(seed * 7 + i);
	CHECK(wrong == 0);
}

static int generation(unsigned g)
{
	int status;
	pid_t pid;

	check_all(g);
	if (g == GENERATIONS)
		return abi_result();
	fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		check_all(g);
		write_all(g + 1);
		exit(generation(g + 1));
	}
	write_all(g + 50); /* while the child runs */
	check_all(g + 50);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	check_all(g + 50);
	return abi_result();
}

int main(void)
{
	area = (unsigned char *)abi_map(PAGES * PAGE);
	write_all(0);
	generation(0);
	puts("isolated");
	return abi_result();
}
