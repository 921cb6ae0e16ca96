/* openat2: openat, where nothing is asked of how the path is walked; what openat passes over is refused. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

static char name[64];

static long openat2(const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { flags, mode, resolve };

	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static void opens(void)
{
	struct stat st;
	char c = 0;
	int fd;

	umask(022);
	fd = (int)openat2(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666, 0);
	MUST(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY);
	CHECK(write(fd, "x", 1) == 1 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0644);
	close(fd);
	CHECK_ERR(openat2(name, O_CREAT | O_EXCL | O_WRONLY, 0666, 0), EEXIST);
	fd = (int)openat2(name, O_RDONLY, 0, 0);
	CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 'x');
	close(fd);
	CHECK_ERR(openat2("no/such/name", O_RDONLY, 0, 0), ENOENT);
	CHECK_ERR(openat2(name, O_RDONLY | O_DIRECTORY, 0, 0), ENOTDIR);
	puts("opens");
}

static void refuses(void)
{
	struct {
		struct open_how how;
		uint64_t more;
	} newer = { .how = { .flags = O_RDONLY } };
	int fd;

	CHECK_ERR(openat2(name, 1ull << 40, 0, 0), EINVAL);
	CHECK_ERR(openat2(name, O_RDONLY, 0600, 0), EINVAL);
	CHECK_ERR(openat2(name, O_RDWR | O_CREAT, 010000, 0), EINVAL);
	CHECK_ERR(openat2(name, O_PATH | O_RDWR, 0, 0), EINVAL);
	CHECK_ERR(openat2(name, O_RDONLY, 0, 1ull << 40), EINVAL);
	CHECK_ERR(openat2(name, O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, name, &newer, 8), EINVAL);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, name, NULL, sizeof(newer.how)), EFAULT);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, name, &newer, 2 * PAGE), E2BIG);
	fd = (int)syscall(SYS_openat2, AT_FDCWD, name, &newer, sizeof(newer));
	CHECK(fd >= 0);
	close(fd);
	newer.more = 1;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, name, &newer, sizeof(newer)), E2BIG);
	/* Served, or refused as by a kernel without it */
	fd = (int)openat2(name, O_RDONLY, 0, RESOLVE_BENEATH);
	CHECK(fd >= 0 || errno == ENOSYS);
	close(fd);
	puts("refuses");
}

int main(void)
{
	snprintf(name, sizeof(name), "openat2.%d", (int)getpid());
	opens();
	refuses();
	unlink(name);
	return abi_result();
}
