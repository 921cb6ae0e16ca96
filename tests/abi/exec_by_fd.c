// also: ofi
/* execveat of descriptors: files with and without a name, memfds, numbers that exec closes, scripts; errors before it. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

static char *const envp[] = { (char *)"ABI_WORD=w", NULL };

static long execfd(int fd, char *const argv[])
{
	return syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

/* The next program touches its memory, and forks once more, with its own file's pages. */
static int again(const char *name)
{
	static char table[1 << 20];
	int status = -1;
	pid_t pid;

	CHECK(getenv("ABI_WORD") != NULL);
	for (size_t i = 0; i < sizeof(table); i += PAGE)
		table[i] = (char)i;
	printf("the program is %s\n", name);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		puts("a child of it");
		fflush(stdout);
		_exit(abi_result());
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return abi_result();
}

static void copy(int to)
{
	int from = open("/proc/self/exe", O_RDONLY);
	struct stat st;

	MUST(from >= 0 && fstat(from, &st) == 0);
	for (off_t at = 0; at < st.st_size;)
		MUST(sendfile(to, from, &at, (size_t)(st.st_size - at)) > 0);
	MUST(fchmod(to, 0755) == 0);
	close(from);
}

static void runs(const char *what, int fd)
{
	char *const argv[] = { (char *)"x", (char *)what, NULL };
	int status = -1;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		execfd(fd, argv);
		_exit(errno);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void by_path(int fd)
{
	char path[64], *const argv[] = { (char *)"x", (char *)"by path", NULL };
	int status = -1;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		execve(path, argv, envp);
		_exit(errno);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void programs(void)
{
	char name[] = "/tmp/abi-byfd-XXXXXX";
	int file = mkostemp(name, O_CLOEXEC), mem, fd;

	MUST(file >= 0);
	copy(file);
	close(file);
	runs("a file", fd = open(name, O_RDONLY));
	close(fd);
	runs("a file that closes", fd = open(name, O_RDONLY | O_CLOEXEC));
	close(fd);
	runs("a file of O_PATH", fd = open(name, O_PATH | O_CLOEXEC));
	close(fd);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	unlink(name);
	runs("a file without a name", fd);
	by_path(fd);
	close(fd);
	mem = memfd_create("mem", 0);
	MUST(mem >= 0);
	copy(mem);
	runs("a memfd", mem);
	by_path(mem);
	CHECK(fcntl(mem, F_SETFD, FD_CLOEXEC) == 0);
	runs("a memfd that closes", mem);
	by_path(mem);
	close(mem);
}

static void script_write(int fd)
{
	const char *text = "#!/bin/sh\necho script \"$1\"\n";

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0755) == 0);
}

static void script(int fd, const char *what)
{
	char *const argv[] = { (char *)"x", (char *)what, NULL };

	runs(what, fd);
	CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
	CHECK_ERR(execfd(fd, argv), ENOENT);
	close(fd);
}

static void scripts(void)
{
	char name[] = "/tmp/abi-byfd-XXXXXX";
	int fd = mkstemp(name);

	script_write(fd);
	close(fd);
	script(open(name, O_RDONLY), "of a file");
	fd = open(name, O_RDONLY);
	unlink(name);
	script(fd, "without a name");
	script_write(fd = memfd_create("script", 0));
	script(fd, "of a memfd");
}

static void errors(void)
{
	char *const argv[] = { (char *)"x", NULL };
	int dir = open("/etc", O_RDONLY | O_DIRECTORY), file = open("/etc/passwd", O_RDONLY),
	    mem = memfd_create("e", 0), p[2];

	MUST(dir >= 0 && file >= 0 && mem >= 0 && pipe(p) == 0);
	CHECK_ERR(execfd(777, argv), EBADF);
	CHECK_ERR(syscall(SYS_execveat, 777, "x", argv, envp, 0), EBADF);
	CHECK_ERR(syscall(SYS_execveat, file, "", argv, envp, 0), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, file, "x", argv, envp, 0), ENOTDIR);
	CHECK_ERR(syscall(SYS_execveat, dir, "not-there", argv, envp, 0), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, dir, "passwd", argv, envp, 0), EACCES);
	CHECK_ERR(syscall(SYS_execveat, dir, "x", argv, envp, 1), EINVAL);
	CHECK_ERR(execfd(dir, argv), EACCES);
	CHECK_ERR(execfd(file, argv), EACCES);
	CHECK_ERR(execfd(p[0], argv), EACCES);
	CHECK_ERR(execfd(mem, argv), ENOEXEC); /* empty */
	CHECK(write(mem, "text", 4) == 4);
	CHECK_ERR(execfd(mem, argv), ENOEXEC);
	CHECK(fchmod(mem, 0600) == 0);
	CHECK_ERR(execfd(mem, argv), EACCES);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return again(argv[1]);
	programs();
	scripts();
	errors();
	return abi_result();
}
