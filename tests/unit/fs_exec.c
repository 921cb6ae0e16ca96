/* exec as the dispatcher's files have it: what a program keeps; descriptions of it that are damaged. */
#include "fs_member.h"

static int saved_fd(uint32_t number)
{
	int low = memfd_create("saved", 0), fd = fcntl(low, F_DUPFD, FD_FLOOR - 1), host;

	close(low);
	CHECK(!fs_exec_save(number, fd, -1, &host) && host == -1);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Become another program, with the same files: this one once more, at after_exec. */
static void exec_self(uint32_t number)
{
	char fd[16], of[16];

	snprintf(fd, sizeof(fd), "%d", saved_fd(number));
	snprintf(of, sizeof(of), "%u", number);
	execl("/proc/self/exe", "fs_exec", fd, of, fs_addr, fs_top, NULL);
	_exit(2);
}

/* Numbers of what was open, the same on both sides. */
enum { PLAIN = 10, TWIN, GONE, SHARED, DIR, MAPS, FDS, PATH_ONLY, PIPE };

static int after_exec(char **argv)
{
	uint32_t number = (uint32_t)atoi(argv[2]);
	struct fs_config cfg;
	char text[PATH_MAX] = { 0 };

	member = number;
	snprintf(fs_addr, sizeof(fs_addr), "%s", argv[3]);
	snprintf(fs_top, sizeof(fs_top), "%s", argv[4]);
	close_range(FD_FLOOR, ~0u, 0);
	CHECK(!fs_net_open());
	cfg = config_of(number);
	CHECK(!fs_exec_restore(&cfg, atoi(argv[1])));
	CHECK(!fs_messages());
	CHECK(reads(PLAIN, "567"));
	CHECK(reads(TWIN, "89"));
	CHECK(ours(read, GONE, S(text), 1) == -EBADF);
	CHECK(reads(SHARED, "cd"));
	CHECK(ours(fcntl, SHARED, F_GETFL) == (O_RDWR | O_APPEND | 0100000));
	CHECK(ours(getdents64, DIR, S(text), 1000) > 0);
	CHECK(reads(MAPS, "s\n"));
	CHECK(ours(fcntl, FDS, F_GETFD) == 0);
	CHECK(ours(read, PATH_ONLY, S(text), 1) == -EBADF);
	CHECK(ours(fstat, PATH_ONLY, S(&(struct stat){ 0 })) == 0);
	CHECK(reads(PIPE, "host"));
	CHECK(lock_do(PLAIN, F_SETLK, F_WRLCK, 0, 4) == 0); /* ours already, if it was locked */
	CHECK(ours(getcwd, S(text), sizeof(text)) > 0 && !strcmp(strrchr(text, '/'), "/elsewhere"));
	CHECK(ours(umask, 0) == 027);
	CHECK(ours(open, S("new"), O_RDWR | O_CREAT, 0644) >= 0);
	return failed;
}

static void at_number(long fd, long to)
{
	assert_int_equal(ours(dup2, (uint64_t)fd, (uint64_t)to), to);
	assert_int_equal(ours(close, (uint64_t)fd), 0);
}

static void exec_prepare(void)
{
	int p[2];

	ours(mkdir, S("elsewhere"), 0755);
	at_number(file_of("plain", "0123456789", 0), PLAIN);
	assert_int_equal(ours(dup2, PLAIN, TWIN), TWIN);
	assert_true(reads(PLAIN, "01234"));
	assert_int_equal(ours(dup3, PLAIN, GONE, O_CLOEXEC), GONE);
	at_number(file_of("shared", "abcdefgh", 0), SHARED);
	at_number(ours(open, S("."), O_RDONLY | O_DIRECTORY), DIR);
	at_number(ours(open, S("/proc/self/maps"), O_RDONLY), MAPS);
	assert_true(reads(MAPS, "map"));
	at_number(ours(open, S("/proc/self/fd"), O_RDONLY | O_DIRECTORY), FDS);
	at_number(ours(open, S("plain"), O_PATH), PATH_ONLY);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "host", 4), 4);
	close(p[1]);
	at_number(p[0], PIPE);
	ours(umask, 027);
	ours(chdir, S("elsewhere"));
}

static void exec_undo(void)
{
	ours(close_range, PLAIN, PIPE, 0);
	ours(umask, 022);
	ours(chdir, S(fs_path("ours")));
}

