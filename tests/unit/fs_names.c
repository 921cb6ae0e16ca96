/* Names, directories and attributes through the dispatcher's calls, against the same calls natively. */
#include <dirent.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <utime.h>
#include "fs_same.h"

#define AT ((uint64_t)AT_FDCWD)

/* Make a file with a few bytes on both sides. */
static void file(const char *name)
{
	opens(63, open, S(name), O_RDWR | O_CREAT | O_TRUNC, 0644);
	put(3, "text", 4);
	same_is(4, write, F(63), B(3), 4);
	closes(63);
}

static void test_open(void **state)
{
	int i;

	file("o");
	same_is(0, mkdir, S("od"), 0777);
	same_is(0, symlink, S("o"), S("ol"));
	same_is(0, symlink, S("ol"), S("oll"));
	same_is(0, symlink, S("gone"), S("odangling"));
	same_is(0, symlink, S("oloop"), S("oloop"));
	opens(0, open, S("none"), O_RDONLY);
	opens(0, open, S(""), O_RDONLY);
	opens(0, open, S("o/"), O_RDONLY);
	opens(0, open, S("o/x"), O_RDONLY);
	opens(0, open, S("od"), O_RDWR);
	opens(0, open, S("od"), O_RDONLY | O_CREAT, 0644);
	opens(0, open, S("none/"), O_RDWR | O_CREAT, 0644);
	opens(0, open, S("o"), O_RDONLY | O_DIRECTORY);
	opens(0, open, S("o"), O_RDWR | O_CREAT | O_EXCL, 0644);
	opens(0, open, S("odangling"), O_RDWR | O_CREAT | O_EXCL, 0644);
	opens(0, open, S("ol"), O_RDONLY | O_NOFOLLOW);
	opens(0, open, S("oloop"), O_RDONLY);
	opens(0, open, S("oll"), O_RDONLY);
	same_is(0100000, fcntl, F(0), F_GETFL);
	same_stat(fstat, F(0), B(0));
	closes(0);
	opens(0, open, S("ol"), O_PATH | O_NOFOLLOW);
	same_is(O_PATH | O_NOFOLLOW, fcntl, F(0), F_GETFL);
	same_stat(fstat, F(0), B(0));
	same_is(1, readlinkat, F(0), S(""), B(1), 100);
	same_is(-EBADF, fcntl, F(0), F_SETFL, 0);
	same_is(-EBADF, fchmod, F(0), 0600);
	same_is(-EBADF, ioctl, F(0), 0x541b, B(1));
	closes(0);
	opens(0, open, S("odangling"), O_RDWR | O_CREAT, 0644);
	closes(0);
	same_stat(stat, S("gone"), B(0));
	opens(0, open, S("od"), O_TMPFILE | O_RDWR, 0600);
	same(fcntl, F(0), F_GETFL);
	same_stat(fstat, F(0), B(0));
	/* a nameless file gets its name by its number */
	for (i = 0; i < 2; i++) {
		char from[32];
		uint64_t a[6] = { AT, S(from), AT, S("named"), AT_SYMLINK_FOLLOW };

		snprintf(from, sizeof(from), "/proc/self/fd/%d", fds[i][0]);
		if (i)
			assert_int_equal(fs_call(sys_linkat, SYS_linkat, a), 0);
		else
			assert_int_equal(syscall(SYS_linkat, a[0], a[1], a[2], a[3], a[4]), 0);
	}
	same_stat(stat, S("named"), B(0));
	closes(0);
}

static void test_open_modes(void **state)
{
	uint32_t masks[] = { 0, 022, 077, 0777, 01000 };
	char name[32];
	size_t i;

	for (i = 0; i < 5; i++) {
		same(umask, masks[i]);
		snprintf(name, sizeof(name), "mode%zu", i);
		opens(0, open, S(name), O_RDONLY | O_CREAT, 07777);
		same_stat(fstat, F(0), B(0));
		closes(0);
		snprintf(name, sizeof(name), "dmode%zu", i);
		same_is(0, mkdir, S(name), 07777);
		same_stat(stat, S(name), B(0));
		snprintf(name, sizeof(name), "cmode%zu", i);
		opens(0, creat, S(name), 0666);
		closes(0);
		same_stat(stat, S(name), B(0));
		snprintf(name, sizeof(name), "nmode%zu", i);
		same_is(0, mknod, S(name), S_IFREG | 0640, 0);
		same_stat(stat, S(name), B(0));
	}
	same(umask, 022);
}

