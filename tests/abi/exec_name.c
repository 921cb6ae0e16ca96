/* The name of a process after execve: the last part of the path as it was given, also by a link, of a script, or by /proc. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

static void runs(const char *path)
{
	char *const argv[] = { (char *)"argv-says", (char *)"again", NULL };
	int status = -1;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		execv(path, argv);
		_exit(99);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv)
{
	char self[4096] = "", dir[] = "/tmp/abi-name-XXXXXX", name[16] = "";
	int fd;

	(void)argv;
	if (argc > 1) {
		CHECK(prctl(PR_GET_NAME, name) == 0);
		printf("%s\n", name);
		return abi_result();
	}
	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	MUST(mkdtemp(dir) && chdir(dir) == 0);
	MUST(symlink(self, "a-link") == 0 && symlink("a-link", "a-link-of-sixteen-and-more") == 0);
	runs(self);
	runs("a-link");
	runs("./a-link");
	runs("a-link-of-sixteen-and-more");
	runs("/proc/self/exe");
	MUST((fd = open("script", O_CREAT | O_WRONLY, 0700)) >= 0);
	CHECK(write(fd, "#!/bin/sh\ncat /proc/$$/comm\n", 28) == 28 && close(fd) == 0);
	runs("./script");
	CHECK(symlink("script", "s2") == 0);
	runs("./s2");
	CHECK(unlink("a-link") == 0 && unlink("a-link-of-sixteen-and-more") == 0 && unlink("script") == 0 &&
	      unlink("s2") == 0 && chdir("/") == 0 && rmdir(dir) == 0);
	return abi_result();
}
