/* Record locks of several processes, and what becomes of locks and offsets when the storage component comes back. */
#include <sys/file.h>
#include "fs_member.h"

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
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
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
		CHECK(write(ready[1], "r", 1) == 1);
		CHECK(lock_do(fd, F_SETLKW, F_WRLCK, 4, 1) == 0); /* when the parent gives it up */
		leave();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
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
	int p[2], ready[2];
	pid_t pid[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(ready), 0);
	assert_true(reads(fd, "01"));
	assert_int_equal(ours(flock, (uint64_t)fd, LOCK_EX), 0);
	assert_int_equal(lock_do(fd, F_SETLK, F_WRLCK, 0, 4), 0);
	for (i = 0; i < 2; i++) {
		pid[i] = fork_one();
		if (!pid[i]) { /* one has been there before, the other has not */
			before = i ? ours(lseek, (uint64_t)fd, 0, SEEK_END) : 10;
			CHECK(before == 10 && ours(lseek, (uint64_t)fd, 2, SEEK_SET) == 2);
			CHECK(write(ready[1], "r", 1) == 1);
			CHECK(read(p[0], &go, 1) == 1);
			CHECK(lock_do(fd, F_SETLK, F_WRLCK, 3, 1) == -EAGAIN);
			CHECK(ours(read, (uint64_t)fd, S(&go), 1) == 1 && (go == '2' || go == '3'));
			leave();
		}
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(read(ready[0], &go, 1), 1);
	close(ready[0]);
	close(ready[1]);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_restart),
	};

	fs_wait_s = 10;
	return cmocka_run_group_tests(tests, fs_start, fs_stop);
}
