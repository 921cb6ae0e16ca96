/*
 * Processes of a program, for tests of the dispatcher's files: a process of the test stands for one of the program. It
 * closes the dispatcher's descriptors, opens a fabric of its own, and goes on.
 */
#ifndef ASHLAR_TESTS_FS_MEMBER_H
#define ASHLAR_TESTS_FS_MEMBER_H
#include <linux/close_range.h>
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

static inline struct fs_config config_of(uint32_t number)
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
static inline pid_t fork_one(void)
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

static inline void leave(void)
{
	_exit(failed);
}

static inline void join(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static inline long file_of(const char *name, const char *text, uint64_t flags)
{
	long fd = ours(open, S(name), O_RDWR | O_CREAT | O_TRUNC | flags, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ours(write, (uint64_t)fd, S(text), strlen(text)), strlen(text));
	assert_int_equal(ours(lseek, (uint64_t)fd, 0, SEEK_SET), 0);
	return fd;
}

/* The next n bytes are these. */
static inline bool reads(long fd, const char *text)
{
	char got[64] = { 0 };
	long n = ours(read, (uint64_t)fd, S(got), strlen(text));

	return n == (long)strlen(text) && !memcmp(got, text, (size_t)n);
}

static inline long lock_do(long fd, uint64_t cmd, short type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return ours(fcntl, (uint64_t)fd, cmd, S(&fl));
}

#endif
