/* ETXTBSY: the file of a program that runs is not written to, nor truncated; a file that is open for writing does not run. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "abi.h"

static char *self;

static void copy(const char *to)
{
	static char buf[1 << 16];
	int in = open(self, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	MUST(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		MUST(write(out, buf, (size_t)n) == n);
	close(in);
	close(out);
}

/* The other program waits for a byte of `in`, and ends with 3. */
static pid_t begin(const char *program, int in, int out)
{
	char number[2][16];
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	snprintf(number[0], sizeof(number[0]), "%d", in);
	snprintf(number[1], sizeof(number[1]), "%d", out);
	execl(program, program, number[0], number[1], NULL);
	_exit(errno == ETXTBSY ? 26 : 1);
}

static int ends_with(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	int go[2], up[2], fd, i;
	char x;
	pid_t pid;

	if (argc > 2) {
		(void)!write(atoi(argv[2]), "u", 1);
		return read(atoi(argv[1]), &x, 1) == 1 ? 3 : 4;
	}
	self = "/proc/self/exe";
	MUST(pipe(go) == 0 && pipe(up) == 0);
	copy("prog");
	unlink("other");
	CHECK(link("prog", "other") == 0);
	pid = begin("./prog", go[0], up[1]);
	MUST(read(up[0], &x, 1) == 1);
	CHECK_ERR(open("prog", O_WRONLY), ETXTBSY);
	CHECK_ERR(open("prog", O_RDWR), ETXTBSY);
	CHECK_ERR(open("other", O_WRONLY | O_TRUNC), ETXTBSY);
	CHECK_ERR(open("prog", O_WRONLY | O_CREAT | O_APPEND, 0755), ETXTBSY);
	CHECK_ERR(truncate("other", 0), ETXTBSY);
	CHECK((fd = open("prog", O_RDONLY)) >= 0);
	CHECK(fchmod(fd, 0700) == 0);
	close(fd);
	CHECK(write(go[1], "g", 1) == 1 && ends_with(pid) == 3);
	CHECK((fd = open("prog", O_RDWR)) >= 0); /* it has ended */
	CHECK(ends_with(begin("./prog", go[0], up[1])) == 26);
	CHECK(ends_with(begin("./other", go[0], up[1])) == 26);
	close(fd);

	/* killed, and at once written to; written, and at once run; now and then, many times over */
	for (i = 0; i < 20; i++) {
		pid = begin("./prog", go[0], up[1]);
		MUST(read(up[0], &x, 1) == 1);
		kill(pid, SIGKILL);
		CHECK(ends_with(pid) == -1);
		copy("prog");
	}
	/* a script may be changed while it runs */
	fd = open("script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
	CHECK(write(fd, "#!/bin/sh\nread x <&$1\nexit 5\n", 29) == 29);
	close(fd);
	pid = begin("./script", go[0], up[1]);
	usleep(100000);
	CHECK((fd = open("script", O_WRONLY)) >= 0);
	close(fd);
	CHECK(write(go[1], "\n", 1) == 1 && ends_with(pid) == 5);
	puts("passed");
	return abi_result();
}
