/* A process of root's becomes an ordinary user, and then forks and starts programs: memory, signals and statuses stay. */
#include <sys/wait.h>
#include "tests/abi/abi.h"

int main(int argc, char **argv)
{
	char *p = abi_map(3UL << 20);
	int status;
	pid_t pid;

	if (argc > 1) {
		printf("started as %u\n", getuid());
		return 5;
	}
	if (getuid())
		abi_skip("only root can become another user");
	for (size_t i = 0; i < 3UL << 20; i += PAGE)
		p[i] = (char)(i / PAGE);
	MUST(setgid(1234) == 0 && setuid(1234) == 0);
	for (int round = 0; round < 3; round++) {
		fflush(stdout);
		if ((pid = fork()) == 0) {
			for (size_t i = 0; i < 3UL << 20; i += PAGE)
				CHECK(p[i] == (char)(i / PAGE));
			CHECK(getuid() == 1234 && kill(getppid(), 0) == 0);
			CHECK_ERR(kill(1, 0), EPERM);
			if (round == 2)
				execl("/proc/self/exe", "again", "again", NULL);
			_exit(abi_result());
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		printf("round %d: %d\n", round, WEXITSTATUS(status));
	}
	return abi_result();
}
