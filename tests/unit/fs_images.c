/* Images: files as the loader and mmap read them. And what remains when the storage component is gone. */
#include "ashlar/proto/p2s.h"
#include "fs_rig.h"

static void test_open(void **state)
{
	char canonical[PATH_MAX], want[PATH_MAX], head[P2S_EXEC_HEAD];
	struct fs_image *image;
	struct wire_stat st;
	char text[16];
	uint32_t n;
	long fd;

	fd = ours(open, S("image"), O_RDWR | O_CREAT, 0755);
	assert_int_equal(ours(write, (uint64_t)fd, S("0123456789"), 10), 10);
	assert_int_equal(ours(symlink, S("image"), S("link")), 0);
	snprintf(want, sizeof(want), "%s/image", fs_path("ours"));
	assert_int_equal(fs_image_exec("link", &image, &st, canonical, head, &n), -ETXTBSY);
	ours(close, (uint64_t)fd);
	assert_int_equal(fs_image_exec("link", &image, &st, canonical, head, &n), 0);
	assert_string_equal(canonical, want);
	assert_int_equal(n, 10);
	assert_memory_equal(head, "0123456789", 10);
	assert_int_equal(st.size, 10);
	assert_int_equal(fs_image_pread(image, text, 4, 3), 4);
	assert_memory_equal(text, "3456", 4);
	assert_int_equal(fs_image_pread(image, text, 16, 3), 7);
	assert_int_equal(fs_image_pread(image, text, 16, 100), 0);
	assert_int_equal(fs_image_pread(image, text, 0, 0), 0);
	fs_image_close(image);
	assert_int_equal(fs_image_exec("none", &image, &st, canonical, head, &n), -ENOENT);
	assert_int_equal(fs_image_exec("", &image, &st, canonical, head, &n), -ENOENT);
	assert_int_equal(fs_image_exec("/dev/null", &image, &st, canonical, head, &n), -EACCES);
	assert_int_equal(ours(symlink, S("/dev/null"), S("null")), 0);
	assert_int_equal(fs_image_exec("null", &image, &st, canonical, head, &n), -EACCES);
	fs_proc_self(want, NULL, NULL);
	assert_int_equal(fs_image_exec("/proc/self/exe", &image, &st, canonical, head, &n), 0);
	assert_string_equal(canonical, want);
	fs_image_close(image);
}

/* A mapping outlives its descriptor. */
static void test_from_fd(void **state)
{
	long fd = ours(open, S("image"), O_RDONLY), path = ours(open, S("image"), O_PATH);
	long out = ours(open, S("image"), O_WRONLY), null = ours(open, S("/dev/null"), O_RDWR);
	struct fs_image *image;
	struct fs_version which;
	char text[16];

	assert_int_equal(fs_image_from_fd((int)fd, &image, &which, NULL, 0), 0);
	assert_int_equal(which.bytes, 10);
	assert_true(which.ino && S_ISREG(which.mode));
	assert_memory_equal(fs_image_version(image), &which, sizeof(which));
	assert_int_equal(ours(close, (uint64_t)fd), 0);
	assert_int_equal(fs_image_pread(image, text, 16, 0), 10);
	fs_image_close(image);
	assert_int_equal(fs_image_from_fd((int)fd, &image, &which, NULL, 0), -EBADF);
	assert_int_equal(fs_image_from_fd((int)path, &image, &which, NULL, 0), -EBADF);
	assert_int_equal(fs_image_from_fd((int)out, &image, &which, NULL, 0), -EACCES);
	assert_int_equal(fs_image_from_fd((int)null, &image, &which, NULL, 0), -ENODEV);
	assert_int_equal(fs_image_from_fd(-1, &image, &which, NULL, 0), -EBADF);
	assert_int_equal(fs_image_from_fd(FD_FLOOR + 1, &image, &which, NULL, 0), -EBADF);
	ours(close, (uint64_t)path);
	ours(close, (uint64_t)out);
	ours(close, (uint64_t)null);
}

