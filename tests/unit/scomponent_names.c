/* Storage monitor: names and attributes: making, moving, removing, looking; on a read-only export nothing changes. */
#include <sys/vfs.h>
#include "scomponent_rig.h"

static struct sto_peer me;

static int names_open(void **state)
{
	if (sto_open(state))
		return -1;
	sto_start(&me, 1);
	return 0;
}

static int names_close(void **state)
{
	sto_end(&me);
	sto_readonly = false;
	return sto_close(state);
}

static int readonly_open(void **state)
{
	sto_readonly = true;
	return names_open(state);
}

static void test_directories(void **state)
{
	assert_int_equal(sto_mkdirat(&me, 0, "d"), 0);
	assert_int_equal(sto_mkdirat(&me, 0, "d"), -EEXIST);
	assert_int_equal(sto_mkdirat(&me, 0, "/d/e/"), 0);
	assert_int_equal(sto_mkdirat(&me, sto_handle(&me, "d/e", O_PATH), "f"), 0);
	assert_true(sto_exists("d/e/f"));
	assert_int_equal(sto_mkdirat(&me, 0, "x/y"), -ENOENT);
	assert_int_equal(sto_mkdirat(&me, 0, "/"), -EEXIST);
	assert_int_equal(sto_mkdirat(&me, 0, "d/."), -EEXIST);
	assert_int_equal(sto_mkdirat(&me, 0, "d/.."), -EEXIST);
	assert_int_equal(sto_unlink(&me, "d", 0), -EISDIR);
	assert_int_equal(sto_unlink(&me, "d", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(sto_unlink(&me, "d/e/f/.", AT_REMOVEDIR), -EINVAL);
	assert_int_equal(sto_unlink(&me, "d/e/f/..", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(sto_unlink(&me, "d/e/f//", AT_REMOVEDIR), 0);
	assert_int_equal(sto_unlink(&me, "/", AT_REMOVEDIR), -EBUSY);
	assert_int_equal(sto_unlink(&me, "/", 0), -EISDIR);
	assert_int_equal(sto_unlink(&me, "..", AT_REMOVEDIR), -ENOTEMPTY);
	assert_true(sto_exists("d/e"));
	assert_false(sto_exists("d/e/f"));
}

static void test_unlink(void **state)
{
	sto_file("f", "");
	sto_link("f", "l");
	assert_int_equal(sto_unlink(&me, "f", AT_REMOVEDIR), -ENOTDIR);
	assert_int_equal(sto_unlink(&me, "f/", 0), -ENOTDIR);
	assert_int_equal(sto_unlink(&me, "l", 0), 0); /* the link, not what it leads to */
	assert_true(sto_exists("f"));
	assert_int_equal(sto_unlink(&me, "../export/f", 0), -ENOENT);
	assert_int_equal(sto_unlink(&me, "../f", 0), 0);
	assert_false(sto_exists("f"));
	assert_int_equal(sto_unlink(&me, "f", 0), -ENOENT);
}

static void test_rename(void **state)
{
	struct p2s_rename_req req = { .from = sto_at(0, "a", 0), .to = sto_at(0, "b", 0), .flags = 1 };

	sto_file("a", "a");
	sto_file("b", "b");
	sto_mkdir("d");
	sto_mkdir("d/e");
	assert_int_equal(sto_ask_tail(&me, P2S_RENAME, &req, "ab", 2), -EEXIST); /* RENAME_NOREPLACE */
	req.flags = 0x100;
	assert_int_equal(sto_ask_tail(&me, P2S_RENAME, &req, "ab", 2), -EINVAL);
	assert_int_equal(sto_rename(&me, "a", "b"), 0);
	assert_int_equal(sto_rename(&me, "b", "/../../d/f"), 0);
	assert_true(sto_exists("d/f"));
	assert_int_equal(sto_rename(&me, "d", "d/e/g"), -EINVAL);
	assert_int_equal(sto_rename(&me, "/", "x"), -EBUSY);
	assert_int_equal(sto_rename(&me, "x", "/"), -EBUSY);
	assert_int_equal(sto_rename(&me, "none", "x"), -ENOENT);
	assert_int_equal(sto_rename(&me, "d/f", "d/e"), -EISDIR);
}

static void test_links(void **state)
{
	uint64_t h;

	sto_file("f", "text");
	sto_link("f", "l");
	assert_int_equal(sto_linkat(&me, 0, "f", 0, "g"), 0);
	assert_int_equal(sto_stat(&me, 0, "g", 0), 0);
	assert_int_equal(sto_rep(p2s_stat_rep)->stat.nlink, 2);
	assert_int_equal(sto_linkat(&me, 0, "f", 0, "g"), -EEXIST);
	assert_int_equal(sto_linkat(&me, 0, "l", 0, "l2"), 0); /* the symbolic link itself */
	assert_int_equal(sto_readlink(&me, "l2"), 0);
	assert_string_equal(sto_tail(), "f");
	assert_int_equal(sto_linkat(&me, 0, "l", AT_SYMLINK_FOLLOW, "g2"), 0);
	assert_int_equal(sto_readlink(&me, "g2"), -EINVAL);
	assert_int_equal(sto_linkat(&me, 0, "/", 0, "root"), -EPERM);
	/* a nameless file gets its name */
	assert_int_equal(sto_openat(&me, 0, "/", O_TMPFILE | O_RDWR, 0600), 0);
	h = sto_rep(p2s_open_rep)->handle;
	assert_int_equal(sto_rep(p2s_open_rep)->stat.nlink, 0);
	assert_int_equal(sto_linkat(&me, h, "", AT_EMPTY_PATH, "named"), 0);
	assert_true(sto_exists("named"));
	assert_int_equal(sto_symlink(&me, "/any/../thing", "s"), 0);
	assert_int_equal(sto_readlink(&me, "s"), 0);
	assert_string_equal(sto_tail(), "/any/../thing");
	assert_int_equal(sto_symlink(&me, "x", "s"), -EEXIST);
	assert_int_equal(sto_symlink(&me, "", "s2"), -ENOENT);
	assert_int_equal(sto_symlink(&me, "x", ""), -ENOENT);
}

static void test_open_flags(void **state)
{
	struct stat st;

	assert_int_equal(sto_openat(&me, 0, "new", O_WRONLY | O_CREAT | O_EXCL, 0640), 0);
	assert_int_equal(sto_rep(p2s_open_rep)->stat.mode, S_IFREG | 0640);
	assert_string_equal(sto_tail(), "/new");
	assert_int_equal(sto_openat(&me, 0, "new", O_WRONLY | O_CREAT | O_EXCL, 0640), -EEXIST);
	assert_int_equal(sto_openat(&me, 0, "all", O_WRONLY | O_CREAT, 0777), 0); /* no umask of ours */
	assert_int_equal(sto_rep(p2s_open_rep)->stat.mode, S_IFREG | 0777);
	sto_file("t", "text");
	assert_int_equal(sto_openat(&me, 0, "t", O_RDWR | O_TRUNC, 0), 0);
	assert_int_equal(stat(sto_path("t"), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(sto_openat(&me, 0, "t", O_RDONLY | O_DIRECTORY, 0), -ENOTDIR);
	assert_int_equal(sto_openat(&me, 0, "t", O_PATH | O_DIRECTORY, 0), -ENOTDIR);
	assert_int_equal(sto_openat(&me, 0, "t/", O_RDONLY, 0), -ENOTDIR);
	assert_int_equal(sto_openat(&me, 0, "/", O_RDWR, 0), -EISDIR);
	assert_int_equal(sto_openat(&me, 0, "/", O_RDONLY | O_CREAT, 0644), -EISDIR);
	assert_int_equal(sto_openat(&me, 0, "none/", O_RDWR | O_CREAT, 0644), -EISDIR);
	assert_int_equal(sto_openat(&me, 0, "none", O_RDONLY, 0), -ENOENT);
	sto_link("nowhere", "dangling");
	assert_int_equal(sto_openat(&me, 0, "dangling", O_RDWR | O_CREAT | O_EXCL, 0644), -EEXIST);
	assert_int_equal(sto_openat(&me, 0, "dangling", O_RDWR | O_CREAT | O_NOFOLLOW, 0644), -ELOOP);
	assert_int_equal(sto_openat(&me, 0, "dangling", O_RDWR | O_CREAT, 0644), 0);
	assert_string_equal(sto_tail(), "/nowhere");
	assert_int_equal(sto_openat(&me, 0, "dangling", O_PATH | O_NOFOLLOW, 0), 0);
	assert_true(S_ISLNK(sto_rep(p2s_open_rep)->stat.mode));
	assert_int_equal(sto_openat(&me, 0, "t", O_RDONLY | 1 << 30, 0), -EINVAL);
	assert_int_equal(sto_openat(&me, 0, "t", O_RDONLY, 010000), -EINVAL);
}

static void test_attributes(void **state)
{
	struct p2s_chmod_req mode = { .at = sto_at(0, "f", 0), .mode = 04751 };
	struct p2s_truncate_req size = { .at = sto_at(0, "f", 0), .bytes = 12345 };
	struct p2s_chown_req owner = { .at = sto_at(0, "f", 0), .uid = 0, .gid = UINT32_MAX };
	struct p2s_utimens_req times = { .at = sto_at(0, "f", 0),
					 .atime = { .sec = 1000, .nsec = 5 },
					 .mtime = { .nsec = UTIME_OMIT } };
	struct stat st, before;

	sto_file("f", "text");
	sto_link("f", "l");
	assert_int_equal(stat(sto_path("f"), &before), 0);
	assert_int_equal(sto_ask_tail(&me, P2S_TRUNCATE, &size, "f", 1), 0);
	assert_int_equal(sto_ask_tail(&me, P2S_CHMOD, &mode, "f", 1), 0);
	assert_int_equal(sto_ask_tail(&me, P2S_UTIMENS, &times, "f", 1), 0);
	assert_int_equal(stat(sto_path("f"), &st), 0);
	assert_int_equal(st.st_size, 12345);
	assert_int_equal(st.st_mode, S_IFREG | 04751);
	assert_int_equal(st.st_atim.tv_sec, 1000);
	assert_int_equal(st.st_atim.tv_nsec, 5);
	assert_int_equal(sto_ask_tail(&me, P2S_CHOWN, &owner, "f", 1), -EPERM);
	owner.uid = UINT32_MAX;
	assert_int_equal(sto_ask_tail(&me, P2S_CHOWN, &owner, "f", 1), 0);
	mode.at = sto_at(0, "l", AT_SYMLINK_NOFOLLOW);
	assert_int_equal(sto_ask_tail(&me, P2S_CHMOD, &mode, "l", 1), -EOPNOTSUPP);
	times.at = sto_at(0, "l", AT_SYMLINK_NOFOLLOW);
	times.mtime = (struct wire_time){ .sec = 77 };
	assert_int_equal(sto_ask_tail(&me, P2S_UTIMENS, &times, "l", 1), 0);
	assert_int_equal(lstat(sto_path("l"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 77);
	times.mtime.nsec = 1000000000;
	assert_int_equal(sto_ask_tail(&me, P2S_UTIMENS, &times, "l", 1), -EINVAL);
	size.bytes = 1ULL << 63;
	assert_int_equal(sto_ask_tail(&me, P2S_TRUNCATE, &size, "f", 1), -EINVAL);
	mode.mode = 0100000;
	assert_int_equal(sto_ask_tail(&me, P2S_CHMOD, &mode, "l", 1), -EINVAL);
}

/* By handle: the file that was opened, by its rights then. */
static void test_attributes_by_handle(void **state)
{
	struct wire_at by_handle = { .flags = AT_EMPTY_PATH };
	struct p2s_truncate_req size = { .bytes = 2 };
	struct p2s_chmod_req mode = { .mode = 0600 };
	struct stat st;

	sto_file("f", "text");
	by_handle.dir = sto_handle(&me, "f", O_RDWR);
	size.at = mode.at = by_handle;
	assert_int_equal(rename(sto_path("f"), sto_path("g")), 0);
	assert_int_equal(sto_ask(&me, P2S_TRUNCATE, &size), 0);
	assert_int_equal(sto_ask(&me, P2S_CHMOD, &mode), 0);
	assert_int_equal(stat(sto_path("g"), &st), 0);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	size.at.dir = sto_handle(&me, "g", O_RDONLY);
	assert_int_equal(sto_ask(&me, P2S_TRUNCATE, &size), -EINVAL);
	size.at.dir = 0; /* the root */
	assert_int_not_equal(sto_ask(&me, P2S_TRUNCATE, &size), 0);
}

static void test_stat(void **state)
{
	struct p2s_statfs_req req = { .at = sto_at(0, "f", 0) };
	struct stat st;
	struct statfs fs;

	sto_file("f", "text");
	assert_int_equal(stat(sto_path("f"), &st), 0);
	assert_int_equal(sto_stat(&me, 0, "f", 0), 0);
	assert_int_equal(sto_rep(p2s_stat_rep)->stat.ino, st.st_ino);
	assert_int_equal(sto_rep(p2s_stat_rep)->stat.size, 4);
	assert_int_equal(sto_rep(p2s_stat_rep)->stat.uid, geteuid());
	assert_int_equal(sto_rep(p2s_stat_rep)->stat.mtime.sec, st.st_mtim.tv_sec);
	assert_int_equal(sto_rep(p2s_stat_rep)->stat.mtime.nsec, st.st_mtim.tv_nsec);
	assert_int_equal(sto_stat(&me, 0, "", AT_EMPTY_PATH), 0);
	assert_true(S_ISDIR(sto_rep(p2s_stat_rep)->stat.mode));
	assert_int_equal(sto_stat(&me, 0, "", 0), -ENOENT);
	assert_int_equal(sto_stat(&me, 0, "f/x", 0), -ENOTDIR);
	assert_int_equal(sto_ask_tail(&me, P2S_STATFS, &req, "f", 1), 0);
	assert_int_equal(statfs(sto_path("f"), &fs), 0);
	assert_int_equal(sto_rep(p2s_statfs_rep)->type, fs.f_type);
	assert_int_equal(sto_rep(p2s_statfs_rep)->blocks, fs.f_blocks);
}

static int access_ask(const char *path, uint32_t mode)
{
	struct p2s_access_req req = { .at = sto_at(0, path, 0), .mode = mode };

	return sto_ask_tail(&me, P2S_ACCESS, &req, path, strlen(path));
}

static void test_readonly(void **state)
{
	struct p2s_chmod_req mode = { .at = sto_at(0, "f", 0), .mode = 0600 };
	struct p2s_hello_req hello = { .cap = sto_cap(2), .pid = 2 };
	struct sto_peer she;

	sto_file("f", "text");
	sto_mkdir("d");
	assert_int_equal(sto_openat(&me, 0, "f", O_RDONLY, 0), 0);
	assert_int_equal(sto_openat(&me, 0, "f", O_RDWR, 0), -EROFS);
	assert_int_equal(sto_openat(&me, 0, "f", O_RDONLY | O_TRUNC, 0), -EROFS);
	assert_int_equal(sto_openat(&me, 0, "f", O_RDONLY | O_CREAT, 0644), 0);
	assert_int_equal(sto_openat(&me, 0, "new", O_RDONLY | O_CREAT, 0644), -EROFS);
	assert_int_equal(sto_openat(&me, 0, "d", O_RDWR | O_TMPFILE, 0644), -EROFS);
	assert_int_equal(sto_mkdirat(&me, 0, "d"), -EEXIST);
	assert_int_equal(sto_mkdirat(&me, 0, "e"), -EROFS);
	assert_int_equal(sto_unlink(&me, "f", 0), -EROFS);
	assert_int_equal(sto_unlink(&me, "none", 0), -ENOENT);
	assert_int_equal(sto_rename(&me, "f", "g"), -EROFS);
	assert_int_equal(sto_linkat(&me, 0, "f", 0, "g"), -EROFS);
	assert_int_equal(sto_symlink(&me, "f", "g"), -EROFS);
	assert_int_equal(sto_ask_tail(&me, P2S_CHMOD, &mode, "f", 1), -EROFS);
	assert_int_equal(access_ask("f", R_OK), 0);
	assert_int_equal(access_ask("f", W_OK), -EROFS);
	assert_true(sto_exists("f"));
	assert_false(sto_exists("g"));
	assert_int_equal(sto_admit(2), 0);
	sto_connect(&she, 2);
	assert_int_equal(sto_ask(&she, P2S_HELLO, &hello), 0);
	assert_int_equal(sto_rep(p2s_hello_rep)->readonly, 1);
	sto_end(&she);
}

/* The bound on open files of one process, over all its connections. */
static void test_too_many(void **state)
{
	uint64_t first = sto_handle(&me, "/", O_PATH);
	unsigned n;
	int err = 0;

	for (n = 0; !err && n < FILES_PER_PROCESS_MAX + 10; n++)
		err = sto_openat(&me, 0, "/", O_PATH, 0);
	assert_int_equal(err, -ENFILE);
	assert_true(sto_usage().handles <= FILES_PER_PROCESS_MAX);
	assert_int_equal(sto_close_handle(&me, first), 0);
	assert_int_equal(sto_openat(&me, 0, "/", O_PATH, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_directories, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_unlink, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_rename, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_links, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_open_flags, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_attributes, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_attributes_by_handle, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_stat, names_open, names_close),
		cmocka_unit_test_setup_teardown(test_readonly, readonly_open, names_close),
		cmocka_unit_test_setup_teardown(test_too_many, names_open, names_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
