/*
 * fork and exec as the dispatcher's files have them: processes that share open files, offsets and status flags, by turns
 * and at once; what a program keeps over exec; descriptions of it that are damaged. A process of the test stands for one
 * of the program: it closes the dispatcher's descriptors, opens a fabric of its own, and goes on.
 */
#include <linux/close_range.h>
#include <pthread.h>
#include <sys/file.h>
#include "fs_rig.h"

static uint32_t member; /* the last one given out; of children: their own */
static bool failed;

/* In children, where cmocka is not. */
#define CHECK(condition)                                                                               \
	do {                                                                                           \
		if (!(condition)) {                                                                    \
			print_error("member %u, line %d: not so: %s\n", member, __LINE__, #condition); \
			failed = true;                                                                 \
		}                                                                                      \
	} while (0)

static struct fs_config config_of(uint32_t number)
{
	return (struct fs_config){ .wait_s = 10,
				   .net = fs_net,
				   .s_addr = fs_addr,
				   .s_name = "s0",
				   .cap = cap_of_member(&fs_cap, number),
				   .pid = 7,
				   .member = number,
				   .fd_floor = FD_FLOOR };
}

/* Members of children: each has numbers of its own to give out. */
static pid_t fork_one(void)
{
	uint32_t number = ++member;
	struct fs_config cfg;
	pid_t pid;

	if (fs_fork_prepare(number))
		return -1;
	pid = fork();
	if (pid) {
		fs_fork_parent();
		return pid;
	}
	member = number * 100;
	close_range(FD_FLOOR, ~0u, 0);
	CHECK(!fs_net_open());
	cfg = config_of(number);
	CHECK(!fs_fork_child(&cfg));
	return 0;
}

static void leave(void)
{
	_exit(failed);
}

static void join(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static long file_of(const char *name, const char *text, uint64_t flags)
{
	long fd = ours(open, S(name), O_RDWR | O_CREAT | O_TRUNC | flags, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ours(write, (uint64_t)fd, S(text), strlen(text)), strlen(text));
	assert_int_equal(ours(lseek, (uint64_t)fd, 0, SEEK_SET), 0);
	return fd;
}

/* The next n bytes are these. */
static bool reads(long fd, const char *text)
{
	char got[64] = { 0 };
	long n = ours(read, (uint64_t)fd, S(got), strlen(text));

	return n == (long)strlen(text) && !memcmp(got, text, (size_t)n);
}

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

/* ---- record locks ---- */

static long lock_do(long fd, uint64_t cmd, short type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return ours(fcntl, (uint64_t)fd, cmd, S(&fl));
}

/* Who would be in the way? 0: nobody. */
static pid_t in_the_way(long fd, long start, long len, struct flock *fl)
{
	*fl = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	CHECK(!ours(fcntl, (uint64_t)fd, F_GETLK, S(fl)));
	return fl->l_type == F_UNLCK ? 0 : fl->l_pid;
}

static void test_locks(void **state)
{
	long fd = file_of("locks", "0123456789", 0), twin = ours(dup, (uint64_t)fd), other;
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -4, .l_len = -2 };
	pid_t pid, parent = getpid();

	assert_int_equal(ours(fcntl, (uint64_t)fd, F_SETLK, S(&fl)), 0); /* 4 and 5 */
	assert_int_equal(lock_do(fd, F_OFD_SETLK, F_WRLCK, 8, 0), 0);
	pid = fork_one();
	if (!pid) {
		CHECK(lock_do(fd, F_SETLK, F_WRLCK, 5, 1) == -EAGAIN);
		CHECK(in_the_way(fd, 0, 0, &fl) == parent && fl.l_start == 4 && fl.l_len == 2);
		CHECK(in_the_way(fd, 0, 4, &fl) == 0);
		CHECK(in_the_way(fd, 9, 1, &fl) == -1 && fl.l_start == 8 && fl.l_len == 0);
		CHECK(lock_do(fd, F_OFD_SETLK, F_WRLCK, 8, 0) == 0);
		CHECK(lock_do(fd, F_SETLK, F_WRLCK, 0, 4) == 0);
		fs_block_answer = -EINTR;
		CHECK(lock_do(fd, F_SETLKW, F_WRLCK, 4, 1) == -EINTR);
		CHECK(lock_do(fd, F_SETLKW, F_WRLCK, 4, 1) == 0); /* when the parent gives it up */
		leave();
	}
	usleep(100000);
	assert_int_equal(lock_do(fd, F_SETLK, F_WRLCK, 0, 4), -EAGAIN);
	assert_int_equal(lock_do(fd, F_SETLK, F_UNLCK, 4, 2), 0);
	join(pid);
	assert_int_equal(lock_do(fd, F_SETLKW, F_WRLCK, 0, 4), 0); /* its locks ended with it */
	assert_int_equal(ours(close, (uint64_t)twin), 0);	   /* and ours with any close of the file */
	other = ours(open, S("locks"), O_RDWR);
	pid = fork_one();
	if (!pid) {
		CHECK(lock_do(fd, F_SETLK, F_WRLCK, 0, 4) == 0);
		leave();
	}
	join(pid);
	assert_int_equal(lock_do(other, F_OFD_SETLK, F_WRLCK, 8, 1), -EAGAIN);
	assert_int_equal(lock_do(fd, F_SETLK, F_WRLCK, -1, 4), -EINVAL);
	assert_int_equal(lock_do(fd, F_SETLK, 7, 0, 4), -EINVAL);
	fl.l_pid = 1;
	assert_int_equal(ours(fcntl, (uint64_t)fd, F_OFD_SETLK, S(&fl)), -EINVAL);
	assert_int_equal(ours(fcntl, (uint64_t)fd, F_SETLK, 8), -EFAULT);
	ours(close, (uint64_t)fd);
	ours(close, (uint64_t)other);
}

/* ---- a storage component that comes back ---- */

static void storage_again(void)
{
	int status;

	close(sto_life);
	assert_int_equal(waitpid(sto_process, &status, 0), sto_process);
	assert_int_equal(status, 0);
	sto_fork("/", fs_addr, sizeof(fs_addr));
}

static void test_restart(void **state)
{
	long fd = file_of("restart", "0123456789", 0), before, i;
	char go = 1;
	int p[2];
	pid_t pid[2];

	assert_int_equal(pipe(p), 0);
	assert_true(reads(fd, "01"));
	assert_int_equal(ours(flock, (uint64_t)fd, LOCK_EX), 0);
	assert_int_equal(lock_do(fd, F_SETLK, F_WRLCK, 0, 4), 0);
	for (i = 0; i < 2; i++) {
		pid[i] = fork_one();
		if (!pid[i]) { /* one has been there before, the other has not */
			before = i ? ours(lseek, (uint64_t)fd, 0, SEEK_END) : 10;
			CHECK(before == 10 && ours(lseek, (uint64_t)fd, 2, SEEK_SET) == 2);
			CHECK(read(p[0], &go, 1) == 1);
			CHECK(lock_do(fd, F_SETLK, F_WRLCK, 3, 1) == -EAGAIN);
			CHECK(ours(read, (uint64_t)fd, S(&go), 1) == 1 && (go == '2' || go == '3'));
			leave();
		}
	}
	usleep(100000);
	storage_again();
	assert_int_equal(ours(lseek, (uint64_t)fd, 0, SEEK_END), 10); /* here we are, with all locks */
	assert_int_equal(ours(lseek, (uint64_t)fd, 2, SEEK_SET), 2);
	assert_int_equal(write(p[1], "xx", 2), 2);
	join(pid[0]);
	join(pid[1]);
	assert_true(reads(fd, "456")); /* the offset is one, whoever reads */
	close(p[0]);
	close(p[1]);
	ours(close, (uint64_t)fd);
}

/* ---- exec ---- */

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
	execl("/proc/self/exe", "fs_fork", fd, of, fs_addr, fs_top, NULL);
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
	usleep(100000);
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
		execl("/proc/self/exe", "fs_fork", fs_addr, fs_top, NULL);
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
		execl("/proc/self/exe", "fs_fork", fd, NULL);
		_exit(2);
	}
	join(pid);
	exec_undo();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),	cmocka_unit_test(test_directory),
		cmocka_unit_test(test_one_log), cmocka_unit_test(test_killed),
		cmocka_unit_test(test_threads), cmocka_unit_test(test_closed_first),
		cmocka_unit_test(test_locks),	cmocka_unit_test(test_restart),
		cmocka_unit_test(test_exec),	cmocka_unit_test(test_exec_unshared),
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
