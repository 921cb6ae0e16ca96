/* Host objects through the dispatcher's calls: pipes, sockets, terminals, /dev, /proc/self; and hidden descriptors. */
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include "fs_rig.h"

#define AT ((uint64_t)AT_FDCWD)

static void *drain(void *arg)
{
	char *buf = malloc(3 << 20);
	size_t total = 0;
	ssize_t n;

	while ((n = read(*(int *)arg, buf, 3 << 20)) > 0)
		total += (size_t)n;
	free(buf);
	return (void *)total;
}

/* A write of more than a piece goes on until all is written; a read takes what is there. */
static void test_pipe(void **state)
{
	char *big = calloc(1, 2 << 20);
	pthread_t reader;
	void *total;
	int p[2];

	assert_int_equal(pipe(p), 0);
	pthread_create(&reader, NULL, drain, &p[0]);
	assert_int_equal(ours(write, (uint64_t)p[1], S(big), 2 << 20), 2 << 20);
	close(p[1]);
	pthread_join(reader, &total);
	assert_int_equal((size_t)total, 2 << 20);
	close(p[0]);

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "hello", 5), 5);
	assert_int_equal(ours(read, (uint64_t)p[0], S(big), 2 << 20), 5);
	assert_memory_equal(big, "hello", 5);
	/* without waiting: what fits, then EAGAIN */
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	assert_int_equal(ours(write, (uint64_t)p[1], S(big), 2 << 20), 65536);
	assert_int_equal(ours(write, (uint64_t)p[1], S(big), 2 << 20), -EAGAIN);
	/* a signal that comes first */
	fs_block_answer = -SYS_RESTART;
	assert_int_equal(ours(read, (uint64_t)p[0], S(big), 10), -SYS_RESTART);
	fs_block_answer = -EINTR;
	assert_int_equal(ours(read, (uint64_t)p[0], S(big), 10), -EINTR);
	assert_int_equal(ours(lseek, (uint64_t)p[0], 0, SEEK_SET), -ESPIPE);
	assert_int_equal(ours(pread64, (uint64_t)p[0], S(big), 1, 0), -ESPIPE);
	assert_int_equal(ours(write, (uint64_t)p[0], S(big), 1), -EBADF);
	assert_int_equal(ours(write, (uint64_t)p[1], 8, 1), -EFAULT);
	close(p[1]);
	close(p[0]);
	free(big);
}

/* Messages are neither cut nor joined. */
static void test_datagrams(void **state)
{
	char *big = calloc(1, 1 << 20);
	struct iovec v[2] = { { big, 10 }, { big + 100, 400000 } };
	int s[2], room = 4 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	assert_int_equal(ours(write, (uint64_t)s[0], S("one"), 3), 3);
	assert_int_equal(ours(write, (uint64_t)s[0], S("three"), 5), 5);
	assert_int_equal(ours(read, (uint64_t)s[1], S(big), 1 << 20), 3);
	assert_int_equal(ours(read, (uint64_t)s[1], S(big), 2), 2);
	memset(big, 'x', 1 << 20);
	/* more than a piece, if the host takes it at all */
	if (send(s[0], big, 300000, MSG_DONTWAIT) == 300000) {
		assert_int_equal(ours(read, (uint64_t)s[1], S(big), 1 << 20), 300000);
		assert_int_equal(ours(write, (uint64_t)s[0], S(big), 300000), 300000);
		assert_int_equal(ours(readv, (uint64_t)s[1], S(v), 2), 300000);
		assert_int_equal(ours(writev, (uint64_t)s[0], S(v), 1), 10);
		assert_int_equal(ours(read, (uint64_t)s[1], S(big), 1 << 20), 10);
	}
	close(s[0]);
	assert_int_equal(ours(read, (uint64_t)s[1], S(big), 1 << 20), 0);
	close(s[1]);
	free(big);
}

