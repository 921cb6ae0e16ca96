/*
 * Whose files: work for another user is done as that user, and the caller's thread stays what it is.
 * also: tsan
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "scomponent/identity.h"

static char dir[] = "/tmp/ashlar-identity-XXXXXX";
static unsigned calls; /* no lock, no atomic: the caller waits */
static pid_t thread;

struct look {
	uint32_t uid, gid;
	int groups;
	struct stat st;
};

/* Whom a new file belongs to says who we are. */
static int look(void *arg)
{
	struct look *l = arg;
	char path[64];
	int fd;

	calls++;
	thread = gettid();
	l->uid = (uint32_t)setfsuid((uid_t)-1);
	l->gid = (uint32_t)setfsgid((gid_t)-1);
	l->groups = getgroups(0, NULL);
	snprintf(path, sizeof(path), "%s/%u", dir, calls);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &l->st) || close(fd) || unlink(path))
		return -1;
	return (int)calls;
}

static int run(struct identity *id, uint32_t uid, uint32_t gid, identity_fn *fn, void *arg)
{
	const struct identity_of who = { .uid = uid, .gid = gid };

	return identity_run(id, &who, fn, arg);
}

static void expect(struct identity *id, uint32_t uid, uint32_t gid)
{
	struct look l = { .uid = 1 };
	int ret = run(id, uid, gid, look, &l);

	assert_int_equal(ret, calls);
	assert_int_equal(l.uid, uid);
	assert_int_equal(l.st.st_uid, uid);
	assert_int_equal(l.gid, gid);
	assert_int_equal(l.st.st_gid, gid);
	assert_int_equal(l.groups, uid == 0 ? getgroups(0, NULL) : 0);
	assert_int_equal(setfsuid((uid_t)-1), geteuid());
	assert_int_equal(setfsgid((gid_t)-1), getegid());
}

static int read_secret(void *arg)
{
	return open(arg, O_RDONLY | O_CLOEXEC) < 0 ? -errno : 0;
}

/* The component's own user needs no other thread. */
static void test_own(void **state)
{
	struct identity id = { 0 };

	expect(&id, geteuid(), getegid());
	assert_int_equal(thread, gettid());
	assert_false(id.started);
	identity_close(&id);
}

static void test_others(void **state)
{
	static const gid_t groups[] = { 7, 8, 9 };
	struct identity id = { 0 };
	pid_t worker;

	if (geteuid())
		skip();
	assert_int_equal(setgroups(3, groups), 0);
	expect(&id, 4711, 4712);
	worker = thread;
	assert_int_not_equal(worker, gettid());
	expect(&id, 4711, 4712);
	expect(&id, 4811, 4712);
	expect(&id, 4811, 0);
	expect(&id, 0, 4712);
	assert_int_equal(thread, worker);
	expect(&id, 0, 0);
	assert_int_equal(thread, gettid());
	expect(&id, 4711, 4712);
	assert_int_equal(thread, worker);
	identity_close(&id);
	assert_false(id.started);
}

static void test_rights(void **state)
{
	struct identity id = { 0 };
	char path[64];

	if (geteuid())
		skip();
	snprintf(path, sizeof(path), "%s/secret", dir);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(run(&id, 4711, 4712, read_secret, path), -EACCES);
	assert_int_equal(run(&id, 0, 4712, read_secret, path), 0);
	assert_int_equal(run(&id, 4711, 0, read_secret, path), -EACCES);
	assert_int_equal(run(&id, 0, 0, read_secret, path), 0);
	assert_int_equal(unlink(path), 0);
	/* An identity that cannot be had: nothing is done */
	calls = 0;
	assert_true(run(&id, UINT32_MAX, 0, look, NULL) < 0);
	assert_int_equal(calls, 0);
	expect(&id, 4711, 4712);
	identity_close(&id);
}

/* Supplementary groups count, those of the one asked for. */
static void test_groups(void **state)
{
	static const uint32_t groups[] = { 4801, 4802 };
	struct identity_of who = { .uid = 4711, .gid = 4712, .n_groups = 2, .groups = groups };
	struct identity id = { 0 };
	char path[64];

	if (geteuid())
		skip();
	snprintf(path, sizeof(path), "%s/secret", dir);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0640)), 0);
	assert_int_equal(chown(path, 0, 4802), 0);
	assert_int_equal(identity_run(&id, &who, read_secret, path), 0);
	who.n_groups = 1;
	assert_int_equal(identity_run(&id, &who, read_secret, path), -EACCES);
	who.groups = &groups[1];
	assert_int_equal(identity_run(&id, &who, read_secret, path), 0);
	who.n_groups = 0;
	assert_int_equal(identity_run(&id, &who, read_secret, path), -EACCES);
	assert_int_equal(unlink(path), 0);
	identity_close(&id);
}

static int open_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) && chmod(dir, 01777) == 0 ? 0 : -1;
}

static int close_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, open_dir, close_dir);
}