static void test_paths(void **state)
{
	char deep[4200], *p = deep;
	int i;

	same_is(0, mkdir, S("p"), 0755);
	same_is(0, mkdir, S("p/q"), 0755);
	file("p/q/f");
	same_is(0, symlink, S("../q/./f"), S("p/q/rel"));
	same_stat(stat, S("p/../p/q/.././q/f"), B(0));
	same_stat(stat, S("./p//q///f"), B(0));
	same_stat(stat, S("p/q/rel"), B(0));
	same_stat(lstat, S("p/q/rel"), B(0));
	same_stat(stat, S("p/q/"), B(0));
	same_stat(stat, S("p/q/f/"), B(0));
	same_stat(stat, S("p/q/f/."), B(0));
	same_stat(stat, S("p/x/../q"), B(0));
	same_stat(stat, S("/"), B(0));
	same_stat(stat, S("/../../usr"), B(0));
	same_stat(stat, S(""), B(0));
	opens(0, open, S("p/q"), O_RDONLY | O_DIRECTORY);
	opens(1, open, S("p/q"), O_PATH);
	opens(2, open, S("p/q/f"), O_RDONLY);
	same_stat(newfstatat, F(0), S("f"), B(0), 0);
	same_stat(newfstatat, F(1), S("../q/f"), B(0), 0);
	same_stat(newfstatat, F(1), S(".."), B(0), 0);
	same_stat(newfstatat, F(1), S("rel"), B(0), AT_SYMLINK_NOFOLLOW);
	same_stat(newfstatat, F(1), S(""), B(0), AT_EMPTY_PATH);
	same_stat(newfstatat, F(2), S(""), B(0), AT_EMPTY_PATH);
	same_stat(newfstatat, F(2), S("x"), B(0), 0);
	same_stat(newfstatat, AT, S(""), B(0), AT_EMPTY_PATH);
	same_stat(newfstatat, F(1), S(""), B(0), 0);
	same_stat(newfstatat, F(1), S("f"), B(0), 0x8000);
	same_stat(newfstatat, 850, S("f"), B(0), 0);
	same_stat(newfstatat, 850, S("/usr"), B(0), 0);
	same_stat(newfstatat, 850, S(""), B(0), AT_EMPTY_PATH);
	same_is(0, mkdirat, F(1), S("made"), 0700);
	same_stat(stat, S("p/q/made"), B(0));
	same_is(-ENOTDIR, mkdirat, F(2), S("made"), 0700);
	same_is(-EBADF, mkdirat, 850, S("made"), 0700);
	for (i = 0; i < 2098; i++)
		p += sprintf(p, "./");
	same_stat(stat, S(deep), B(0)); /* too long */
	deep[2 * 2000] = 0;
	strcat(deep, "p/q/f");
	same_stat(stat, S(deep), B(0));
	memset(deep, 'n', 256);
	deep[256] = 0;
	same_stat(stat, S(deep), B(0));
	same_is(-ENAMETOOLONG, mkdir, S(deep), 0755);
	for (i = 0; i < 3; i++)
		closes(i);
}

