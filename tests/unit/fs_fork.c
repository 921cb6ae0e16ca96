/*
 * fork as the dispatcher's files have it: processes that share open files, offsets and status flags, by turns and at once.
 */
#include <pthread.h>
#include <sys/file.h>
#include "fs_member.h"

static void test_turns(void **state)
{
	long fd = file_of("turns", "0123456789abcdefghij", 0), twin = ours(dup, (uint64_t)fd), new;
	pid_t pid;

	assert_true(reads(fd, "0123"));
	pid = fork_one();
	if (!pid) {
		CHECK(reads(fd, "4567"));
		CHECK(reads(twin, "89"));
		CHECK(ours(fcntl, (uint64_t)fd, F_SETFL, O_APPEND) == 0);
		new = ours(open, S("turns"), O_RDONLY);
		CHECK(reads(new, "0123")); /* an opening of its own */
		CHECK(ours(close, (uint64_t)fd) == 0);
		CHECK(reads(twin, "ab"));
		leave();
	}
	join(pid);
	assert_true(reads(fd, "cd"));
	assert_int_equal(ours(fcntl, (uint64_t)fd, F_GETFL), O_RDWR | O_APPEND | 0100000);
	assert_int_equal(ours(lseek, (uint64_t)twin, 0, SEEK_CUR), 14);
	assert_int_equal(ours(write, (uint64_t)fd, S("!"), 1), 1);
	assert_int_equal(ours(lseek, (uint64_t)twin, 0, SEEK_CUR), 21);
	pid = fork_one(); /* of what is shared already */
	if (!pid) {
		CHECK(ours(lseek, (uint64_t)fd, -3, SEEK_CUR) == 18);
		leave();
	}
	join(pid);
	assert_true(reads(twin, "ij!"));
	ours(close, (uint64_t)fd);
	ours(close, (uint64_t)twin);
}

static void test_directory(void **state)
{
	char path[200], buf[4096];
	uint64_t seen = 0;
	long n, at, dir, i;
	pid_t pid;

	assert_int_equal(ours(mkdir, S("dir"), 0755), 0);
	for (i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "dir/%ld", i);
		ours(close, (uint64_t)ours(open, S(path), O_RDWR | O_CREAT, 0644));
	}
	dir = ours(open, S("dir"), O_RDONLY | O_DIRECTORY);
	do { /* by turns: a piece is read by a child, the next one here */
		pid = fork_one();
		n = pid ? 0 : ours(getdents64, (uint64_t)dir, S(buf), 256);
		if (!pid)
			_exit(n <= 0 ? 100 : (int)(n / 24)); /* records of 24 bytes: short names */
		assert_int_equal(waitpid(pid, &(int){ 0 }, 0), pid);
		n = ours(getdents64, (uint64_t)dir, S(buf), 256);
		assert_true(n >= 0);
		for (at = 0; at < n; at += *(uint16_t *)(buf + at + 16))
			seen++;
	} while (n);
	assert_in_range(seen, 5, 35);
	ours(close, (uint64_t)dir);
}

/* ---- at once ---- */

#define WRITERS 4
#define LINES 150

static void write_lines(long fd, long who)
{
	char line[64];
	long i, n;

	for (i = 0; i < LINES; i++) {
		n = snprintf(line, sizeof(line), "%ld %ld %ld\n", who, i, who * 1000 + i);
		CHECK(ours(write, (uint64_t)fd, S(line), (uint64_t)n) == n);
	}
}

static void lines_look(const char *name)
{
	long n = 0, a, b, c, next[WRITERS + 1] = { 0 };
	char path[200], line[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fs_path("ours"), name);
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(sscanf(line, "%ld %ld %ld", &a, &b, &c), 3);
		assert_int_equal(c, a * 1000 + b);
		assert_int_equal(b, next[a]++);
		n++;
	}
	fclose(f);
	assert_int_equal(n, (WRITERS + 1) * LINES);
}

