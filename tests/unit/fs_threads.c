/*
 * Files used by several threads at once: offsets, appends, the descriptor table, more threads than io slots.
 * also: tsan
 */
#include <pthread.h>
#include "fs_rig.h"

#define THREADS 20 /* more than IO_SLOTS */
#define RECORDS 20000

_Static_assert(THREADS > IO_SLOTS, "some must wait for a slot");

static long shared; /* a descriptor */

/* What a thread returns when something is wrong. */
static void *complain(const char *what)
{
	print_error("%s\n", what);
	return &shared;
}

static void all(void *(*fn)(void *))
{
	pthread_t t[THREADS];
	void *ret;
	long i;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, fn, (void *)i), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], &ret);
		assert_null(ret);
	}
}

/* ---- each record is read by exactly one ---- */

static uint32_t taken[RECORDS];

static void *take(void *arg)
{
	uint64_t record[3];
	struct iovec v[2] = { { record, 8 }, { record + 1, 16 } };
	long n, turn;

	for (turn = (long)arg;; turn++) {
		n = turn % 2 ? ours(read, (uint64_t)shared, S(record), 24) : ours(readv, (uint64_t)shared, S(v), 2);
		if (!n)
			return NULL;
		if (n != 24 || record[0] != record[1] || record[0] != record[2] || record[0] >= RECORDS)
			return complain("a torn record");
		__atomic_fetch_add(&taken[record[0]], 1, __ATOMIC_RELAXED);
	}
}

static void test_shared_offset(void **state)
{
	uint64_t i, record[3];

	shared = ours(open, S("records"), O_RDWR | O_CREAT, 0644);
	assert_true(shared >= 0);
	for (i = 0; i < RECORDS; i++) {
		record[0] = record[1] = record[2] = i;
		assert_int_equal(ours(write, (uint64_t)shared, S(record), 24), 24);
	}
	assert_int_equal(ours(lseek, (uint64_t)shared, 0, SEEK_SET), 0);
	all(take);
	for (i = 0; i < RECORDS; i++)
		assert_int_equal(taken[i], 1);
	assert_int_equal(ours(close, (uint64_t)shared), 0);
}

/* ---- nothing appended is lost or torn, by one open file or several ---- */

#define LINES 200

static void *append(void *arg)
{
	long fd = (long)arg % 2 ? shared : ours(open, S("log"), O_WRONLY | O_APPEND), i;
	char line[32];
	int n;

	for (i = 0; i < LINES; i++) {
		n = snprintf(line, sizeof(line), "%ld %ld %ld\n", (long)arg, i, (long)arg * 1000 + i);
		if (ours(write, (uint64_t)fd, S(line), (uint64_t)n) != n)
			return complain("a short write");
	}
	if (fd != shared)
		ours(close, (uint64_t)fd);
	return NULL;
}

static void test_append(void **state)
{
	char path[200], line[64];
	long n = 0, a, b, c, next[THREADS] = { 0 };
	FILE *f;

	shared = ours(open, S("log"), O_WRONLY | O_APPEND | O_CREAT, 0644);
	all(append);
	assert_int_equal(ours(close, (uint64_t)shared), 0);
	snprintf(path, sizeof(path), "%s/log", fs_path("ours"));
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(sscanf(line, "%ld %ld %ld", &a, &b, &c), 3);
		assert_int_equal(c, a * 1000 + b);
		assert_int_equal(b, next[a]++); /* in each thread's own order */
		n++;
	}
	fclose(f);
	assert_int_equal(n, THREADS * LINES);
}

/* ---- numbers come and go; each thread sees its own files only ---- */

static void *churn(void *arg)
{
	char name[32], text[64] = { 0 }, got[64] = { 0 };
	long fd, other, i;

	snprintf(name, sizeof(name), "churn%ld", (long)arg);
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "thread %ld turn %ld", (long)arg, i);
		fd = ours(open, S(name), O_RDWR | O_CREAT | O_TRUNC, 0644);
		other = ours(dup, (uint64_t)fd);
		if (fd < 0 || other < 0 || ours(write, (uint64_t)fd, S(text), 64) != 64)
			return complain("cannot open, dup or write");
		if (i % 3 == 0 && ours(close, (uint64_t)fd))
			return complain("cannot close");
		if (ours(pread64, (uint64_t)other, S(got), 64, 0) != 64 || strcmp(text, got))
			return complain("another's file");
		if (i % 3 && ours(dup2, (uint64_t)other, (uint64_t)fd) != fd)
			return complain("cannot dup2");
		if (ours(lseek, (uint64_t)other, 0, SEEK_CUR) != 64)
			return complain("another's offset");
		if (i % 3)
			ours(close, (uint64_t)fd);
		if (ours(close, (uint64_t)other))
			return complain("closed by another");
	}
	return NULL;
}

static void test_table(void **state)
{
	long before = ours(dup, 0);

	ours(close, (uint64_t)before);
	all(churn);
	assert_int_equal(ours(dup, 0), before); /* no number leaked */
	ours(close, (uint64_t)before);
}

/* ---- large transfers by more threads than there are slots ---- */

#define LARGE (3 * IO_SLOT_BYTES + 12345)

static void *large(void *arg)
{
	char name[32], *a = malloc(LARGE), *b = malloc(LARGE);
	void *complaint = NULL;
	long fd;

	memset(a, (int)(long)arg + 1, LARGE);
	snprintf(name, sizeof(name), "large%ld", (long)arg);
	fd = ours(open, S(name), O_RDWR | O_CREAT, 0644);
	if (ours(pwrite64, (uint64_t)fd, S(a), LARGE, 7) != LARGE)
		complaint = complain("a short write");
	else if (ours(pread64, (uint64_t)fd, S(b), LARGE, 7) != LARGE || memcmp(a, b, LARGE))
		complaint = complain("read what was not written");
	ours(close, (uint64_t)fd);
	free(a);
	free(b);
	return complaint;
}

static void test_large(void **state)
{
	all(large);
}

/* ---- the working directory is the process's ---- */

static void *wander(void *arg)
{
	char text[PATH_MAX] = { 0 };
	long i;

	for (i = 0; i < 50; i++) {
		if (ours(chdir, (long)arg % 3 ? S("/usr") : S("/proc")))
			return complain("cannot enter");
		if (ours(getcwd, S(text), sizeof(text)) <= 0 || (strcmp(text, "/usr") && strcmp(text, "/proc")))
			return complain("somewhere else");
	}
	return NULL;
}

static void test_cwd(void **state)
{
	all(wander);
	assert_int_equal(ours(chdir, S(fs_path("ours"))), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_offset), cmocka_unit_test(test_append), cmocka_unit_test(test_table),
		cmocka_unit_test(test_large),	      cmocka_unit_test(test_cwd),
	};

	return cmocka_run_group_tests(tests, fs_start, fs_stop);
}
