/* Files' data through the dispatcher's calls, against the same calls natively: read, write, offsets, sizes. */
#include "fs_same.h"

static void test_read_write(void **state)
{
	put(0, "0123456789abcdef", 16);
	opens(0, open, S("f"), O_RDWR | O_CREAT | O_EXCL, 0644);
	same_is(16, write, F(0), B(0), 16);
	same_is(0, read, F(0), B(1), 100);
	same_is(4, lseek, F(0), 4, SEEK_SET);
	same_is(5, read, F(0), B(1), 5);
	same_is(9, lseek, F(0), 0, SEEK_CUR);
	same_is(7, read, F(0), B(1), 100);
	same_is(6, pread64, F(0), B(1), 6, 10);
	same_is(16, lseek, F(0), 0, SEEK_CUR);
	same_is(3, pwrite64, F(0), B(0), 3, 14);
	same_is(17, lseek, F(0), 0, SEEK_END);
	same_is(14, lseek, F(0), -3, SEEK_END);
	same_is(-EINVAL, lseek, F(0), -18, SEEK_END);
	same_is(-EINVAL, lseek, F(0), -1, SEEK_SET);
	same_is(-EINVAL, lseek, F(0), 0, 17);
	same_is(14, lseek, F(0), 0, SEEK_CUR);
	same_is(100000, lseek, F(0), 100000, SEEK_SET);
	same_is(0, read, F(0), B(1), 10);
	same_is(1, write, F(0), B(0), 1); /* a hole before it */
	same_is(17, lseek, F(0), 17, SEEK_SET);
	same_is(99984, read, F(0), B(1), BUFFER_BYTES);
	same_is(0, read, F(0), B(1), 0);
	same_is(0, write, F(0), B(1), 0);
	same_is(-EINVAL, pread64, F(0), B(1), 1, (uint64_t)-1);
	same_is(-EINVAL, pwrite64, F(0), B(1), 1, (uint64_t)-5);
	same(lseek, F(0), 0, SEEK_DATA);
	same(lseek, F(0), 200000, SEEK_DATA);
	same(lseek, F(0), 0, SEEK_HOLE);
	closes(0);
	same_is(-EBADF, read, F(0), B(1), 1);
	same_is(-EBADF, lseek, F(0), 0, SEEK_SET);
}

static void test_modes(void **state)
{
	opens(0, open, S("modes"), O_WRONLY | O_CREAT, 0644);
	opens(1, open, S("modes"), O_RDONLY);
	opens(2, open, S("modes"), O_PATH);
	opens(3, open, S("."), O_RDONLY);
	same_is(-EBADF, read, F(0), B(1), 1);
	same_is(-EBADF, write, F(1), B(1), 1);
	same_is(-EBADF, read, F(2), B(1), 1);
	same_is(-EBADF, write, F(2), B(1), 1);
	same_is(-EBADF, lseek, F(2), 0, SEEK_SET);
	same_is(-EISDIR, read, F(3), B(1), 1);
	same_is(-EISDIR, read, F(3), B(1), 0);
	same_is(-EBADF, write, F(3), B(1), 1);
	same_is(-EBADF, fsync, F(2));
	same_is(0, fsync, F(0));
	same_is(0, fdatasync, F(1));
	same_is(0, fsync, F(3));
	same_is(0, syncfs, F(0));
	same(ftruncate, F(1), 5);
	same(ftruncate, F(3), 5);
	same(ftruncate, F(2), 5);
	for (int i = 0; i < 4; i++)
		closes(i);
}

static void test_vectors(void **state)
{
	struct iovec v[2][4], bad[4];
	int side, i;

	put(0, "0123456789abcdefghij", 20);
	opens(0, open, S("vec"), O_RDWR | O_CREAT, 0644);
	same_is(20, write, F(0), B(0), 20);
	for (side = 0; side < 2; side++) { /* each side's vector names its own buffers */
		v[side][0] = (struct iovec){ buffers[side][1], 3 };
		v[side][1] = (struct iovec){ NULL, 0 };
		v[side][2] = (struct iovec){ buffers[side][1] + 100, 10 };
		v[side][3] = (struct iovec){ buffers[side][1] + 200, 50 };
	}
	same_is(2, lseek, F(0), 2, SEEK_SET);
	assert_int_equal(readv(fds[0][0], v[0], 4), 18);
	assert_int_equal(ours(readv, (uint64_t)fds[1][0], S(v[1]), 4), 18);
	assert_memory_equal(buffers[0][1], buffers[1][1], 1000);
	assert_int_equal(preadv(fds[0][0], v[0], 4, 7), 13);
	assert_int_equal(ours(preadv, (uint64_t)fds[1][0], S(v[1]), 4, 7, 0), 13);
	assert_memory_equal(buffers[0][1], buffers[1][1], 1000);
	assert_int_equal(writev(fds[0][0], v[0], 4), 63);
	assert_int_equal(ours(writev, (uint64_t)fds[1][0], S(v[1]), 4), 63);
	assert_int_equal(pwritev(fds[0][0], v[0], 4, 40), 63);
	assert_int_equal(ours(pwritev, (uint64_t)fds[1][0], S(v[1]), 4, 40), 63);
	same_is(83, lseek, F(0), 0, SEEK_CUR);
	same_is(103, pread64, F(0), B(0), 1000, 0);
	for (i = 0; i < 4; i++)
		bad[i] = (struct iovec){ (void *)1, i == 2 ? (size_t)-1 : 1 };
	same_is(-EINVAL, readv, F(0), S(bad), 4);
	same_is(-EINVAL, readv, F(0), S(bad), 1025);
	same_is(-EFAULT, readv, F(0), 8, 2);
	same_is(-EBADF, readv, 850, 8, 2);
	same_is(0, readv, F(0), S(bad), 0);
	closes(0);
}

