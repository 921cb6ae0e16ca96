/* files: the file calls, in a new folder below the working directory that is removed at the end. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "tests/programs/say.h"

static void tell_stat(const char *what, long ret, const struct stat *s)
{
	if (ret < 0) {
		printf("%s: %s\n", what, error_name(errno));
		return;
	}
	printf("%s: mode %o, links %lu, size %ld, blocks %d, mine %d\n", what, s->st_mode, s->st_nlink,
	       S_ISDIR(s->st_mode) ? -1 : s->st_size, S_ISREG(s->st_mode) && s->st_size ? s->st_blocks > 0 : -1,
	       s->st_uid == geteuid() && s->st_gid == getegid());
}

static void tell_text(const char *what, const char *path)
{
	char text[200];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0)
		printf("%s: %s\n", what, error_name(errno));
	else
		printf("%s: %zd bytes, %.*s\n", what, n, (int)n, text);
	if (fd >= 0)
		close(fd);
}

static void tell(const char *what, long ret)
{
	if (ret < 0)
		printf("%s: %s\n", what, error_name(errno));
	else
		printf("%s: %ld\n", what, ret);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !close(fd));
}

static void reading_writing(void)
{
	static char big[3 << 20], again[3 << 20];
	struct iovec v[3] = { { big, 5 }, { big + 5, 0 }, { big + 5, 100000 } };
	char buf[100];
	struct stat s;
	int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);
	uint64_t state = 1;
	long n, total = 0;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)random_next(&state);
	tell("write", write(fd, "hello, ", 7));
	tell("write", write(fd, "world", 5));
	tell("position", lseek(fd, 0, SEEK_CUR));
	tell("pread", pread(fd, buf, 5, 7));
	printf("that is %.5s\n", buf);
	tell("pwrite", pwrite(fd, "W", 1, 7));
	tell("position", lseek(fd, 0, SEEK_CUR));
	tell("seek from the end", lseek(fd, -5, SEEK_END));
	tell("seek from here", lseek(fd, 2, SEEK_CUR));
	tell("seek before the start", lseek(fd, -1, SEEK_SET));
	tell("read to the end", n = read(fd, buf, sizeof(buf)));
	printf("that is %.*s\n", (int)n, buf);
	tell("read at the end", read(fd, buf, sizeof(buf)));
	tell("seek beyond it", lseek(fd, 100, SEEK_SET));
	tell("read there", read(fd, buf, 10));
	tell("write there", write(fd, "x", 1));
	memset(buf, 1, sizeof(buf));
	tell("read the hole", pread(fd, buf, 3, 50));
	printf("it is zero: %d\n", !buf[0] && !buf[1] && !buf[2]);
	fstat(fd, &s);
	tell_stat("fstat", 0, &s);
	say("truncate", ftruncate(fd, 5));
	say("grow", ftruncate(fd, 20));
	printf("size: %ld\n", (long)lseek(fd, 0, SEEK_END));
	MUST(!ftruncate(fd, 0) && lseek(fd, 0, SEEK_SET) == 0);
	while (total < (long)sizeof(big)) {
		n = write(fd, big + total, sizeof(big) - (size_t)total);
		MUST(n > 0);
		total += n;
	}
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	for (total = 0; (n = read(fd, again + total, sizeof(again) - (size_t)total)) > 0;)
		total += n;
	printf("three megabytes: %ld, same %d\n", total, !memcmp(big, again, sizeof(big)));
	tell("pwritev", pwritev(fd, v, 3, 10));
	memset(again, 0, 200000);
	v[0].iov_base = again;
	v[2].iov_base = again + 5;
	tell("preadv", preadv(fd, v, 3, 10));
	printf("same %d\n", !memcmp(big, again, 100005));
	MUST(lseek(fd, 10, SEEK_SET) == 10);
	memset(again, 0, 200000);
	tell("readv", readv(fd, v, 3));
	printf("same %d\n", !memcmp(big, again, 100005));
	tell("writev", writev(fd, v, 3));
	tell("position", lseek(fd, 0, SEEK_CUR));
	tell("negative offset", pread(fd, buf, 1, -1));
	tell("nothing", read(fd, buf, 0));
	say("fsync", fsync(fd));
	say("fdatasync", fdatasync(fd));
	say("close", close(fd));
	say("close again", close(fd));
	say("read closed", read(fd, buf, 1));
}

static void opening(void)
{
	char buf[10];
	int fd, other;

	put("o", "12345");
	say("exclusive", open("o", O_CREAT | O_EXCL | O_RDWR, 0600));
	say("absent", open("absent", O_RDONLY));
	say("in a file", open("o/x", O_RDONLY));
	say("directory wanted", open("o", O_RDONLY | O_DIRECTORY));
	say("directory written", open(".", O_WRONLY));
	say("name too long",
	    open("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 O_RDONLY));
	say("empty name", open("", O_RDONLY));
	fd = open("o", O_RDONLY);
	say("write to read-only", write(fd, "x", 1));
	close(fd);
	fd = open("o", O_WRONLY);
	say("read from write-only", read(fd, buf, 1));
	close(fd);
	fd = open("o", O_WRONLY | O_APPEND);
	MUST(write(fd, "67", 2) == 2 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "89", 2) == 2);
	printf("position after append: %ld\n", (long)lseek(fd, 0, SEEK_CUR));
	close(fd);
	tell_text("appended", "o");
	fd = open("o", O_RDWR | O_TRUNC);
	printf("truncated at open: %ld\n", (long)lseek(fd, 0, SEEK_END));
	other = dup(fd);
	MUST(write(fd, "abc", 3) == 3);
	printf("position is shared with a duplicate: %ld\n", (long)lseek(other, 0, SEEK_CUR));
	printf("flags: %o", fcntl(other, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	MUST(!fcntl(other, F_SETFL, O_APPEND));
	printf(" %o; on close: %d", fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), fcntl(fd, F_GETFD));
	MUST(!fcntl(fd, F_SETFD, FD_CLOEXEC));
	printf(" %d %d\n", fcntl(fd, F_GETFD), fcntl(other, F_GETFD));
	close(fd);
	printf("the duplicate lives: %ld\n", (long)lseek(other, 0, SEEK_END));
	printf("dup2: %d", dup2(other, 30));
	printf(", dup3: %s", error_name(dup3(other, other, 0) < 0 ? errno : 0));
	printf(", above: %d\n", fcntl(other, F_DUPFD, 40));
	close(other);
	close(30);
	close(40);
	fd = open("o", O_RDONLY);
	other = open("o", O_RDONLY);
	printf("lowest free: %d\n", other == fd + 1);
	close(fd);
	close(other);
	fd = open("mode", O_CREAT | O_WRONLY, 0777);
	umask(077);
	other = open("mode2", O_CREAT | O_WRONLY, 0777);
	umask(022);
	{
		struct stat s;

		tell_stat("mode", fstat(fd, &s), &s);
		tell_stat("mode with another mask", fstat(other, &s), &s);
	}
	close(fd);
	close(other);
}

static void names(void)
{
	char buf[300];
	struct stat s, t;
	ssize_t n;
	int fd;

	say("mkdir", mkdir("d", 0755));
	say("mkdir again", mkdir("d", 0755));
	put("d/f", "in d");
	say("link", link("d/f", "d/g"));
	tell_stat("linked", stat("d/g", &s), &s);
	say("link a directory", link("d", "e"));
	say("symlink", symlink("d/f", "s"));
	tell_stat("lstat", lstat("s", &s), &s);
	tell_stat("stat", stat("s", &s), &s);
	n = readlink("s", buf, sizeof(buf));
	printf("readlink: %.*s\n", (int)n, buf);
	tell("readlink, cut", readlink("s", buf, 2));
	tell("readlink of a file", readlink("d/f", buf, sizeof(buf)));
	tell_text("through it", "s");
	say("no follow", open("s", O_RDONLY | O_NOFOLLOW));
	MUST(!symlink("loop", "loop"));
	say("loop", open("loop", O_RDONLY));
	say("rename", rename("d/f", "d/h"));
	tell_text("dangling", "s");
	put("over", "old");
	say("rename over", rename("d/h", "over"));
	tell_text("renamed", "over");
	say("rename absent", rename("absent", "x"));
	say("rename file to directory", rename("over", "d"));
	say("rename directory into itself", rename("d", "d/d"));
	say("rename, not over", (int)syscall(SYS_renameat2, AT_FDCWD, "over", AT_FDCWD, "d/g", 1));
	put("second", "2");
	say("exchange", (int)syscall(SYS_renameat2, AT_FDCWD, "over", AT_FDCWD, "second", 2));
	tell_text("exchanged", "over");
	say("rmdir not empty", rmdir("d"));
	say("unlink directory", unlink("d"));
	say("rmdir file", rmdir("over"));
	fd = open("d/g", O_RDONLY);
	say("unlink open", unlink("d/g"));
	n = read(fd, buf, sizeof(buf));
	printf("still readable: %.*s", (int)n, buf);
	fstat(fd, &s);
	printf(", links %lu\n", s.st_nlink);
	close(fd);
	say("unlink gone", unlink("d/g"));
	say("rmdir", rmdir("d"));
	say("access", access("over", R_OK | W_OK));
	say("access x", access("over", X_OK));
	say("access absent", access("absent", F_OK));
	say("chmod", chmod("over", 0751));
	tell_stat("then", stat("over", &s), &s);
	say("access x", access("over", X_OK));
	say("chown", chown("over", (uid_t)-1, (gid_t)-1));
	say("lchown", lchown("s", getuid(), getgid()));
	{
		struct timespec at[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
		struct timespec omit[2] = { { 0, UTIME_OMIT }, { 1200000000, 1 } };

		say("utimensat", utimensat(AT_FDCWD, "over", at, 0));
		MUST(!stat("over", &t));
		printf("times: %ld.%09ld %ld.%09ld\n", t.st_atim.tv_sec, t.st_atim.tv_nsec, t.st_mtim.tv_sec,
		       t.st_mtim.tv_nsec);
		say("one of them", utimensat(AT_FDCWD, "over", omit, 0));
		MUST(!stat("over", &t));
		printf("times: %ld %ld\n", t.st_atim.tv_sec, t.st_mtim.tv_sec);
	}
	say("truncate by name", truncate("over", 1));
	tell_text("truncated", "over");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void directories(void)
{
	char name[20], here[4096], *all[600], *last;
	struct dirent *e;
	struct stat s, t;
	int n = 0, fd, sub, types = 0;
	DIR *d;

	MUST(!mkdir("many", 0700) && !mkdir("many/dir", 0700) && !symlink("x", "many/link"));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "many/file%03d", i);
		put(name, "");
	}
	d = opendir("many");
	MUST(d);
	while ((e = readdir(d)) && n < 600) {
		types += e->d_type == DT_REG ? 1 : e->d_type == DT_DIR ? 1000 : e->d_type == DT_LNK ? 100000 : 0;
		all[n++] = strdup(e->d_name);
	}
	qsort(all, (size_t)n, sizeof(*all), by_name);
	printf("entries: %d, first %s %s %s, last %s, types %d\n", n, all[0], all[1], all[2], all[n - 1], types);
	rewinddir(d);
	for (n = 0; readdir(d); n++)
		;
	printf("again: %d\n", n);
	closedir(d);
	fd = open("many", O_RDONLY | O_DIRECTORY);
	sub = openat(fd, "dir", O_RDONLY | O_DIRECTORY);
	say("create by descriptor", close(openat(sub, "below", O_CREAT | O_WRONLY, 0600)));
	tell_stat("stat by descriptors", fstatat(fd, "dir/below", &s, 0), &s);
	tell_stat("of the descriptor", fstatat(sub, "", &t, AT_EMPTY_PATH), &t);
	say("fstatat absent", fstatat(sub, "absent", &t, 0));
	say("with a closed one", fstatat(99, "x", &t, 0));
	say("relative to a file", openat(openat(sub, "below", O_RDONLY), "x", O_RDONLY));
	say("chdir", chdir("many/dir"));
	MUST(getcwd(here, sizeof(here)));
	last = strrchr(here, '/');
	*last = 0;
	printf("working directory: .../%s/%s\n", strrchr(here, '/') + 1, last + 1);
	tell_stat("relative", stat("below", &s), &s);
	tell_stat("above", stat("../file007", &s), &s);
	say("fchdir", fchdir(fd));
	tell_stat("relative to it", stat("file007", &s), &s);
	say("chdir to a file", chdir("file007"));
	say("back", chdir(".."));
	say("unlinkat", unlinkat(sub, "below", 0));
	say("remove directory", unlinkat(fd, "dir", AT_REMOVEDIR));
	say("create in a removed one", openat(sub, "x", O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "file%03d", i);
		MUST(!unlinkat(fd, name, 0));
	}
	say("link gone", unlinkat(fd, "link", 0));
	close(sub);
	close(fd);
	say("empty now", rmdir("many"));
}

static void others(void)
{
	struct statfs f;
	struct statx x;
	struct stat s;
	char buf[64];
	int fd;

	say("statfs", statfs(".", &f));
	printf("blocks %d, name length %ld\n", f.f_blocks > 0 && f.f_bsize > 0, f.f_namelen);
	say("statfs absent", statfs("absent", &f));
	put("x", "statx");
	say("statx", statx(AT_FDCWD, "x", 0, STATX_BASIC_STATS, &x));
	printf("mode %o, size %llu\n", x.stx_mode, x.stx_size);
	tell_stat("null device", stat("/dev/null", &s), &s);
	printf("its number: %u,%u\n", major(s.st_rdev), minor(s.st_rdev));
	fd = open("/dev/null", O_RDWR);
	tell("write to null", write(fd, "abc", 3));
	tell("read from null", read(fd, buf, 3));
	close(fd);
	fd = open("/dev/zero", O_RDONLY);
	memset(buf, 1, sizeof(buf));
	tell("read from zero", read(fd, buf, 64));
	printf("that is %d\n", buf[0] + buf[63]);
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0)
		close(fd);
	fd = open("x", O_PATH);
	say("read of a path only", read(fd, buf, 1));
	tell_stat("its stat", fstat(fd, &s), &s);
	close(fd);
	{
		int from = open("x", O_RDONLY), to = open("copy", O_CREAT | O_RDWR, 0600);
		long n = syscall(SYS_sendfile, to, from, NULL, 100);

		/* a program has to cope with systems that have it not */
		if (n < 0 && (errno == EINVAL || errno == ENOSYS)) {
			n = read(from, buf, sizeof(buf));
			MUST(n == write(to, buf, (size_t)n));
		}
		printf("copied: %ld\n", n);
		close(from);
		close(to);
	}
	tell_text("copy", "copy");
}

int main(void)
{
	char folder[] = "files-XXXXXX";
	static const char *const left[] = { "a", "o", "mode", "mode2", "s", "loop", "over", "second", "x", "copy" };

	umask(022);
	MUST(mkdtemp(folder) && !chdir(folder));
	reading_writing();
	opening();
	names();
	directories();
	others();
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		unlink(left[i]);
	MUST(!chdir(".."));
	say("nothing left", rmdir(folder));
	return 0;
}
