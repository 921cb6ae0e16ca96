/* A process of root's becomes somebody else: from the call on files are touched in that name; what is open stays open. */
// also: ofi
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define USER 1234u
#define GROUP 1235u
#define MORE 1236u

static void make(const char *path, unsigned gid, mode_t mode)
{
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);

	MUST(fd >= 0 && write(fd, "text", 4) == 4 && fchown(fd, 0, gid) == 0 && fchmod(fd, mode) == 0);
	close(fd);
}

static int reads(const char *path)
{
	int fd = open(path, O_RDONLY), err = errno;

	if (fd >= 0)
		close(fd);
	errno = err;
	return fd >= 0 ? 0 : -1;
}

/* Whom a new file belongs to. */
static void owner(const char *what, const char *path)
{
	struct stat st = { 0 };
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0640);

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	printf("%s: %u:%u mode %o\n", what, st.st_uid, st.st_gid, st.st_mode & 0777);
	close(fd);
	CHECK(unlink(path) == 0);
}

static void in_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		fn();
		_exit(abi_result());
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void back_to_root(void)
{
	CHECK_ERR(reads("d/secret"), EACCES);
	CHECK(seteuid(0) == 0 && geteuid() == 0);
	CHECK(reads("d/secret") == 0);
}

static void for_a_while(void)
{
	struct stat st;

	CHECK(seteuid(USER) == 0);
	CHECK_ERR(reads("d/secret"), EACCES);
	CHECK_ERR(stat("d/closed/file", &st), EACCES);
	CHECK_ERR(unlink("kept"), EACCES);
	CHECK_ERR(mkdir("new", 0777), EACCES);
	CHECK_ERR(chmod("kept", 0777), EPERM);
	/* access asks for the real user */
	CHECK(access("d/secret", R_OK) == 0);
	CHECK_ERR(faccessat(AT_FDCWD, "d/secret", R_OK, AT_EACCESS), EACCES);
	owner("effective user", "d/new");
	in_child(back_to_root);
	CHECK(seteuid(0) == 0);
	CHECK(reads("d/secret") == 0);
}

static void groups(void)
{
	const gid_t list[] = { MORE };

	CHECK(setgroups(1, list) == 0 && setegid(GROUP) == 0 && seteuid(USER) == 0);
	CHECK(reads("d/of_more") == 0 && reads("d/of_group") == 0);
	CHECK_ERR(reads("d/of_other"), EACCES);
	owner("effective group", "d/new");
	CHECK(seteuid(0) == 0 && setgroups(0, NULL) == 0 && seteuid(USER) == 0);
	CHECK_ERR(reads("d/of_more"), EACCES);
	CHECK(reads("d/of_group") == 0);
	CHECK(seteuid(0) == 0 && setegid(0) == 0 && setgroups(1, list) == 0);
}

static void for_files(void)
{
	CHECK(setfsuid(USER) == 0 && setfsgid(GROUP) == 0);
	CHECK_ERR(reads("d/secret"), EACCES);
	owner("fs user", "d/new");
	CHECK(setfsuid(0) == (int)USER && setfsgid(0) == (int)GROUP);
	CHECK(reads("d/secret") == 0);
}

static void *in_thread(void *arg)
{
	(void)arg;
	CHECK_ERR(reads("d/secret"), EACCES);
	owner("a thread", "d/by_thread");
	return NULL;
}

static void dropped(void)
{
	CHECK_ERR(reads("d/secret"), EACCES);
	CHECK(reads("d/of_more") == 0);
	CHECK_ERR(setuid(0), EPERM);
	owner("the user", "d/new");
}

static void for_good(const char *self)
{
	int fd = open("d/secret", O_RDWR), dir = open("d/closed", O_RDONLY | O_DIRECTORY), status = -1;
	pthread_t thread;
	char text[8];
	pid_t pid;

	MUST(fd >= 0 && dir >= 0);
	MUST(setgid(GROUP) == 0 && setuid(USER) == 0);
	dropped();
	MUST(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	/* Open before */
	CHECK(pread(fd, text, sizeof(text), 0) == 4 && memcmp(text, "text", 4) == 0);
	CHECK(pwrite(fd, "more", 4, 2) == 4 && ftruncate(fd, 5) == 0);
	CHECK_ERR(fchmod(fd, 0666), EPERM);
	CHECK_ERR(openat(dir, "file", O_RDONLY), EACCES);
	in_child(dropped);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		execl(self, self, "again", NULL);
		_exit(99);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void clean(const char *base, const char *dir)
{
	static const char *const files[] = { "kept",	   "d/secret",	 "d/of_more",
					     "d/of_group", "d/of_other", "d/closed/file" };

	MUST(chdir(dir) == 0);
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		CHECK(unlink(files[i]) == 0);
	CHECK(rmdir("d/closed") == 0 && rmdir("d") == 0 && chdir(base) == 0 && rmdir(dir) == 0);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/ashlar-setuid-XXXXXX", self[4096] = "";
	int status = -1;
	pid_t pid;

	(void)argv;
	if (argc > 1) {
		dropped();
		return abi_result();
	}
	if (getuid())
		abi_skip("only root can become another user");
	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	umask(0);
	MUST(mkdtemp(dir) && chmod(dir, 0755) == 0 && chdir(dir) == 0);
	MUST(mkdir("d", 0777) == 0 && mkdir("d/closed", 0700) == 0);
	make("kept", 0, 0644);
	make("d/secret", 0, 0600);
	make("d/of_more", MORE, 0640);
	make("d/of_group", GROUP, 0640);
	make("d/of_other", MORE + 1, 0640);
	make("d/closed/file", 0, 0666);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		for_a_while();
		groups();
		for_files();
		for_good(self);
		_exit(abi_result());
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	owner("the parent", "d/new");
	clean("/", dir);
	return abi_result();
}