/* preadv2 and its flags. */
static void test_vector_flags(void **state)
{
	struct iovec v = { (void *)(uintptr_t) "0123456789", 10 };

	opens(0, open, S("vec2"), O_RDWR | O_CREAT, 0644);
	same_is(10, pwritev2, F(0), S(&v), 1, (uint64_t)-1, 0, 0);
	same_is(10, pwritev2, F(0), S(&v), 1, 0, 0, RWF_APPEND);
	same_is(10, lseek, F(0), 0, SEEK_CUR);
	same_is(10, pwritev2, F(0), S(&v), 1, (uint64_t)-1, 0, RWF_SYNC);
	same_is(20, lseek, F(0), 0, SEEK_CUR);
	same_is(10, pwritev2, F(0), S(&v), 1, (uint64_t)-1, 0, RWF_DSYNC | RWF_APPEND);
	same_is(30, lseek, F(0), 0, SEEK_CUR);
	same_is(-EOPNOTSUPP, pwritev2, F(0), S(&v), 1, 0, 0, 0x40000000);
	same_is(-EINVAL, pwritev2, F(0), S(&v), 1, (uint64_t)-2, 0, 0);
	same_is(30, pread64, F(0), B(1), 100, 0);
	closes(0);
}

static void test_append(void **state)
{
	put(0, "0123456789", 10);
	opens(0, open, S("app"), O_RDWR | O_CREAT | O_APPEND, 0644);
	opens(1, open, S("app"), O_RDWR);
	same_is(10, write, F(0), B(0), 10);
	same_is(0, lseek, F(0), 0, SEEK_SET);
	same_is(3, read, F(0), B(1), 3);
	same_is(2, write, F(0), B(0), 2);
	same_is(12, lseek, F(0), 0, SEEK_CUR);
	same_is(12, pread64, F(1), B(1), 100, 0);
	same_is(O_RDWR | O_APPEND | 0100000, fcntl, F(0), F_GETFL);
	same_is(0, fcntl, F(0), F_SETFL, O_NONBLOCK);
	same_is(O_RDWR | O_NONBLOCK | 0100000, fcntl, F(0), F_GETFL);
	same_is(1, pwrite64, F(0), B(0), 1, 5);
	same_is(12, pread64, F(1), B(1), 100, 0);
	same_is(0, fcntl, F(1), F_SETFL, O_APPEND | O_CREAT | O_WRONLY);
	same_is(O_RDWR | O_APPEND | 0100000, fcntl, F(1), F_GETFL);
	same_is(4, pwrite64, F(1), B(0), 4, 0); /* Linux appends all the same */
	same_is(16, pread64, F(0), B(1), 100, 0);
	closes(0);
	closes(1);
}

