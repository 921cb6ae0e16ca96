// also: ofi 6.1
/* vfork and posix_spawn: the parent waits for exec or exit; the cause of a failure comes back; threads go on meanwhile. */
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include "abi.h"

extern char **environ;
static volatile int stop;
static volatile unsigned long turns;

static void *spin(void *arg)
{
	while (!stop)
		turns++;
	return arg;
}

int main(void)
{
	char *yes[] = { (char *)"sh", (char *)"-c", (char *)"echo spawned; exit 5", NULL };
	posix_spawn_file_actions_t actions;
	int status, ends[2];
	char buf[32] = "";
	pthread_t thread;
	volatile pid_t child;
	pid_t pid;

	setenv("PATH", "/usr/bin:/bin", 1); /* folders that may not be searched give another answer */
	pthread_create(&thread, NULL, spin, NULL);
	while (!turns)
		usleep(100);
	CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, yes, environ) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	CHECK(posix_spawn(&pid, "/no/such/program", NULL, NULL, yes, environ) == ENOENT);
	CHECK(posix_spawnp(&pid, "no-such-program-anywhere", NULL, NULL, yes, environ) == ENOENT);
	CHECK(posix_spawn(&pid, "/etc/passwd", NULL, NULL, yes, environ) == EACCES);
	CHECK(pipe(ends) == 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	CHECK(posix_spawn(&pid, "/bin/sh", &actions, NULL, yes, environ) == 0);
	close(ends[1]);
	CHECK(read(ends[0], buf, sizeof(buf)) == 8 && !strcmp(buf, "spawned\n"));
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	child = vfork();
	if (!child)
		_exit(9);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 9);
	stop = 1;
	pthread_join(thread, NULL);
	CHECK(turns > 0);
	CHECK(system("exit 3") == 3 << 8);
	fflush(stdout);
	FILE *f = popen("tr a-z A-Z", "w");
	MUST(f);
	fputs("by a pipe\n", f);
	CHECK(pclose(f) == 0);
	puts("vfork");
	return abi_result();
}
