/* RLIMIT_FSIZE: binds what is written to files, with its signal, and nothing else; kept by fork and exec. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define LIMIT 10000

static volatile int signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static int once(void)
{
	int n = signals;

	signals = 0;
	return n;
}

static void writes(int fd, const char *p)
{
	CHECK(pwrite(fd, p, 4000, 0) == 4000 && once() == 0);
	CHECK(pwrite(fd, p, 4000, LIMIT - 500) == 500 && once() == 0);
	CHECK_ERR(pwrite(fd, p, 1, LIMIT), EFBIG);
	CHECK(once() == 1);
	CHECK(lseek(fd, LIMIT - 10, SEEK_SET) == LIMIT - 10 && write(fd, p, 20) == 10);
	CHECK_ERR(write(fd, p, 20), EFBIG);
	CHECK(once() == 1 && write(fd, p, 0) == 0 && once() == 0);
	CHECK_ERR(ftruncate(fd, LIMIT + 1), EFBIG);
	CHECK(once() == 1 && ftruncate(fd, LIMIT) == 0 && once() == 0);
	fcntl(fd, F_SETFL, O_APPEND);
	CHECK_ERR(write(fd, p, 20), EFBIG);
	CHECK(once() == 1 && ftruncate(fd, LIMIT - 5) == 0 && write(fd, p, 20) == 5);
	fcntl(fd, F_SETFL, 0);
	CHECK_ERR(fallocate(fd, 0, 0, LIMIT + 1), EFBIG);
	once();
}

/* A file that is longer than the limit may be made shorter, and stay so. */
static void shortened(int fd)
{
	CHECK(ftruncate(fd, 4 * LIMIT) == 0 && ftruncate(fd, 3 * LIMIT) == 0 && once() == 0);
	CHECK_ERR(ftruncate(fd, 3 * LIMIT + 1), EFBIG);
	CHECK(once() == 1 && ftruncate(fd, 2) == 0 && once() == 0);
}

/* Memory beyond the budget, pipes, processes */
static void others(char *p)
{
	int ends[2], status;
	pid_t pid;

	abi_press();
	MUST(pipe(ends) == 0);
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 16);
	CHECK(write(ends[1], p, 2 * LIMIT) == 2 * LIMIT && once() == 0);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		abi_press();
		execl("/proc/self/exe", "limit_fsize", "again", NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 7 << 8);
	pid = fork();
	if (!pid) {
		signal(SIGXFSZ, SIG_DFL);
		pid = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		pwrite(pid, p, 1, LIMIT);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

int main(int argc, char **argv)
{
	struct rlimit r = { LIMIT, LIMIT }, core = { 0, 0 };
	char *p = abi_map(4 * LIMIT);
	int fd, from, mem;

	(void)argv;
	if (argc > 1) {
		abi_press();
		return getrlimit(RLIMIT_FSIZE, &r) == 0 && r.rlim_cur == LIMIT ? 7 : 1;
	}
	setrlimit(RLIMIT_CORE, &core);
	memset(p, 'x', 4 * LIMIT);
	signal(SIGXFSZ, on_signal);
	fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	from = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	MUST(fd >= 0 && from >= 0 && write(from, p, 4 * LIMIT) == 4 * LIMIT);
	mem = memfd_create("x", 0);
	MUST(ftruncate(mem, 4 * LIMIT) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &r) == 0);
	writes(fd, p);
	CHECK(lseek(fd, LIMIT - 100, SEEK_SET) >= 0 && lseek(from, 0, SEEK_SET) == 0);
	CHECK(sendfile(fd, from, NULL, 300) == 100);
	once();
	close(fd);
	fd = memfd_create("x", 0);
	writes(fd, p);
	shortened(mem);
	shortened(from);
	others(p);
	puts("bound");
	return abi_result();
}
