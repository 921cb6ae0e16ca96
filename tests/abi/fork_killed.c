/* A child that is killed before it did anything is gone: many of them, one after another, and the program ends at once. */
#include <sys/wait.h>
#include "abi.h"

#define CHILDREN 700

int main(void)
{
	int killed = 0, status;

	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		MUST(pid > 0);
		CHECK(kill(pid, SIGKILL) == 0);
		if (i % 2)
			CHECK(waitpid(pid, &status, 0) == pid);
		else
			CHECK(wait(&status) == pid);
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	}
	printf("%d of %d killed\n", killed, CHILDREN);
	return abi_result();
}