static void test_stat(void **state)
{
	struct statx *x[2];
	int i;

	file("s");
	same_stat(stat, S("s"), B(0));
	call_both(SYS_statx, ARGS(AT, S("s"), AT_SYMLINK_NOFOLLOW, STATX_ALL, B(1)));
	assert_int_equal(both[0], both[1]);
	for (i = 0; i < 2; i++)
		x[i] = (struct statx *)(void *)buffers[i][1];
	assert_int_equal(x[1]->stx_mode, x[0]->stx_mode);
	assert_int_equal(x[1]->stx_size, x[0]->stx_size);
	assert_int_equal(x[1]->stx_dev_major, x[0]->stx_dev_major);
	assert_int_equal(x[1]->stx_dev_minor, x[0]->stx_dev_minor);
	assert_int_equal(x[1]->stx_mask & STATX_BTIME, x[0]->stx_mask & STATX_BTIME);
	assert_int_equal(x[1]->stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	memcpy(buffers[1][1], buffers[0][1], sizeof(struct statx));
	same_is(-EINVAL, statx, AT, S("s"), 0x10000000, STATX_ALL, B(1));
	same_is(-EINVAL, statx, AT, S("s"), 0, 0x80000000, B(1));
	same_is(-EINVAL, statx, AT, S("s"), AT_STATX_SYNC_TYPE, STATX_ALL, B(1));
	same_is(-ENOENT, statx, AT, S(""), 0, STATX_ALL, B(1));
	same_stat(fstat, 850, B(0));
	same_stat(fstat, (uint64_t)-1, B(0));
	same_stat(fstat, AT, B(0));
	call_both(SYS_statfs, ARGS(S("s"), B(2)));
	assert_int_equal(both[0], both[1]);
	assert_int_equal(((struct statfs *)(void *)buffers[0][2])->f_type,
			 ((struct statfs *)(void *)buffers[1][2])->f_type);
	memcpy(buffers[1][2], buffers[0][2], sizeof(struct statfs));
	same_is(-ENOENT, statfs, S("nofs"), B(2));
	same_is(-EBADF, fstatfs, 850, B(2));
}

static void test_access(void **state)
{
	uint64_t mode;

	file("a");
	same_is(0, chmod, S("a"), 0500);
	same_is(0, mkdir, S("ad"), 0);
	for (mode = 0; mode < 9; mode++) {
		same(access, S("a"), mode);
		same(access, S("ad"), mode);
		same(access, S("ad/x"), mode);
		same(faccessat, AT, S("/"), mode);
		call_both(439, ARGS(AT, S("a"), mode, AT_EACCESS));
		assert_int_equal(both[0], both[1]);
	}
	same_is(-EACCES, open, S("a"), O_RDWR);
	same_is(-EACCES, open, S("ad"), O_RDONLY);
	same_is(-EACCES, open, S("ad/x"), O_RDWR | O_CREAT, 0644);
	same_is(-EACCES, chdir, S("ad"));
	same_is(-EACCES, unlink, S("/usr/bin/env"));
	same_is(-EPERM, chmod, S("/usr/bin"), 0777);
	same_is(-EPERM, chown, S("a"), 0, 0);
	same_is(0, chown, S("a"), (uint32_t)-1, (uint32_t)-1);
	same_is(0, lchown, S("a"), geteuid(), getegid());
	opens(0, open, S("a"), O_RDONLY);
	same_is(0, fchown, F(0), geteuid(), (uint32_t)-1);
	same_is(0, fchownat, F(0), S(""), geteuid(), (uint32_t)-1, AT_EMPTY_PATH);
	same_is(-EINVAL, fchownat, AT, S("a"), 0, 0, 0x4000);
	same_is(0, fchmod, F(0), 0640);
	same_stat(fstat, F(0), B(0));
	same_is(0, fchmodat, AT, S("a"), 0604);
	same_stat(fstat, F(0), B(0));
	same_is(-EBADF, fchmod, 850, 0640);
	closes(0);
	same_is(0, chmod, S("ad"), 0700);
}

static void times_are(const char *name, int64_t a, int64_t a_ns, int64_t m, int64_t m_ns)
{
	struct stat st;

	assert_int_equal(ours(stat, S(name), S(&st)), 0);
	assert_int_equal(st.st_atim.tv_sec, a);
	assert_int_equal(st.st_atim.tv_nsec, a_ns);
	assert_int_equal(st.st_mtim.tv_sec, m);
	assert_int_equal(st.st_mtim.tv_nsec, m_ns);
}

static void test_times(void **state)
{
	struct timespec ts[2] = { { 1000, 1 }, { 2000, 2 } };
	struct timeval tv[2] = { { 3000, 3 }, { 4000, 4 } };
	struct utimbuf u = { 5000, 6000 };
	struct stat st;

	file("t");
	same_is(0, utimensat, AT, S("t"), S(ts), 0);
	times_are("t", 1000, 1, 2000, 2);
	same_is(0, utimes, S("t"), S(tv));
	times_are("t", 3000, 3000, 4000, 4000);
	same_is(0, utime, S("t"), S(&u));
	times_are("t", 5000, 0, 6000, 0);
	ts[1].tv_nsec = UTIME_OMIT;
	opens(0, open, S("t"), O_RDONLY);
	same_is(0, utimensat, F(0), 0, S(ts), 0);
	times_are("t", 1000, 1, 6000, 0);
	same_is(0, futimesat, F(0), 0, S(tv));
	times_are("t", 3000, 3000, 4000, 4000);
	ts[0].tv_nsec = UTIME_NOW;
	same_is(0, utimensat, AT, S("t"), S(ts), 0);
	assert_int_equal(ours(stat, S("t"), S(&st)), 0);
	assert_true(st.st_atim.tv_sec > 1000000);
	assert_int_equal(st.st_mtim.tv_sec, 4000);
	same_is(0, utimensat, AT, S("t"), 0, 0);
	ts[0].tv_nsec = UTIME_OMIT;
	same_is(0, utimensat, AT, S("none"), S(ts), 0); /* nothing to do, nothing looked at */
	ts[0].tv_nsec = 1000000000;
	same_is(-EINVAL, utimensat, AT, S("t"), S(ts), 0);
	same_is(-EFAULT, utimensat, AT, S("t"), 8, 0);
	tv[0].tv_usec = 1000000;
	same_is(-EINVAL, utimes, S("t"), S(tv));
	same_is(-ENOENT, utimes, S("none"), 0);
	same_is(0, symlink, S("t"), S("tl"));
	ts[0] = ts[1] = (struct timespec){ 7000, 7 };
	same_is(0, utimensat, AT, S("tl"), S(ts), AT_SYMLINK_NOFOLLOW);
	assert_int_equal(ours(lstat, S("tl"), S(&st)), 0);
	assert_int_equal(st.st_mtim.tv_sec, 7000);
	closes(0);
}

static void test_names(void **state)
{
	file("n");
	same_is(0, mkdir, S("nd"), 0755);
	same_is(-EEXIST, mkdir, S("nd"), 0755);
	same_is(-EEXIST, mkdir, S("/"), 0755);
	same_is(-EEXIST, mkdir, S("nd/."), 0755);
	same_is(-ENOENT, mkdir, S(""), 0755);
	same_is(0, mkdir, S("nd/e///"), 0755);
	same_is(-ENOTEMPTY, rmdir, S("nd"));
	same_is(-EINVAL, rmdir, S("nd/."));
	same_is(-ENOTEMPTY, rmdir, S("nd/e/.."));
	same_is(-ENOTDIR, rmdir, S("n"));
	same_is(-EISDIR, unlink, S("nd"));
	same_is(-EBUSY, rmdir, S("/"));
	same_is(-EISDIR, unlink, S("/"));
	same_is(-EINVAL, unlinkat, AT, S("n"), 0x1);
	same_is(0, link, S("n"), S("n2"));
	same_stat(stat, S("n"), B(0));
	same_is(-EEXIST, link, S("n"), S("n2"));
	same_is(-EPERM, link, S("nd"), S("n3"));
	same_is(-ENOENT, link, S("none"), S("n3"));
	same_is(-EINVAL, linkat, AT, S("n"), AT, S("n3"), 0x1);
	same_is(0, symlink, S("n"), S("nl"));
	same_is(-EEXIST, symlink, S("n"), S("nl"));
	same_is(-ENOENT, symlink, S(""), S("nx"));
	same_is(0, linkat, AT, S("nl"), AT, S("nl2"), 0);
	same_stat(lstat, S("nl2"), B(0));
	same_is(0, linkat, AT, S("nl"), AT, S("n4"), AT_SYMLINK_FOLLOW);
	same_stat(lstat, S("n4"), B(0));
	same_is(1, readlink, S("nl"), B(1), 100);
	same_is(-EINVAL, readlink, S("n"), B(1), 100);
	same_is(-EINVAL, readlink, S("nl"), B(1), 0);
	same_is(-EINVAL, readlink, S("nl"), B(1), (uint64_t)-1);
	same_is(-ENOENT, readlink, S(""), B(1), 100);
	same_is(0, symlink, S("/a/long/target/of/no/file"), S("nlong"));
	same_is(5, readlink, S("nlong"), B(1), 5);
	same_is(25, readlinkat, AT, S("nlong"), B(1), 4096);
	same_is(0, rename, S("n2"), S("nd/n2"));
	same_is(-ENOENT, rename, S("n2"), S("nd/n2"));
	same_is(-EINVAL, rename, S("nd"), S("nd/e/x"));
	same_is(-EISDIR, rename, S("n"), S("nd"));
	same_is(-ENOTDIR, rename, S("nd"), S("n"));
	same_is(-EBUSY, rename, S("nd/."), S("nx"));
	same_is(0, rename, S("nd/"), S("nd2/"));
	same_is(-EEXIST, renameat2, AT, S("n"), AT, S("n4"), 1);
	same_is(-EINVAL, renameat2, AT, S("n"), AT, S("n4"), 8);
	same_is(-EINVAL, renameat2, AT, S("n"), AT, S("n4"), 3);
	same(renameat2, AT, S("n"), AT, S("nd2"), 2);
	same_is(0, renameat, AT, S("nl"), AT, S("nl3"));
	same_is(0, unlink, S("nl3"));
	same_is(-ENOENT, unlink, S("nl3"));
	same_is(-ENOTDIR, unlink, S("n4/"));
	same_is(-EPERM, mknod, S("fifo"), S_IFCHR | 0644, 0x501);
	same_is(-EEXIST, mknod, S("n4"), S_IFREG | 0644, 0);
	same_is(-EXDEV, rename, S("n4"), S("/dev/shm/x"));
	same_is(-EXDEV, link, S("n4"), S("/dev/shm/x"));
}

/* A FIFO of this machine's own files is one for us, too; a socket is for nobody, and says so. */
static void test_special(void **state)
{
	char text[4] = { 0 };
	unsigned said = fs_said;
	long fd, other;

	same_is(0, mknod, S("fifo"), S_IFIFO | 0644, 0);
	same_stat(stat, S("fifo"), B(0));
	same_is(-EEXIST, mknod, S("fifo"), S_IFIFO | 0644, 0);
	same_is(-ENXIO, open, S("fifo"), O_WRONLY | O_NONBLOCK); /* nobody reads */
	fd = ours(open, S("fifo"), O_RDONLY | O_NONBLOCK);
	other = ours(open, S("fifo"), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(ours(fcntl, (uint64_t)other, F_GETFD), FD_CLOEXEC);
	assert_int_equal(ours(write, (uint64_t)other, S("abc"), 3), 3);
	assert_int_equal(ours(read, (uint64_t)fd, S(text), 3), 3);
	assert_string_equal(text, "abc");
	fs_block_answer = -EINTR;
	assert_int_equal(ours(open, S("fifo"), O_RDONLY), -EINTR);
	ours(close, (uint64_t)fd);
	ours(close, (uint64_t)other);
	same_is(0, unlink, S("fifo"));
	assert_int_equal(fs_said, said);

	same_is(0, mknod, S("socket"), S_IFSOCK | 0644, 0);
	same_stat(stat, S("socket"), B(0));
	assert_int_equal(ours(open, S("socket"), O_RDWR), -ENXIO);
	assert_int_equal(ours(open, S("socket"), O_RDONLY), -ENXIO);
	assert_int_equal(fs_said, said + 1); /* once */
	same_is(0, unlink, S("socket"));
}

static void test_cwd(void **state)
{
	char text[PATH_MAX], want[PATH_MAX];
	long n;

	same_is(0, mkdir, S("w"), 0755);
	same_is(0, mkdir, S("w/x"), 0755);
	same_is(0, symlink, S("w/x"), S("wl"));
	file("w/f");
	opens(0, open, S("."), O_RDONLY);
	same_is(0, chdir, S("wl"));
	same_stat(stat, S("../f"), B(0));
	n = ours(getcwd, S(text), sizeof(text));
	snprintf(want, sizeof(want), "%s/w/x", fs_path("ours"));
	assert_int_equal(n, strlen(want) + 1);
	assert_string_equal(text, want);
	assert_int_equal(ours(getcwd, S(text), strlen(want)), -ERANGE);
	/* it follows a rename, and is gone when removed */
	same_is(0, rename, S("../x"), S("../y"));
	ours(getcwd, S(text), sizeof(text));
	want[strlen(want) - 1] = 'y';
	assert_string_equal(text, want);
	same_is(0, rmdir, S("../y"));
	same_is(-ENOENT, getcwd, S(text), sizeof(text));
	same_stat(stat, S("f"), B(0));
	same_is(-ENOENT, open, S("new"), O_RDWR | O_CREAT, 0644);
	same_is(0, fchdir, F(0));
	same_stat(stat, S("w/f"), B(0));
	same_is(-ENOTDIR, chdir, S("w/f"));
	same_is(-ENOENT, chdir, S("none"));
	same_is(-EBADF, fchdir, 850);
	opens(1, open, S("w/f"), O_RDONLY);
	same_is(-ENOTDIR, fchdir, F(1));
	closes(1);
	closes(0);
	/* the host's part: and back out of it */
	same_is(0, chdir, S("/proc/sys"));
	same_is(10, getcwd, B(1), 100);
	same_stat(stat, S("kernel"), B(0));
	same_stat(stat, S("../../usr"), B(0));
	same_is(0, chdir, S("../../usr"));
	same_is(5, getcwd, B(1), 100);
	same_is(0, chdir, S("../proc"));
	same_is(6, getcwd, B(1), 100);
	assert_int_equal(chdir(fs_path("native")), 0);
	assert_int_equal(ours(chdir, S(fs_path("ours"))), 0);
}

#define MANY 5000

struct dent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* Count the entries of ours from F(0) with a buffer of `room`; each must be new in seen. */
static unsigned list(bool *seen, size_t room)
{
	char *buf = calloc(1, room);
	unsigned n = 0;
	long got, at;

	while ((got = ours(getdents64, (uint64_t)fds[1][0], S(buf), room)) > 0)
		for (at = 0; at < got; n++) {
			struct dent64 *d = (struct dent64 *)(void *)(buf + at);

			if (d->name[0] != '.') {
				assert_false(seen[atoi(d->name)]);
				seen[atoi(d->name)] = true;
			}
			at += d->reclen;
		}
	assert_int_equal(got, 0);
	free(buf);
	return n;
}

static void test_many_entries(void **state)
{
	bool seen[MANY];
	int64_t middle = 0;
	char name[32], buf[512];
	unsigned i, n;
	size_t room;
	long at, got;

	same_is(0, mkdir, S("many"), 0755);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many/%u", i);
		assert_int_equal(ours(mknod, S(name), S_IFREG | 0644, 0), 0);
	}
	fds[1][0] = (int)ours(open, S("many"), O_RDONLY | O_DIRECTORY);
	for (room = 100; room < 1000000; room *= 13) {
		memset(seen, 0, sizeof(seen));
		assert_int_equal(list(seen, room), MANY + 2);
		assert_int_equal(ours(lseek, (uint64_t)fds[1][0], 0, SEEK_SET), 0);
	}
	/* seekdir: on from the offset of the entry in the middle */
	for (n = 0; n < MANY / 2;) {
		got = ours(getdents64, (uint64_t)fds[1][0], S(buf), sizeof(buf));
		assert_true(got > 0);
		for (at = 0; at < got; n++) {
			middle = ((struct dent64 *)(void *)(buf + at))->off;
			at += ((struct dent64 *)(void *)(buf + at))->reclen;
		}
	}
	assert_int_equal(ours(lseek, (uint64_t)fds[1][0], 0, SEEK_END) > 0, 1);
	assert_int_equal(ours(lseek, (uint64_t)fds[1][0], (uint64_t)middle, SEEK_SET), middle);
	memset(seen, 0, sizeof(seen));
	assert_int_equal(list(seen, 4096), MANY + 2 - n);
	/* what is made while listing does not break it */
	assert_int_equal(ours(lseek, (uint64_t)fds[1][0], 0, SEEK_SET), 0);
	for (i = 0; i < MANY; i += 2) {
		snprintf(name, sizeof(name), "many/%u", i);
		assert_int_equal(ours(unlink, S(name)), 0);
	}
	memset(seen, 0, sizeof(seen));
	assert_int_equal(list(seen, 4096), MANY / 2 + 2);
	assert_int_equal(ours(getdents64, (uint64_t)fds[1][0], S(buf), 1), 0);
	assert_int_equal(ours(lseek, (uint64_t)fds[1][0], 0, SEEK_SET), 0);
	assert_int_equal(ours(getdents64, (uint64_t)fds[1][0], S(buf), 1), -EINVAL);
	assert_int_equal(ours(getdents64, (uint64_t)fds[1][0], 8, 1000), -EFAULT);
	assert_true(ours(getdents64, (uint64_t)fds[1][0], S(buf), sizeof(buf)) > 0); /* not lost by it */
	assert_int_equal(ours(close, (uint64_t)fds[1][0]), 0);
}

/* The old format: names and types are in other places. */
static void test_old_entries(void **state)
{
	struct old {
		uint64_t ino, off;
		uint16_t reclen;
		char name[];
	} * d;
	char buf[1024];
	unsigned n = 0;
	long at, got;

	same_is(0, mkdir, S("old"), 0755);
	file("old/file");
	same_is(0, mkdir, S("old/directory"), 0755);
	fds[1][0] = (int)ours(open, S("old"), O_RDONLY | O_DIRECTORY);
	got = ours(getdents, (uint64_t)fds[1][0], S(buf), sizeof(buf));
	for (at = 0; at < got; at += d->reclen) {
		d = (struct old *)(void *)(buf + at);
		if (!strcmp(d->name, "file")) {
			assert_int_equal(buf[at + d->reclen - 1], DT_REG);
			n++;
		} else if (!strcmp(d->name, "directory")) {
			assert_int_equal(buf[at + d->reclen - 1], DT_DIR);
			n++;
		}
	}
	assert_int_equal(n, 2);
	assert_int_equal(ours(close, (uint64_t)fds[1][0]), 0);
	file("nodir");
	opens(0, open, S("nodir"), O_RDONLY);
	same_is(-ENOTDIR, getdents64, F(0), B(0), 1000);
	closes(0);
	opens(0, open, S("old"), O_PATH);
	same_is(-EBADF, getdents64, F(0), B(0), 1000);
	closes(0);
	same_is(-EBADF, getdents64, 850, B(0), 1000);
}

/* No extended attributes; locks of a whole file, but none of ranges; odd requests. */
static void test_oddities(void **state)
{
	struct flock l = { .l_type = F_WRLCK, .l_len = 1 };
	char value[16];

	file("x");
	opens(0, open, S("x"), O_RDWR);
	opens(1, open, S("x"), O_RDWR);
	assert_int_equal(ours(getxattr, S("x"), S("user.a"), S(value), 16), -EOPNOTSUPP);
	assert_int_equal(ours(fgetxattr, (uint64_t)fds[1][0], S("user.a"), S(value), 16), -EOPNOTSUPP);
	assert_int_equal(ours(setxattr, S("x"), S("user.a"), S("v"), 1, 0), -EOPNOTSUPP);
	assert_int_equal(ours(listxattr, S("x"), S(value), 16), 0);
	same_is(-ENOENT, getxattr, S("none"), S("user.a"), B(1), 16);
	same_is(-ENOENT, listxattr, S("none"), B(1), 16);
	same_is(-EBADF, fgetxattr, 850, S("user.a"), B(1), 16);
	same_is(0, fcntl, F(0), F_SETLK, S(&l));
	same_is(0, flock, F(0), 2);
	same_is(-EWOULDBLOCK, flock, F(1), 2 | 4);
	same_is(0, flock, F(0), 8);
	same_is(0, flock, F(1), 2 | 4);
	same_is(-EINVAL, flock, F(0), 16);
	same_is(0, ioctl, F(0), 0x541b, B(1)); /* FIONREAD */
	same_is(-ENOTTY, ioctl, F(0), 0x5401, B(1));
	same_is(-ENOTTY, ioctl, F(0), 0x12345678, B(1));
	same_is(0, ioctl, F(0), 0x5451, 0); /* FIOCLEX */
	same_is(FD_CLOEXEC, fcntl, F(0), F_GETFD);
	same_is(0, fcntl, F(0), F_GETOWN);
	same_is(-EINVAL, fcntl, F(0), 12345);
	same_is(-EBADF, fcntl, F(0), F_GETPIPE_SZ);
	closes(0);
	closes(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),	    cmocka_unit_test(test_open_modes),
		cmocka_unit_test(test_paths),	    cmocka_unit_test(test_stat),
		cmocka_unit_test(test_access),	    cmocka_unit_test(test_times),
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_special),
		cmocka_unit_test(test_cwd),	    cmocka_unit_test(test_many_entries),
		cmocka_unit_test(test_old_entries), cmocka_unit_test(test_oddities),
	};

	return cmocka_run_group_tests(tests, fs_start, fs_stop);
}