/* One offset for all descriptors of one open file. */
static void test_dup(void **state)
{
	put(0, "0123456789", 10);
	opens(0, open, S("dup"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	opens(1, dup, F(0));
	opens(2, fcntl, F(0), F_DUPFD, 50);
	assert_int_equal(fds[0][2] >= 50, fds[1][2] >= 50);
	opens(3, open, S("dup"), O_RDONLY); /* an offset of its own */
	same_is(10, write, F(0), B(0), 10);
	same_is(10, lseek, F(1), 0, SEEK_CUR);
	same_is(2, lseek, F(2), 2, SEEK_SET);
	same_is(3, read, F(1), B(1), 3);
	same_is(5, lseek, F(0), 0, SEEK_CUR);
	same_is(0, lseek, F(3), 0, SEEK_CUR);
	same_is(FD_CLOEXEC, fcntl, F(0), F_GETFD);
	same_is(0, fcntl, F(1), F_GETFD);
	same_is(0, fcntl, F(1), F_SETFD, FD_CLOEXEC);
	same_is(FD_CLOEXEC, fcntl, F(1), F_GETFD);
	same_is(0, fcntl, F(2), F_SETFL, O_APPEND); /* shared as well */
	same_is(O_RDWR | O_APPEND | 0100000, fcntl, F(0), F_GETFL);
	closes(0);
	same_is(5, lseek, F(1), 0, SEEK_CUR);
	opens(0, dup3, F(3), F(1), O_CLOEXEC);
	same_is(0, lseek, F(1), 0, SEEK_CUR);
	same_is(-EBADF, write, F(1), B(0), 1);
	same_is(5, lseek, F(2), 0, SEEK_CUR);
	same_is(-EINVAL, dup3, F(3), F(3), 0);
	same_is(-EINVAL, dup3, F(3), F(2), O_APPEND);
	same_is(-EBADF, dup2, 850, F(2));
	same_is(-EBADF, dup, 850);
	same_is(-EBADF, fcntl, 850, F_DUPFD, 0);
	same_is(-EINVAL, fcntl, F(2), F_DUPFD, (uint64_t)-1);
	closes(1);
	closes(2);
	closes(3);
}

/* Transfers of many slots, at odd places. */
static void test_large(void **state)
{
	uint32_t *w = malloc(BUFFER_BYTES), i;

	for (i = 0; i < BUFFER_BYTES / 4; i++)
		w[i] = i * 2654435761u;
	put(0, w, BUFFER_BYTES);
	free(w);
	opens(0, open, S("large"), O_RDWR | O_CREAT, 0644);
	same_is(BUFFER_BYTES, write, F(0), B(0), BUFFER_BYTES);
	same_is(BUFFER_BYTES - 1, write, F(0), B(0), BUFFER_BYTES - 1);
	same_is(77, lseek, F(0), 77, SEEK_SET);
	same_is(BUFFER_BYTES, read, F(0), B(1), BUFFER_BYTES);
	same_is(BUFFER_BYTES - 78, read, F(0), B(2), BUFFER_BYTES);
	same_is(0, read, F(0), B(2), BUFFER_BYTES);
	same_is(500001, pread64, F(0), B(3), 500001, 500003);
	same_is(0, ftruncate, F(0), 300000);
	same_is(300000, pread64, F(0), B(3), BUFFER_BYTES, 0);
	same_is(0, ftruncate, F(0), 700000);
	same_is(700000, pread64, F(0), B(3), BUFFER_BYTES, 0);
	same_is(-EINVAL, ftruncate, F(0), (uint64_t)-1);
	same_stat(fstat, F(0), B(0));
	closes(0);
}

/* Bad addresses: EFAULT, what was moved before counts, and the offset stands behind that. */
static void test_faults(void **state)
{
	uint64_t edge = BUFFER_BYTES - 5000;

	put(0, "0123456789", 10);
	opens(0, open, S("fault"), O_RDWR | O_CREAT, 0644);
	same_is(0, ftruncate, F(0), 100000);
	same_is(-EFAULT, read, F(0), 8, 100);
	same_is(-EFAULT, write, F(0), 8, 100);
	same_is(-EFAULT, pread64, F(0), 8, 100, 0);
	same_is(-EFAULT, read, F(0), B(1), (uint64_t)-1);
	same_is(-EBADF, read, 850, B(1), (uint64_t)-1);
	same_is(0, lseek, F(0), 0, SEEK_CUR);
	/* the buffer ends before the count does */
	fds[0][1] = fds[0][0];
	assert_int_equal(read(fds[0][0], buffers[0][1] + edge, 20000), 5000);
	assert_int_equal(ours(read, (uint64_t)fds[1][0], S(buffers[1][1] + edge), 20000), 5000);
	same_is(5000, lseek, F(0), 0, SEEK_CUR);
	assert_int_equal(write(fds[0][0], buffers[0][0] + edge, 20000), 5000);
	assert_int_equal(ours(write, (uint64_t)fds[1][0], S(buffers[1][0] + edge), 20000), 5000);
	same_is(10000, lseek, F(0), 0, SEEK_CUR);
	same_is(100000, pread64, F(0), B(1), 200000, 0);
	same_is(-EFAULT, fstat, F(0), 8);
	same_is(-EFAULT, stat, S("fault"), 8);
	same_is(-EFAULT, stat, 8, B(0));
	same_is(-EFAULT, open, 8, O_RDONLY);
	same_is(-EFAULT, rename, S("fault"), 8);
	same_is(-EFAULT, getcwd, 8, 1000);
	same_is(-EFAULT, readlink, 8, B(0), 10);
	same_is(-EFAULT, statfs, S("fault"), 8);
	closes(0);
}

static void test_space(void **state)
{
	opens(0, open, S("space"), O_RDWR | O_CREAT, 0644);
	same_is(0, fallocate, F(0), 0, 1000, 9000);
	same_stat(fstat, F(0), B(0));
	same_is(-EINVAL, fallocate, F(0), 0, (uint64_t)-1, 9000);
	same_is(-EINVAL, fallocate, F(0), 0, 0, 0);
	same(fallocate, F(0), FALLOC_FL_KEEP_SIZE, 0, 100000);
	same(fallocate, F(0), FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096);
	same_is(0, truncate, S("space"), 33);
	same_is(-ENOENT, truncate, S("nospace"), 33);
	same_is(-EISDIR, truncate, S("."), 33);
	same_is(-EINVAL, truncate, S("space"), (uint64_t)-1);
	same_is(0, fadvise64, F(0), 0, 0, POSIX_FADV_RANDOM);
	same_is(-EINVAL, fadvise64, F(0), 0, 0, 99);
	same_is(0, readahead, F(0), 0, 100);
	same_is(0, sync_file_range, F(0), 0, 0, SYNC_FILE_RANGE_WRITE);
	same_is(-EINVAL, sync_file_range, F(0), 0, 0, 0xff);
	same_stat(fstat, F(0), B(0));
	closes(0);
}

/* Copies without the program's memory. */
static void test_copies(void **state)
{
	int64_t off = 5;

	put(0, "0123456789abcdefghij", 20);
	put(3, &off, sizeof(off));
	opens(0, open, S("from"), O_RDWR | O_CREAT, 0644);
	opens(1, open, S("to"), O_RDWR | O_CREAT, 0644);
	same_is(20, write, F(0), B(0), 20);
	same_is(0, ftruncate, F(0), 600000);
	same_is(2, lseek, F(0), 2, SEEK_SET);
	same_is(10, copy_file_range, F(0), 0, F(1), 0, 10, 0);
	same_is(12, lseek, F(0), 0, SEEK_CUR);
	same_is(10, lseek, F(1), 0, SEEK_CUR);
	same_is(7, copy_file_range, F(0), B(3), F(1), 0, 7, 0);
	same_is(-EINVAL, copy_file_range, F(0), 0, F(1), 0, 7, 1);
	same_is(-EINVAL, copy_file_range, F(0), 0, F(0), 0, 7, 0);
	same_is(599988, copy_file_range, F(0), 0, F(1), 0, 1 << 30, 0);
	same_is(0, copy_file_range, F(0), 0, F(1), 0, 1 << 30, 0);
	closes(0);
	closes(1);
}

static void test_sendfile(void **state)
{
	int64_t off = 5;
	int p[2];

	put(0, "0123456789abcdefghij", 20);
	put(3, &off, sizeof(off));
	opens(0, open, S("from"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	opens(1, open, S("to"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	same_is(20, write, F(0), B(0), 20);
	same_is(7, sendfile, F(1), F(0), B(3), 7);
	same_is(8, sendfile, F(1), F(0), B(3), 100);
	same_is(20, lseek, F(0), 0, SEEK_CUR);
	same_is(0, lseek, F(0), 0, SEEK_SET);
	same_is(20, sendfile, F(1), F(0), 0, 100);
	same_is(35, pread64, F(1), B(1), 100, 0);
	/* to a pipe, which one side empties before the other fills it */
	assert_int_equal(pipe(p), 0);
	fds[0][2] = fds[1][2] = p[1];
	fds[0][3] = fds[1][3] = p[0];
	same_is(3, lseek, F(0), 3, SEEK_SET);
	same_is(9, sendfile, F(2), F(0), 0, 9);
	same_is(12, lseek, F(0), 0, SEEK_CUR);
	same_is(9, read, F(3), B(1), 9);
	same_is(-EINVAL, sendfile, F(1), F(3), 0, 9);
	same_is(-EBADF, sendfile, 850, F(0), 0, 9);
	same_is(-EBADF, sendfile, F(1), 850, 0, 9);
	closes(0);
	closes(1);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_write),   cmocka_unit_test(test_modes),    cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_vector_flags), cmocka_unit_test(test_append),   cmocka_unit_test(test_dup),
		cmocka_unit_test(test_large),	     cmocka_unit_test(test_faults),   cmocka_unit_test(test_space),
		cmocka_unit_test(test_copies),	     cmocka_unit_test(test_sendfile),
	};

	return cmocka_run_group_tests(tests, fs_start, fs_stop);
}
