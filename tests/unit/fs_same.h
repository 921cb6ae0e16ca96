/*
 * For tests of the dispatcher's files: each call is made twice, natively in one directory and by way of fs/ in another one
 * like it; results and what was written are compared. Descriptors are named F(0), F(1)... and buffers B(0)... on either side.
 */
#ifndef ASHLAR_TESTS_FS_SAME_H
#define ASHLAR_TESTS_FS_SAME_H
#include "fs_rig.h"

/* Arguments that differ between the two sides: descriptors F(i) and buffers B(i) (which are compared afterwards). */
#define TAG_F 0x7f00f00000000000ULL
#define TAG_B 0x7f00b00000000000ULL
#define F(i) (TAG_F | (uint64_t)(i))
#define B(i) (TAG_B | (uint64_t)(i))

#define BUFFERS 4
#define BUFFER_BYTES (1u << 20)

static int fds[2][64]; /* by i of F(i): native, ours */
static char *buffers[2][BUFFERS];

static inline uint64_t side_arg(int side, uint64_t v)
{
	if ((v & ~63ULL) == TAG_F)
		return (uint64_t)(int64_t)fds[side][v & 63];
	if ((v & ~3ULL) == TAG_B)
		return (uint64_t)(uintptr_t)buffers[side][v & 3];
	return v;
}

static inline void buffers_fill(void)
{
	int side, i;

	for (side = 0; side < 2; side++)
		for (i = 0; i < BUFFERS; i++) {
			if (!buffers[side][i])
				buffers[side][i] = mmap(NULL, BUFFER_BYTES + 4096, PROT_READ | PROT_WRITE,
							MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			/* behind each buffer lies a page that nobody may touch */
			mprotect(buffers[side][i] + BUFFER_BYTES, 4096, PROT_NONE);
			memset(buffers[side][i], 0x55, 8192);
		}
}

static long both[2]; /* results of the last pair of calls */

static inline void call_both(long nr, const uint64_t a[6])
{
	uint64_t n[6], o[6];
	int i;

	if (!buffers[0][0])
		buffers_fill();
	for (i = 0; i < 6; i++) {
		n[i] = side_arg(0, a[i]);
		o[i] = side_arg(1, a[i]);
	}
	both[0] = syscall(nr, n[0], n[1], n[2], n[3], n[4], n[5]);
	if (both[0] < 0)
		both[0] = -errno;
	both[1] = fs_call(handler(nr), nr, o);
}

static inline void same_at(const char *file, int line, const char *what, long nr, const uint64_t a[6])
{
	int i;

	call_both(nr, a);
	if (both[0] != both[1])
		print_error("%s:%d: %s: native %ld (%s), ours %ld (%s)\n", file, line, what, both[0],
			    both[0] < 0 ? strerror((int)-both[0]) : "", both[1],
			    both[1] < 0 ? strerror((int)-both[1]) : "");
	_assert_int_equal((uint64_t)both[1], (uint64_t)both[0], file, line);
	for (i = 0; i < BUFFERS; i++)
		_assert_memory_equal(buffers[1][i], buffers[0][i], BUFFER_BYTES, file, line);
}
/* Same result, same contents of all buffers. */
#define same(name, ...) same_at(__FILE__, __LINE__, #name "(" #__VA_ARGS__ ")", SYS_##name, ARGS(__VA_ARGS__))
/* And that result is what the test expects. */
#define same_is(want, name, ...)                       \
	do {                                           \
		same(name, __VA_ARGS__);               \
		assert_int_equal(both[0], (long)want); \
	} while (0)

static inline void opens_at(const char *file, int line, const char *what, int i, long nr, const uint64_t a[6])
{
	call_both(nr, a);
	if ((both[0] < 0 || both[1] < 0) && both[0] != both[1])
		print_error("%s:%d: %s: native %ld, ours %ld\n", file, line, what, both[0], both[1]);
	if (both[0] < 0)
		_assert_int_equal((uint64_t)both[1], (uint64_t)both[0], file, line);
	_assert_true(both[1] >= 0 || both[0] < 0, what, file, line);
	fds[0][i] = (int)both[0];
	fds[1][i] = (int)both[1];
}
/* A call that gives a descriptor on success: kept as F(i). */
#define opens(i, name, ...) opens_at(__FILE__, __LINE__, #name "(" #__VA_ARGS__ ")", i, SYS_##name, ARGS(__VA_ARGS__))

static inline void closes(int i)
{
	same_is(0, close, F(i));
}

/* Put text into buffer i of both sides. */
static inline void put(int i, const void *text, size_t n)
{
	if (!buffers[0][0])
		buffers_fill();
	memcpy(buffers[0][i], text, n);
	memcpy(buffers[1][i], text, n);
}

/* What struct stat must agree on: all but identity and times. */
static inline void stat_normal(struct stat *st)
{
	st->st_ino = 0;
	st->st_nlink = S_ISDIR(st->st_mode) ? 0 : st->st_nlink;
	if (S_ISDIR(st->st_mode))
		st->st_size = st->st_blocks = 0;
	memset(&st->st_atim, 0, sizeof(st->st_atim));
	memset(&st->st_mtim, 0, sizeof(st->st_mtim));
	memset(&st->st_ctim, 0, sizeof(st->st_ctim));
}

static inline void same_stat_at(const char *file, int line, const char *what, long nr, const uint64_t a[6])
{
	call_both(nr, a);
	if (both[0] != both[1])
		print_error("%s:%d: %s: native %ld, ours %ld\n", file, line, what, both[0], both[1]);
	_assert_int_equal((uint64_t)both[1], (uint64_t)both[0], file, line);
	if (both[0])
		return;
	stat_normal((struct stat *)(void *)buffers[0][0]);
	stat_normal((struct stat *)(void *)buffers[1][0]);
	_assert_memory_equal(buffers[1][0], buffers[0][0], sizeof(struct stat), file, line);
}
/* A stat into B(0), compared but for identity and times. */
#define same_stat(name, ...) same_stat_at(__FILE__, __LINE__, #name "(" #__VA_ARGS__ ")", SYS_##name, ARGS(__VA_ARGS__))

#endif