static void test_large(void **state)
{
	uint32_t n = 3 * IO_SLOT_BYTES + 1000, i, *a = malloc(n), *b = malloc(n);
	long fd = ours(open, S("large"), O_RDWR | O_CREAT, 0644);
	struct fs_image *image;

	for (i = 0; i < n / 4; i++)
		a[i] = i * 2654435761u;
	assert_int_equal(ours(write, (uint64_t)fd, S(a), n), n);
	assert_int_equal(fs_image_from_fd((int)fd, &image, NULL, NULL, 0), 0);
	assert_int_equal(fs_image_pread(image, b, n + 4096, 0), n);
	assert_memory_equal(a, b, n);
	fs_image_close(image);
	ours(close, (uint64_t)fd);
	free(a);
	free(b);
}

/* Open to execute: 0 or -errno. */
static int exec_open(const char *path)
{
	char canonical[PATH_MAX], head[P2S_EXEC_HEAD];
	struct fs_image *image;
	struct wire_stat st;
	uint32_t n;
	int err = fs_image_exec(path, &image, &st, canonical, head, &n);

	if (!err) {
		assert_true(n <= sizeof(head));
		fs_image_close(image);
	}
	return err;
}

static void test_access(void **state)
{
	char canonical[PATH_MAX], head[P2S_EXEC_HEAD];
	struct fs_image *image;
	struct wire_stat st;
	uint32_t n, i, word;

	assert_int_equal(exec_open("image"), 0);
	assert_int_equal(exec_open("large"), -EACCES);
	assert_int_equal(exec_open("."), -EACCES);
	assert_int_equal(exec_open("none"), -ENOENT);
	assert_int_equal(exec_open("image/x"), -ENOTDIR);
	assert_int_equal(exec_open("/proc/self/maps"), -EACCES);
	/* Of a large one the head is full, and what it says. */
	assert_int_equal(ours(chmod, S("large"), 0755), 0);
	assert_int_equal(fs_image_exec("large", &image, &st, canonical, head, &n), 0);
	assert_int_equal(n, P2S_EXEC_HEAD);
	for (i = 0; i < n; i += sizeof(word)) {
		memcpy(&word, head + i, sizeof(word));
		assert_int_equal(word, i / 4 * 2654435761u);
	}
	fs_image_close(image);
}

/* Remote files give EIO, after one line for the user; host objects go on. The last test: nothing comes back. */
static void test_gone(void **state)
{
	long fd = ours(open, S("image"), O_RDWR), null = ours(open, S("/dev/null"), O_RDWR);
	struct fs_image *image;
	unsigned said = fs_said;
	struct stat st;
	char text[16];
	int status;

	assert_int_equal(fs_image_from_fd((int)fd, &image, NULL, NULL, 0), 0);
	kill(sto_process, SIGKILL);
	assert_int_equal(waitpid(sto_process, &status, 0), sto_process);
	assert_int_equal(ours(read, (uint64_t)fd, S(text), 5), -EIO);
	assert_int_equal(ours(write, (uint64_t)fd, S(text), 5), -EIO);
	assert_int_equal(ours(stat, S("image"), S(&st)), -EIO);
	assert_int_equal(ours(open, S("image"), O_RDONLY), -EIO);
	assert_int_equal(ours(fsync, (uint64_t)fd), -EIO);
	assert_int_equal(fs_image_pread(image, text, 16, 0), -EIO);
	assert_int_equal(fs_said, said + 1);
	assert_int_equal(ours(write, (uint64_t)null, S(text), 5), 5);
	assert_int_equal(ours(stat, S("/dev/null"), S(&st)), 0);
	fs_image_close(image);
	assert_int_equal(ours(close, (uint64_t)fd), 0);
	assert_int_equal(ours(close, (uint64_t)null), 0);
}

static int images_stop(void **state)
{
	close(sto_life);
	nftw(fs_top, fs_remove, 16, FTW_DEPTH | FTW_PHYS);
	return chdir("/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),   cmocka_unit_test(test_from_fd), cmocka_unit_test(test_large),
		cmocka_unit_test(test_access), cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, fs_start, images_stop);
}
