/*
 * halt PID SECONDS: a tracer stops all threads of a process for so long, also of process 1, which no signal stops. Says
 * "halted" when they stand. Only stops: the process is as before afterwards.
 */
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define THREADS_MAX 64

int main(int argc, char **argv)
{
	pid_t thread[THREADS_MAX];
	struct dirent *d;
	char path[64];
	int n = 0;
	DIR *dir;

	MUST(argc == 3);
	snprintf(path, sizeof(path), "/proc/%s/task", argv[1]);
	dir = opendir(path);
	MUST(dir);
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && n < THREADS_MAX)
			thread[n++] = atoi(d->d_name);
	for (int i = 0; i < n; i++) {
		MUST(!ptrace(PTRACE_SEIZE, thread[i], NULL, NULL) && !ptrace(PTRACE_INTERRUPT, thread[i], NULL, NULL));
		MUST(waitpid(thread[i], NULL, __WALL) == thread[i]);
	}
	printf("halted\n");
	fflush(stdout);
	sleep((unsigned)atoi(argv[2]));
	for (int i = 0; i < n; i++)
		MUST(!ptrace(PTRACE_DETACH, thread[i], NULL, NULL));
	return 0;
}