static void test_exec(void **state)
{
	pid_t pid;

	exec_prepare();
	pid = fork_one();
	if (!pid) {
		CHECK(reads(SHARED, "ab"));
		CHECK(ours(fcntl, SHARED, F_SETFL, O_APPEND) == 0);
		CHECK(ours(close, GONE) == 0); /* else the locks end with its being closed by exec */
		CHECK(lock_do(PLAIN, F_SETLK, F_WRLCK, 0, 9) == 0);
		exec_self(member + 1);
	}
	join(pid);
	assert_int_equal(lock_do(PLAIN, F_SETLK, F_WRLCK, 0, 9), 0); /* it is over, exec or not */
	assert_true(reads(SHARED, "ef"));			     /* where the other program stopped */
	exec_undo();
}

/* One that never forked: nothing is shared, and nothing becomes so. */
static int lone_program(char **argv)
{
	struct fs_config cfg;

	snprintf(fs_addr, sizeof(fs_addr), "%s", argv[1]);
	snprintf(fs_top, sizeof(fs_top), "%s", argv[2]);
	CHECK(!fs_net_open());
	cfg = config_of(0);
	cfg.cwd = fs_path("ours");
	cfg.umask = 022;
	CHECK(!fs_open(&cfg));
	exec_prepare();
	CHECK(reads(SHARED, "ab"));
	CHECK(ours(fcntl, SHARED, F_SETFL, O_APPEND) == 0);
	if (!failed)
		exec_self(5);
	return failed;
}

static void test_exec_unshared(void **state)
{
	pid_t pid = fork();

	if (!pid) {
		close_range(FD_FLOOR, ~0u, 0);
		execl("/proc/self/exe", "fs_exec", fs_addr, fs_top, NULL);
		_exit(2);
	}
	join(pid);
}

/* ---- damaged descriptions ---- */

#define SAVED_BYTES_MAX 8192

/* A process that restores bytes: 0 or 1, it did or refused; else it ended badly. */
static int restore_bytes(const char *bytes, size_t n)
{
	struct fs_config cfg = config_of(1);
	pid_t pid = fork();
	int status, fd, err;

	if (!pid) {
		fd = memfd_create("damaged", 0);
		if (write(fd, bytes, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET))
			_exit(3);
		err = fs_exec_restore(&cfg, fd);
		_exit(err == 0 ? 0 : err == -EINVAL || err == -ENOMEM ? 1 : 2);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 9;
	return WEXITSTATUS(status);
}

static int restore_u32(const char *bytes, size_t n, size_t at, uint32_t value)
{
	char copy[SAVED_BYTES_MAX];

	memcpy(copy, bytes, n);
	memcpy(copy + at, &value, sizeof(value));
	return restore_bytes(copy, n);
}

/* In a program that has no files yet, as the next one after exec is. */
static int restore_damaged(int fd)
{
	static const uint32_t values[] = { 0, 1, 0xffffffff, 0x7fffffff, 0x80000000, 1000 };
	char bytes[SAVED_BYTES_MAX];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	size_t at, i;

	CHECK(n > 500);
	if (failed)
		return 1;
	CHECK(restore_bytes(bytes, (size_t)n) == 0);
	for (at = 0; at < (size_t)n; at += at < 64 ? 4 : 1 + at / 16)
		CHECK(restore_bytes(bytes, at) == 1); /* cut */
	for (at = 0; at + 4 <= (size_t)n && at < 640; at += 4)
		for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			CHECK(restore_u32(bytes, (size_t)n, at, values[i]) <= 1);
	for (i = 0; i < 8; i++) /* the head: magic, counts, cwd are looked at */
		CHECK(i == 1 || i == 2 || restore_u32(bytes, (size_t)n, i * 4, 0x7fffffff) == 1);
	return failed;
}

static void test_damaged(void **state)
{
	char fd[16];
	pid_t pid;

	exec_prepare();
	pid = fork_one();
	if (!pid) {
		snprintf(fd, sizeof(fd), "%d", saved_fd(member));
		execl("/proc/self/exe", "fs_exec", fd, NULL);
		_exit(2);
	}
	join(pid);
	exec_undo();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_unshared),
		cmocka_unit_test(test_damaged),
	};

	if (argc == 2)
		return restore_damaged(atoi(argv[1]));
	if (argc == 3)
		return lone_program(argv);
	if (argc > 3)
		return after_exec(argv);
	fs_wait_s = 10;
	return cmocka_run_group_tests(tests, fs_start, fs_stop);
}