/* Files and devices of the host that never wait are read whole. */
static void test_devices(void **state)
{
	char *big = malloc(1 << 20);
	long zero = ours(open, S("/dev/zero"), O_RDWR), null = ours(open, S("/dev/null"), O_RDWR | O_CLOEXEC), shm;
	char name[64];
	struct stat st;

	assert_true(zero >= 0 && null >= 0);
	memset(big, 1, 1 << 20);
	assert_int_equal(ours(read, (uint64_t)zero, S(big), 1 << 20), 1 << 20);
	assert_int_equal(big[(1 << 20) - 1], 0);
	assert_int_equal(ours(read, (uint64_t)null, S(big), 1 << 20), 0);
	assert_int_equal(ours(write, (uint64_t)null, S(big), 1 << 20), 1 << 20);
	assert_int_equal(ours(fcntl, (uint64_t)null, F_GETFD), FD_CLOEXEC);
	assert_int_equal(ours(fstat, (uint64_t)null, S(&st)), 0);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	assert_int_equal(ours(stat, S("/dev/null"), S(&st)), 0);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	snprintf(name, sizeof(name), "/dev/shm/ashlar-test-%d", getpid());
	shm = ours(open, S(name), O_RDWR | O_CREAT | O_EXCL, 0666);
	assert_true(shm >= 0);
	assert_int_equal(ours(write, (uint64_t)shm, S(big), 1 << 20), 1 << 20);
	assert_int_equal(ours(pread64, (uint64_t)shm, S(big), 1 << 20, 100), (1 << 20) - 100);
	assert_int_equal(ours(lseek, (uint64_t)shm, 0, SEEK_CUR), 1 << 20);
	assert_int_equal(ours(ftruncate, (uint64_t)shm, 10), 0);
	assert_int_equal(ours(stat, S(name), S(&st)), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644); /* the umask, by the host */
	assert_int_equal(st.st_size, 10);
	assert_int_equal(ours(unlink, S(name)), 0);
	assert_int_equal(ours(unlink, S(name)), -ENOENT);
	ours(close, (uint64_t)shm);
	ours(close, (uint64_t)zero);
	ours(close, (uint64_t)null);
	free(big);
}