/* Without O_APPEND: the offset alone keeps them apart. */
static void test_one_log(void **state)
{
	long fd = file_of("log", "", 0), i;
	pid_t pid[WRITERS];

	for (i = 0; i < WRITERS; i++) {
		pid[i] = fork_one();
		if (!pid[i]) {
			write_lines(fd, i);
			leave();
		}
	}
	write_lines(fd, WRITERS);
	for (i = 0; i < WRITERS; i++)
		join(pid[i]);
	assert_false(failed);
	lines_look("log");
	ours(close, (uint64_t)fd);
}

static void test_killed(void **state)
{
	long fd = file_of("killed", "", 0), i;
	char text[100] = { 0 };
	pid_t pid;

	for (i = 0; i < 10; i++) {
		pid = fork_one();
		if (!pid)
			for (;;)
				ours(write, (uint64_t)fd, S(text), sizeof(text));
		usleep(5000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_int_equal(ours(write, (uint64_t)fd, S(text), sizeof(text)), sizeof(text));
	}
	ours(close, (uint64_t)fd);
}

/* ---- with threads in the midst of calls ---- */

static bool enough;
static long busy_fd;

static void *busy(void *arg)
{
	char text[512] = { 0 }, name[32];
	long fd;

	snprintf(name, sizeof(name), "busy%ld", (long)arg);
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		fd = ours(open, S(name), O_RDWR | O_CREAT, 0644);
		ours(write, (uint64_t)fd, S(text), sizeof(text));
		ours(write, (uint64_t)busy_fd, S(text), sizeof(text));
		ours(close, (uint64_t)fd);
		ours(chdir, S(fs_path("ours")));
	}
	return NULL;
}

static void test_threads(void **state)
{
	long fd = file_of("beside", "text", 0), i, at;
	pthread_t t[4];
	char c;
	pid_t pid;

	busy_fd = file_of("busy", "", 0);
	enough = false;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, busy, (void *)i), 0);
	for (i = 0; i < 25; i++) {
		pid = fork_one();
		if (!pid) {
			CHECK(ours(pread64, (uint64_t)fd, S(&c), 1, 1) == 1 && c == 'e');
			at = ours(lseek, (uint64_t)busy_fd, 0, SEEK_CUR);
			CHECK(at >= 0 && at % 512 == 0);
			CHECK(ours(write, (uint64_t)busy_fd, S((char[512]){ 0 }), 512) == 512);
			leave();
		}
		join(pid);
	}
	enough = true;
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ours(close, (uint64_t)busy_fd);
	ours(close, (uint64_t)fd);
}

/* ---- what a child closes before it has a connection ---- */

static void test_closed_first(void **state)
{
	long fd = file_of("closed", "x", 0), other;
	pid_t pid;

	assert_int_equal(ours(flock, (uint64_t)fd, LOCK_EX), 0);
	pid = fork_one();
	if (!pid) {
		other = ours(open, S("closed"), O_RDWR);
		CHECK(ours(flock, (uint64_t)other, LOCK_EX | LOCK_NB) == -EWOULDBLOCK);
		CHECK(ours(flock, (uint64_t)fd, LOCK_EX | LOCK_NB) == 0); /* the parent's lock is ours */
		leave();
	}
	join(pid);
	pid = fork_one();
	if (!pid) {
		uint64_t before = fs_messages();

		CHECK(ours(close, (uint64_t)fd) == 0);
		CHECK(fs_messages() == before && !before);
		other = ours(open, S("closed"), O_RDWR);
		usleep(1000); /* the close is not waited for */
		CHECK(ours(flock, (uint64_t)other, LOCK_EX | LOCK_NB) == -EWOULDBLOCK); /* still the parent's */
		leave();
	}
	join(pid);
	ours(close, (uint64_t)fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),  cmocka_unit_test(test_directory), cmocka_unit_test(test_one_log),
		cmocka_unit_test(test_killed), cmocka_unit_test(test_threads),	 cmocka_unit_test(test_closed_first),
	};

	fs_wait_s = 10;
	return cmocka_run_group_tests(tests, fs_start, fs_stop);
}
