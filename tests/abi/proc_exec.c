// also: ofi 6.1
/* execve: arguments, environment, descriptors, signals, directory and mask of the next program; errors before it. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "abi.h"

static char self[4096];

static int again(const char *what, int keep, int lost)
{
	sigset_t mask;
	char cwd[64], buf[8] = "";
	struct sigaction act;

	CHECK(!strcmp(what, "again"));
	CHECK(getenv("ABI_WORD") && !strcmp(getenv("ABI_WORD"), "a b\tc"));
	CHECK(!getenv("HOME"));
	CHECK(fcntl(lost, F_GETFD) == -1 && errno == EBADF);
	CHECK(read(keep, buf, 3) == 3 && !strcmp(buf, "def"));
	CHECK(lseek(keep, 0, SEEK_CUR) == 6);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/usr"));
	CHECK(umask(0) == 027);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	CHECK(sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGUSR1));
	sigaction(SIGUSR1, NULL, &act);
	CHECK(act.sa_handler == SIG_DFL);
	sigaction(SIGHUP, NULL, &act);
	CHECK(act.sa_handler == SIG_IGN);
	puts("the next program");
	return abi_result();
}

static void handler(int sig)
{
	(void)sig;
}

static void become(void)
{
	char name[] = "/tmp/abi-exec-XXXXXX", a[16], b[16];
	char *argv[] = { (char *)"other-name", (char *)"again", a, b, NULL },
	     *envp[] = { (char *)"ABI_WORD=a b\tc", NULL };
	int keep = mkstemp(name), lost = open("/etc/passwd", O_RDONLY | O_CLOEXEC), status;
	sigset_t set;

	MUST(keep >= 0 && lost >= 0);
	unlink(name);
	CHECK(write(keep, "abcdefghi", 9) == 9 && lseek(keep, 3, SEEK_SET) == 3);
	snprintf(a, sizeof(a), "%d", keep);
	snprintf(b, sizeof(b), "%d", lost);
	fflush(stdout);
	if (!fork()) {
		umask(027);
		CHECK(chdir("/usr") == 0);
		signal(SIGUSR1, handler);
		signal(SIGHUP, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_SETMASK, &set, NULL);
		execve(self, argv, envp);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
	close(keep);
	close(lost);
}

static void file_make(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	MUST(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(fchmod(fd, mode) == 0);
	close(fd);
}

static void errors(void)
{
	char dir[] = "/tmp/abi-exec-dir-XXXXXX", path[64];
	char *argv[] = { (char *)"x", NULL };

	MUST(mkdtemp(dir));
	CHECK_ERR(execve("/nowhere/at/all", argv, NULL), ENOENT);
	CHECK_ERR(execve("", argv, NULL), ENOENT);
	CHECK_ERR(execve("/etc", argv, NULL), EACCES);
	CHECK_ERR(execve("/etc/passwd/x", argv, NULL), ENOTDIR);
	CHECK_ERR(syscall(SYS_execve, 1, argv, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_execve, self, 1, NULL), EFAULT);
	snprintf(path, sizeof(path), "%s/plain", dir);
	file_make(path, "echo no\n", 0755);
	CHECK_ERR(execve(path, argv, NULL), ENOEXEC);
	file_make(path, "", 0755);
	CHECK_ERR(execve(path, argv, NULL), ENOEXEC);
	file_make(path, "#!/nowhere/interpreter\n", 0755);
	CHECK_ERR(execve(path, argv, NULL), ENOENT);
	file_make(path, "#!/bin/sh\n", 0644);
	CHECK_ERR(execve(path, argv, NULL), EACCES);
	unlink(path);
	rmdir(dir);
}

static void script(void)
{
	char path[] = "/tmp/abi-script-XXXXXX", *argv[] = { (char *)"ignored", (char *)"one two", NULL };
	int fd = mkstemp(path), status;

	MUST(fd >= 0);
	close(fd);
	file_make(path, "#! /bin/sh -e\necho \"script: $# <$1> $-\" | tr -d 0-9h\n", 0755);
	fflush(stdout);
	if (!fork()) {
		execv(path, argv);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
	unlink(path);
}

static void many_words(void)
{
	static char *argv[3002];
	static char word[1000];
	int status;

	memset(word, 'w', sizeof(word) - 1);
	argv[0] = (char *)"true";
	for (int i = 1; i < 1500; i++)
		argv[i] = word;
	fflush(stdout);
	if (!fork()) {
		execv("/bin/true", argv);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	MUST(n > 0);
	if (argc == 4)
		return again(argv[1], atoi(argv[2]), atoi(argv[3]));
	become();
	errors();
	script();
	many_words();
	puts("exec");
	return abi_result();
}