/* Links on the storage component into the host's part. */
static void test_links_across(void **state)
{
	struct stat st;
	char text[100];
	long fd;

	assert_int_equal(ours(symlink, S("/dev/null"), S("null")), 0);
	assert_int_equal(ours(symlink, S("null"), S("null2")), 0);
	assert_int_equal(ours(symlink, S("/dev"), S("devices")), 0);
	assert_int_equal(ours(symlink, S("/proc/self"), S("me")), 0);
	fd = ours(open, S("null2"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(ours(fstat, (uint64_t)fd, S(&st)), 0);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	ours(close, (uint64_t)fd);
	assert_int_equal(ours(stat, S("null"), S(&st)), 0);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	assert_int_equal(ours(lstat, S("null"), S(&st)), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(ours(stat, S("devices/zero"), S(&st)), 0);
	assert_int_equal(st.st_rdev, makedev(1, 5));
	assert_int_equal(ours(access, S("null"), W_OK), 0);
	assert_int_equal(ours(readlink, S("me/exe"), S(text), sizeof(text)), 8);
	assert_memory_equal(text, "/the/exe", 8);
	assert_int_equal(ours(rename, S("null"), S("devices/shm/x")), -EXDEV);
	assert_int_equal(ours(mkdir, S("devices/shm/none/x"), 0755), -ENOENT);
	assert_int_equal(ours(stat, S("devices/none"), S(&st)), -ENOENT);
	assert_int_equal(ours(open, S("null/x"), O_RDONLY), -ENOTDIR);
}

/* The dispatcher's numbers do not exist for the program. */
static void test_hidden(void **state)
{
	int hidden = fcntl(0, F_DUPFD, FD_FLOOR + 5);
	long fd = ours(open, S("."), O_RDONLY);
	char buf[10];

	assert_true(hidden > FD_FLOOR);
	assert_int_equal(ours(close, (uint64_t)hidden), -EBADF);
	assert_int_equal(ours(read, (uint64_t)hidden, S(buf), 1), -EBADF);
	assert_int_equal(ours(write, (uint64_t)hidden, S(buf), 1), -EBADF);
	assert_int_equal(ours(dup, (uint64_t)hidden), -EBADF);
	assert_int_equal(ours(dup2, (uint64_t)hidden, 50), -EBADF);
	assert_int_equal(ours(dup2, (uint64_t)fd, (uint64_t)hidden), -EBADF);
	assert_int_equal(ours(dup2, (uint64_t)hidden, (uint64_t)hidden), -EBADF);
	assert_int_equal(ours(dup3, (uint64_t)fd, (uint64_t)hidden, 0), -EBADF);
	assert_int_equal(ours(fcntl, (uint64_t)hidden, F_GETFD), -EBADF);
	assert_int_equal(ours(fcntl, (uint64_t)fd, F_DUPFD, FD_FLOOR), -EINVAL);
	assert_int_equal(ours(fstat, (uint64_t)hidden, S(buf)), -EBADF);
	assert_int_equal(ours(fchdir, (uint64_t)hidden), -EBADF);
	assert_int_equal(ours(ioctl, (uint64_t)hidden, FIOCLEX), -EBADF);
	assert_int_equal(ours(lseek, (uint64_t)hidden, 0, 0), -EBADF);
	assert_int_equal(ours(openat, (uint64_t)hidden, S("x"), O_RDONLY), -EBADF);
	assert_int_equal(ours(sendfile, (uint64_t)hidden, (uint64_t)fd, 0, 1), -EBADF);
	assert_int_equal(ours(close, (uint64_t)fd), 0);
	close(hidden);
}

static void test_close_range(void **state)
{
	int hidden = fcntl(0, F_DUPFD, FD_FLOOR + 5), host = fcntl(0, F_DUPFD, 700);
	long fd[100];
	int i;

	for (i = 0; i < 100; i++) {
		fd[i] = ours(open, S("."), O_RDONLY);
		assert_true(fd[i] >= 0);
	}
	assert_int_equal(ours(close_range, (uint64_t)fd[0], (uint64_t)fd[9], CLOSE_RANGE_CLOEXEC), 0);
	assert_int_equal(ours(fcntl, (uint64_t)fd[9], F_GETFD), FD_CLOEXEC);
	assert_int_equal(ours(fcntl, (uint64_t)fd[10], F_GETFD), 0);
	assert_int_equal(ours(close_range, (uint64_t)fd[2], (uint64_t)fd[1], 0), -EINVAL);
	assert_int_equal(ours(close_range, 1, 2, 99), -EINVAL);
	assert_int_equal(ours(close_range, (uint64_t)fd[1], (uint64_t)fd[1], 0), 0);
	assert_int_equal(ours(lseek, (uint64_t)fd[1], 0, SEEK_CUR), -EBADF);
	assert_int_equal(ours(lseek, (uint64_t)fd[2], 0, SEEK_CUR), 0);
	assert_int_equal(ours(close_range, (uint64_t)fd[0], UINT32_MAX, 0), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(ours(lseek, (uint64_t)fd[i], 0, SEEK_CUR), -EBADF);
	assert_int_equal(fcntl(host, F_GETFD), -1);
	assert_int_equal(fcntl(hidden, F_GETFD), 0);
	assert_int_equal(ours(close_range, FD_FLOOR, UINT32_MAX, 0), 0);
	assert_int_equal(fcntl(hidden, F_GETFD), 0);
	/* the component is still there */
	assert_true(ours(open, S("."), O_PATH) >= 0);
	close(hidden);
}

/* Numbers: the lowest one, and EMFILE below the floor although the host has more. */
static void test_numbers(void **state)
{
	long first = ours(open, S("."), O_RDONLY), fd, highest = 0, n = 0;
	int i;

	assert_int_equal(ours(close, (uint64_t)first), 0);
	assert_int_equal(ours(open, S("/dev/null"), O_RDONLY), first);
	assert_int_equal(ours(open, S("."), O_RDONLY), first + 1);
	assert_int_equal(ours(dup2, (uint64_t)first, (uint64_t)first + 1),
			 first + 1); /* a file becomes a host object */
	assert_int_equal(ours(lseek, (uint64_t)first + 1, 0, SEEK_CUR), 0);
	assert_int_equal(ours(getdents64, (uint64_t)first + 1, S(&n), 8), -ENOTDIR);
	while ((fd = ours(open, n++ % 2 ? S(".") : S("/dev/null"), O_RDONLY)) >= 0)
		highest = fd;
	assert_int_equal(fd, -EMFILE);
	assert_int_equal(highest, FD_FLOOR - 1);
	assert_int_equal(ours(open, S("not-made"), O_RDWR | O_CREAT, 0644), -EMFILE);
	assert_int_equal(ours(access, S("not-made"), F_OK), -ENOENT);
	assert_int_equal(ours(dup, (uint64_t)first), -EMFILE);
	assert_int_equal(ours(fcntl, (uint64_t)first, F_DUPFD, 5), -EMFILE);
	for (i = (int)first; i < FD_FLOOR; i++)
		ours(close, (uint64_t)i);
	assert_int_equal(ours(open, S("."), O_RDONLY), first);
	assert_int_equal(ours(close, (uint64_t)first), 0);
}

/* ---- /proc/self ---- */

static char prog[] = "prog", option[] = "-a", last[] = "last arg";
static char *const argv_of_test[] = { prog, option, last, NULL };

static void read_text(const char *path, char *buf, size_t n, long want)
{
	long fd = ours(open, S(path), O_RDONLY), got;

	assert_true(fd >= 0);
	got = ours(read, (uint64_t)fd, S(buf), n - 1);
	assert_true(want < 0 ? got > 0 : got == want);
	buf[got] = 0;
	assert_int_equal(ours(write, (uint64_t)fd, S("x"), 1), -EBADF);
	assert_int_equal(ours(close, (uint64_t)fd), 0);
}

static void test_proc_texts(void **state)
{
	char buf[8192], path[64];
	long fd;

	read_text("/proc/self/maps", buf, sizeof(buf), 5);
	assert_string_equal(buf, "maps\n");
	fd = ours(open, S("/proc/self/maps"), O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	buf[ours(readlink, S(path), S(buf), sizeof(buf))] = 0;
	assert_string_equal(buf, "/proc/self/maps");
	ours(close, (uint64_t)fd);
	snprintf(path, sizeof(path), "/proc/%d/task/../maps", getpid());
	read_text(path, buf, sizeof(buf), 5);
	read_text("/proc/thread-self/../self/../1/../self/cmdline", buf, sizeof(buf), 17);
	assert_memory_equal(buf, "prog\0-a\0last arg\0", 17);
	read_text("/proc/self/status", buf, sizeof(buf), -1);
	assert_non_null(strstr(buf, "\nVmSize:\t  125952 kB\n"));
	assert_non_null(strstr(buf, "\nVmRSS:\t   46080 kB\n"));
	assert_non_null(strstr(buf, "Name:\t"));
	read_text("/proc/self/comm", buf, sizeof(buf), -1);
	assert_int_equal(ours(open, S("/proc/self/mem"), O_RDWR), -EACCES);
	assert_int_equal(ours(open, S("/proc/self/maps"), O_RDWR), -EACCES);
	assert_int_equal(ours(open, S("/proc/self/none"), O_RDONLY), -ENOENT);
	assert_true(ours(open, S("/proc/1/status"), O_RDONLY) >= 0); /* another's: the host's */
}

static void test_proc_links(void **state)
{
	char text[PATH_MAX], path[64], want[PATH_MAX];
	struct stat st, mine;
	long fd, again;

	assert_int_equal(ours(readlink, S("/proc/self/exe"), S(text), sizeof(text)), 8);
	assert_memory_equal(text, "/the/exe", 8);
	assert_int_equal(ours(open, S("/proc/self/exe"), O_RDONLY), -ENOENT); /* of the storage component */
	fs_proc_self("/usr/bin/env", argv_of_test, NULL);
	assert_int_equal(ours(stat, S("/proc/self/exe"), S(&st)), 0);
	assert_int_equal(stat("/usr/bin/env", &mine), 0);
	assert_int_equal(st.st_ino, mine.st_ino);
	fs_proc_self("/the/exe", argv_of_test, NULL);

	fd = ours(open, S("f"), O_RDWR | O_CREAT, 0644);
	assert_int_equal(ours(write, (uint64_t)fd, S("text"), 4), 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	snprintf(want, sizeof(want), "%s/f", fs_path("ours"));
	text[ours(readlink, S(path), S(text), sizeof(text))] = 0;
	assert_string_equal(text, want);
	again = ours(open, S(path), O_RDONLY); /* opened anew: an offset of its own */
	assert_int_equal(ours(read, (uint64_t)again, S(text), 10), 4);
	assert_int_equal(ours(stat, S(path), S(&st)), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(ours(unlink, S("f")), 0);
	strcat(want, " (deleted)");
	text[ours(readlink, S(path), S(text), sizeof(text))] = 0;
	assert_string_equal(text, want);
	ours(close, (uint64_t)again);
	again = ours(open, S(path), O_RDWR);
	assert_true(again >= 0);
	ours(close, (uint64_t)again);
	ours(close, (uint64_t)fd);
	assert_int_equal(ours(readlink, S(path), S(text), sizeof(text)), -ENOENT);

	/* a slash or a dot at the end means the directory, not the link */
	assert_int_equal(ours(lstat, S("/proc/self"), S(&st)), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(ours(lstat, S("/proc/self/"), S(&st)), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(ours(lstat, S("/proc/self/."), S(&st)), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(ours(lstat, S("/proc/self/fd/.."), S(&st)), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(ours(lstat, S("/proc/self/cwd/"), S(&st)), 0);
	assert_true(S_ISDIR(st.st_mode));
	snprintf(path, sizeof(path), "/dev/shm/ashlar-test-%d/.", getpid());
	assert_int_equal(mkdir(path, 0755), -1);
	path[strlen(path) - 1] = 0;
	assert_int_equal(ours(mkdir, S(path), 0755), 0);
	strcat(path, ".");
	assert_int_equal(ours(rmdir, S(path)), -EINVAL);
	path[strlen(path) - 1] = 0;
	assert_int_equal(ours(rmdir, S(path)), 0);

	/* directories, and back into the export through them */
	fd = ours(open, S("."), O_RDONLY);
	assert_int_equal(ours(mkdir, S("dir"), 0755), 0);
	snprintf(path, sizeof(path), "/dev/fd/%ld/dir", fd);
	assert_int_equal(ours(stat, S(path), S(&st)), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(ours(stat, S("/proc/self/cwd/dir"), S(&st)), 0);
	assert_int_equal(ours(stat, S("/proc/self/root/usr"), S(&st)), 0);
	text[ours(readlink, S("/proc/self/cwd"), S(text), sizeof(text))] = 0;
	assert_string_equal(text, fs_path("ours"));
	ours(close, (uint64_t)fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", FD_FLOOR + 1);
	assert_int_equal(ours(readlink, S(path), S(text), sizeof(text)), -ENOENT);
}

static void test_proc_fd_list(void **state)
{
	int hidden = fcntl(0, F_DUPFD, FD_FLOOR + 5), mine = 0;
	long fd = ours(open, S("/proc/self/fd"), O_RDONLY | O_DIRECTORY), file = ours(open, S("."), O_RDONLY), got, at;
	struct dent64 {
		uint64_t ino;
		int64_t off;
		uint16_t reclen;
		uint8_t type;
		char name[];
	} * d;
	char buf[64] = { 0 };

	while ((got = ours(getdents64, (uint64_t)fd, S(buf), sizeof(buf))) > 0)
		for (at = 0; at < got; at += d->reclen) {
			d = (struct dent64 *)(void *)(buf + at);
			assert_true(atoi(d->name) < FD_FLOOR);
			mine += atoi(d->name) == file && file;
		}
	assert_int_equal(got, 0);
	assert_int_equal(mine, 1);
	ours(close, (uint64_t)file);
	ours(close, (uint64_t)fd);
	close(hidden);
}

static void test_std(void **state)
{
	struct stat a, b;
	long fd;

	assert_int_equal(ours(stat, S("/dev/stdin"), S(&a)), 0);
	assert_int_equal(fstat(0, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(ours(lstat, S("/dev/stdin"), S(&a)), 0);
	assert_true(S_ISLNK(a.st_mode));
	/* standard input as a remote file */
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 500);

	fd = ours(open, S("in"), O_RDWR | O_CREAT, 0644);
	ours(write, (uint64_t)fd, S("text"), 4);
	assert_int_equal(ours(dup2, (uint64_t)fd, 0), 0);
	assert_int_equal(ours(stat, S("/dev/stdin"), S(&a)), 0);
	assert_int_equal(a.st_size, 4);
	assert_int_equal(ours(dup2, (uint64_t)saved, 0), 0);
	ours(close, (uint64_t)saved);
	ours(close, (uint64_t)fd);
}

static void test_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, n, on = 1;
	struct winsize w = { .ws_row = 11, .ws_col = 22 }, got = { 0 };
	uint64_t before = fs_unknown_ioctls();
	unsigned char t1[64] = { 0 }, t2[64] = { 0 };

	if (master < 0)
		skip();
	grantpt(master);
	unlockpt(master);
	slave = (int)ours(open, S(ptsname(master)), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	assert_int_equal(ours(ioctl, (uint64_t)slave, TIOCSWINSZ, S(&w)), 0);
	assert_int_equal(ours(ioctl, (uint64_t)master, TIOCGWINSZ, S(&got)), 0);
	assert_memory_equal(&w, &got, sizeof(w));
	assert_int_equal(ours(ioctl, (uint64_t)slave, TCGETS, S(t1)), 0);
	assert_int_equal(syscall(SYS_ioctl, slave, TCGETS, t2), 0);
	assert_memory_equal(t1, t2, sizeof(t1));
	assert_int_equal(ours(ioctl, (uint64_t)slave, TCSETS, S(t1)), 0);
	assert_int_equal(ours(ioctl, (uint64_t)slave, TCGETS, 8), -EFAULT);
	assert_int_equal(ours(write, (uint64_t)master, S("line\n"), 5), 5);
	assert_int_equal(poll(&(struct pollfd){ .fd = slave, .events = POLLIN }, 1, 5000), 1); /* it takes a moment */
	assert_int_equal(ours(ioctl, (uint64_t)slave, FIONREAD, S(&n)), 0);
	assert_int_equal(n, 5);
	assert_int_equal(ours(ioctl, (uint64_t)master, TIOCGPTN, S(&n)), 0); /* by its own encoding */
	assert_int_equal(ours(ioctl, (uint64_t)slave, FIONBIO, S(&on)), 0);
	assert_int_equal(ours(ioctl, (uint64_t)slave, 0x4bff, S(&n)), -ENOTTY);
	assert_int_equal(fs_unknown_ioctls(), before + 1);
	close(master);
	close(slave);
}

/* The numbers of host objects: what fcntl can do to them. */
static void test_fcntl_host(void **state)
{
	struct flock l = { .l_type = F_WRLCK, .l_len = 1 }, got = { .l_type = F_RDLCK, .l_len = 5 };
	char name[64];
	long fd;
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(ours(fcntl, (uint64_t)p[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(ours(fcntl, (uint64_t)p[0], F_GETFL), O_NONBLOCK);
	assert_int_equal(ours(fcntl, (uint64_t)p[0], F_GETPIPE_SZ), 65536);
	assert_int_equal(ours(fcntl, (uint64_t)p[0], 4444, 8), -EINVAL);
	close(p[0]);
	close(p[1]);
	snprintf(name, sizeof(name), "/dev/shm/ashlar-test-%d", getpid());
	fd = ours(open, S(name), O_RDWR | O_CREAT, 0600);
	assert_int_equal(ours(fcntl, (uint64_t)fd, F_SETLK, S(&l)), 0);
	assert_int_equal(ours(fcntl, (uint64_t)fd, F_GETLK, S(&got)), 0);
	assert_int_equal(got.l_type, F_UNLCK); /* our own lock does not count */
	assert_int_equal(ours(fcntl, (uint64_t)fd, F_SETLK, 8), -EFAULT);
	assert_int_equal(ours(flock, (uint64_t)fd, 2 | 4), 0);
	ours(unlink, S(name));
	ours(close, (uint64_t)fd);
}

static int host_start(void **state)
{
	int err = fs_start(state);

	fs_proc_self("/the/exe", argv_of_test, NULL);
	return err;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),	   cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_devices),	   cmocka_unit_test(test_links_across),
		cmocka_unit_test(test_hidden),	   cmocka_unit_test(test_close_range),
		cmocka_unit_test(test_numbers),	   cmocka_unit_test(test_proc_texts),
		cmocka_unit_test(test_proc_links), cmocka_unit_test(test_proc_fd_list),
		cmocka_unit_test(test_std),	   cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_fcntl_host),
	};

	return cmocka_run_group_tests(tests, host_start, fs_stop);
}
