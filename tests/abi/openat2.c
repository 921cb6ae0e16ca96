// also: 6.1
/* openat2: what its struct may hold, and the rules of resolution, on files and on /proc and /dev. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

static struct open_how *how; /* not resident when it matters */
static int dir, calls;

static int open_by(int at, const char *path, uint64_t flags, uint64_t mode, uint64_t rules)
{
	int fd;

	*how = (struct open_how){ flags, mode, rules };
	if (calls++ < 10)
		abi_press();
	fd = (int)syscall(SYS_openat2, at, path, how, sizeof(*how));
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

/* What it takes, and how it ends. */
static void said(const char *name, int at, const char *path, uint64_t rules)
{
	int ret = (errno = 0, open_by(at, path, O_RDONLY, 0, rules));

	printf("%-8s %-18s rules %#4x: %s\n", name, path, (unsigned)rules, ret ? strerror(errno) : "opens");
}

static void the_struct(void)
{
	char *longer = (char *)how;

	CHECK(open_by(dir, "made", O_CREAT | O_WRONLY, 0640, 0) == 0);
	CHECK_ERR(open_by(dir, "a", O_RDONLY, 0640, 0), EINVAL);
	CHECK_ERR(open_by(dir, "new", O_CREAT | O_WRONLY, 010000, 0), EINVAL);
	CHECK_ERR(open_by(dir, "a", 1ULL << 40, 0, 0), EINVAL);
	CHECK_ERR(open_by(dir, "a", O_PATH | O_WRONLY, 0, 0), EINVAL);
	CHECK_ERR(open_by(dir, "a", O_RDONLY, 0, 1 << 20), EINVAL);
	CHECK_ERR(open_by(dir, "a", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
	CHECK_ERR(open_by(dir, "", O_RDONLY, 0, RESOLVE_BENEATH), ENOENT);
	CHECK_ERR(open_by(0x7ffff, "a", O_RDONLY, 0, RESOLVE_BENEATH), EBADF);
	CHECK_ERR(open_by(0x7ffff, "a", O_RDONLY, 0, 0), EBADF);
	memset(longer, 0, 64);
	CHECK(close((int)syscall(SYS_openat2, dir, "made", how, 64)) == 0);
	longer[63] = 1;
	CHECK_ERR(syscall(SYS_openat2, dir, "made", how, 64), E2BIG);
	CHECK_ERR(syscall(SYS_openat2, dir, "made", how, 23), EINVAL);
	CHECK_ERR(syscall(SYS_openat2, dir, "made", how, 8192), E2BIG);
	CHECK_ERR(syscall(SYS_openat2, dir, "made", 8, sizeof(*how)), EFAULT);
	CHECK_ERR(syscall(SYS_openat2, dir, 8, (longer[63] = 0, how), sizeof(*how)), EFAULT);
}

static void rules(void)
{
	static const uint64_t all[] = { 0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS,
					RESOLVE_NO_MAGICLINKS };
	static const char *const paths[] = { "in/file",
					     "in/../in/file",
					     "../d/in/file",
					     "/in/file",
					     "inner",
					     "outer",
					     "absolute",
					     "up",
					     "in/none",
					     "device",
					     "device/null",
					     "/proc/self/fd/0",
					     "../../../../../dev/null" };
	int root = open("/", O_PATH | O_DIRECTORY), dev = open("/dev", O_RDONLY | O_DIRECTORY);

	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (unsigned j = 0; j < sizeof(all) / sizeof(all[0]); j++)
			said("dir", dir, paths[i], all[j]);
	for (unsigned j = 0; j < sizeof(all) / sizeof(all[0]); j++) {
		said("root", root, "dev/null", all[j]);
		said("root", root, "/dev/null", all[j]);
		said("root", root, "../dev/null", all[j]);
		said("root", root, "etc/../etc", all[j]);
		said("dev", dev, "null", all[j]);
		said("dev", dev, "../dev/null", all[j]);
		said("dev", dev, "./shm/../null", all[j]);
	}
	said("dir", dir, "in/file", RESOLVE_NO_XDEV);
	said("root", root, "dev/null", RESOLVE_NO_XDEV);
	CHECK_ERR(open_by(dir, "outer", O_CREAT | O_WRONLY, 0600, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(open_by(dir, "in/file", O_CREAT | O_EXCL | O_WRONLY, 0600, RESOLVE_BENEATH), EEXIST);
	CHECK(open_by(dir, "in/new", O_CREAT | O_EXCL | O_WRONLY, 0600, RESOLVE_IN_ROOT) == 0);
	CHECK(open_by(dir, "inner", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS) == 0);
	CHECK(open_by(dir, "in", O_TMPFILE | O_WRONLY, 0600, RESOLVE_BENEATH) == 0);
	close(root);
	close(dev);
}

int main(void)
{
	char base[] = "/tmp/ashlar-abi-XXXXXX", command[64];

	how = (struct open_how *)abi_map(PAGE);
	MUST(mkdtemp(base) && chdir(base) == 0);
	MUST(mkdir("d", 0700) == 0 && mkdir("d/in", 0700) == 0);
	dir = open("d", O_RDONLY | O_DIRECTORY);
	close(openat(dir, "in/file", O_CREAT | O_WRONLY, 0600));
	close(open("outside", O_CREAT | O_WRONLY, 0600));
	MUST(symlinkat("in/file", dir, "inner") == 0 && symlinkat("../outside", dir, "outer") == 0);
	MUST(symlinkat("/in/file", dir, "absolute") == 0 && symlinkat("..", dir, "up") == 0);
	MUST(symlinkat("/dev", dir, "device") == 0);
	the_struct();
	rules();
	snprintf(command, sizeof(command), "rm -r %s", base);
	CHECK(system(command) == 0);
	puts("openat2");
	return abi_result();
}
