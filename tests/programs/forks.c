/* forks fork|vfork|exec|spawn|clone: tries to start another program, and tells what the call answered. */
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/programs/say.h"

int main(int argc, char **argv)
{
	char *args[] = { (char *)"true", NULL }, *env[] = { NULL };
	const char *how = argc > 1 ? argv[1] : "fork";
	long ret = -1;
	pid_t pid;

	errno = 0;
	if (strcmp(how, "fork") == 0)
		ret = fork();
	else if (strcmp(how, "vfork") == 0)
		ret = syscall(SYS_vfork);
	else if (strcmp(how, "exec") == 0)
		ret = execve("/bin/true", args, env);
	else if (strcmp(how, "spawn") == 0)
		ret = (errno = posix_spawn(&pid, "/bin/true", NULL, NULL, args, env)) ? -1 : pid;
	else if (strcmp(how, "clone") == 0)
		ret = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	else if (strcmp(how, "clone3") == 0)
		ret = syscall(SYS_clone3, &(uint64_t[11]){ [4] = SIGCHLD }, 88);
	if (ret == 0)
		_exit(0);
	if (ret > 0)
		waitpid((pid_t)ret, NULL, 0);
	printf("%s: %s\n", how, ret < 0 ? error_name(errno) : "done");
	return ret < 0 ? 1 : 0;
}
