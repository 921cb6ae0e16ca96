/*
 * Makes processes and waits for them, N of each kind: fork and exit, vfork and exec, fork and exec of a small static
 * program (itself, called by another name). Prints the mean of each, so that start-up is not in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void become(char *self)
{
	char *argv[] = { self, (char *)"leave", NULL };

	execv(self, argv);
	_exit(99);
}

static pid_t by_fork(char *self)
{
	pid_t pid = fork();

	(void)self;
	if (!pid)
		_exit(7);
	return pid;
}

static pid_t by_fork_exec(char *self)
{
	pid_t pid = fork();

	if (!pid)
		become(self);
	return pid;
}

static pid_t by_vfork_exec(char *self)
{
	pid_t pid = vfork();

	if (!pid)
		become(self);
	return pid;
}

static void measure(const char *name, pid_t (*make)(char *), char *self, int n)
{
	double begin = now_us();

	for (int i = 0; i < n; i++) {
		int status;
		pid_t pid = make(self);

		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 7 << 8) {
			fprintf(stderr, "%s: number %d failed\n", name, i);
			exit(1);
		}
	}
	printf("%s: %.1f us\n", name, (now_us() - begin) / n);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100;
	static char self[4096];

	if (argc > 1 && !strcmp(argv[1], "leave"))
		return 7;
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	measure("fork and exit", by_fork, self, n);
	measure("fork and exec", by_fork_exec, self, n);
	measure("vfork and exec", by_vfork_exec, self, n);
	return 0;
}
