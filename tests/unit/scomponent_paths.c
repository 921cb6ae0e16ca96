/* Storage monitor: no path leaves the export, whatever it is made of; handles mean what they were opened as. */
#include <linux/openat2.h>
#include "scomponent_rig.h"

static struct sto_peer me;

static int paths_open(void **state)
{
	char outside[128];
	FILE *f;

	if (sto_open(state))
		return -1;
	snprintf(outside, sizeof(outside), "%s/secret", sto_dir);
	f = fopen(outside, "w");
	if (!f)
		return -1;
	fputs("secret", f);
	fclose(f);
	sto_mkdir("a");
	sto_mkdir("a/b");
	sto_file("a/b/file", "inside");
	sto_file("secret", "inside");
	sto_start(&me, 1);
	return 0;
}

static int paths_close(void **state)
{
	sto_end(&me);
	return sto_close(state);
}

/* The answer is the file inside: what `secret` in the export's root has. */
static void is_inside(int err)
{
	struct stat st;

	assert_int_equal(err, 0);
	assert_int_equal(stat(sto_path("secret"), &st), 0);
	assert_int_equal(sto_rep(p2s_stat_rep)->stat.ino, st.st_ino);
}

static void test_dots(void **state)
{
	uint64_t h = sto_handle(&me, "/a/b", O_PATH | O_DIRECTORY);

	is_inside(sto_stat(&me, 0, "/../secret", 0));
	is_inside(sto_stat(&me, 0, "/../../../../../../../../../../secret", 0));
	is_inside(sto_stat(&me, 0, "../secret", 0));
	is_inside(sto_stat(&me, 0, "a/b/../../../secret", 0));
	is_inside(sto_stat(&me, h, "../../secret", 0));
	is_inside(sto_stat(&me, h, "../../../../secret", 0));
	is_inside(sto_stat(&me, h, "/secret", 0));
	assert_int_equal(sto_stat(&me, h, "../../../secret/..", 0), -ENOTDIR);
	assert_int_equal(sto_stat(&me, 0, "..", 0), 0); /* the root itself */
}

static void test_links(void **state)
{
	uint64_t h = sto_handle(&me, "/a/b", O_PATH | O_DIRECTORY);
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/secret", sto_dir);
	sto_link(outside, "out");
	sto_link("../secret", "up");
	sto_link("/secret", "abs");
	sto_link("../../../../secret", "a/b/far");
	sto_link("/abs", "a/b/chain");
	sto_link("..", "a/b/parent");
	sto_link("loop", "loop");
	/* An absolute link starts at the export, where there is no such path. */
	assert_int_equal(sto_stat(&me, 0, "/out", 0), -ENOENT);
	is_inside(sto_stat(&me, 0, "/up", 0));
	is_inside(sto_stat(&me, 0, "abs", 0));
	is_inside(sto_stat(&me, h, "far", 0));
	is_inside(sto_stat(&me, h, "chain", 0));
	is_inside(sto_stat(&me, h, "parent/../../../abs", 0));
	assert_int_equal(sto_stat(&me, 0, "/loop", 0), -ELOOP);
	assert_int_equal(sto_stat(&me, 0, "/loop", AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(sto_openat(&me, 0, "/out", O_RDONLY, 0), -ENOENT);
	/* It would be made inside, where its directories do not exist. */
	assert_int_equal(sto_openat(&me, 0, "/out", O_RDWR | O_CREAT, 0644), -ENOENT);
	assert_int_equal(sto_openat(&me, 0, "/abs", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);
}

/* /proc, /sys and /dev are the processor component's: asked for where links lead there, never served. */
static void test_foreign(void **state)
{
	static const char *const targets[] = { "/proc/self/mem", "/proc/self/exe", "/proc/self/root/etc", "/dev/null",
					       "/sys/kernel",	 "../../proc/1",   "/proc/self/fd/0" };
	char link[16], normal[64];
	size_t i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		snprintf(link, sizeof(link), "/a/l%zu", i);
		snprintf(normal, sizeof(normal), "%s", targets[i] + strspn(targets[i], "./") - 1);
		sto_link(targets[i], link + 1);
		assert_int_equal(sto_stat(&me, 0, link, 0), -EREMOTE);
		assert_int_equal(sto_openat(&me, 0, link, O_RDWR, 0), -EREMOTE);
		assert_int_equal(sto_openat(&me, 0, link, O_RDWR | O_CREAT, 0644), -EREMOTE);
		assert_int_equal(sto_resolve(&me, 0, link, 0), 0);
		assert_int_equal(sto_rep(p2s_resolve_rep)->foreign, 1);
		assert_string_equal(sto_tail(), normal);
		assert_int_equal(sto_stat(&me, 0, link, AT_SYMLINK_NOFOLLOW), 0);
	}
	sto_link("a/l3", "indirect");
	sto_link("/dev", "devices");
	assert_int_equal(sto_stat(&me, 0, "indirect", 0), -EREMOTE);
	assert_int_equal(sto_mkdirat(&me, 0, "devices/shm/x"), -EREMOTE);
	assert_int_equal(sto_resolve(&me, 0, "devices/shm/x", AT_SYMLINK_NOFOLLOW), 0);
	assert_string_equal(sto_tail(), "/dev/shm/x");
	assert_int_equal(sto_resolve(&me, 0, "a/b/file", 0), 0);
	assert_int_equal(sto_rep(p2s_resolve_rep)->foreign, 0);
	assert_string_equal(sto_tail(), "/a/b/file");
}

/* An export that has such directories of its own: the same. */
static void test_foreign_present(void **state)
{
	sto_mkdir("dev");
	sto_mkdir("device");
	sto_file("dev/x", "");
	sto_link("dev/x", "link");
	assert_int_equal(sto_stat(&me, 0, "/dev/x", 0), -EREMOTE);
	assert_int_equal(sto_stat(&me, 0, "link", 0), -EREMOTE);
	assert_int_equal(sto_openat(&me, 0, "dev/new", O_RDWR | O_CREAT, 0644), -EREMOTE);
	assert_false(sto_exists("dev/new"));
	assert_int_equal(sto_unlink(&me, "dev/x", 0), -EREMOTE);
	assert_int_equal(sto_stat(&me, 0, "/device", 0), 0);
	assert_true(sto_exists("dev/x"));
}

/* A directory that moves keeps its handle, and `..` is where it is now; a removed one has nothing in it. */
static void test_renamed_directory(void **state)
{
	struct p2s_path_req req;

	sto_mkdir("c");
	sto_file("c/here", "");
	sto_file("a/there", "");
	req.handle = sto_handle(&me, "/a/b", O_PATH | O_DIRECTORY);
	assert_int_equal(sto_stat(&me, req.handle, "../there", 0), 0);
	assert_int_equal(rename(sto_path("a/b"), sto_path("c/moved")), 0);
	assert_int_equal(sto_stat(&me, req.handle, "file", 0), 0);
	assert_int_equal(sto_stat(&me, req.handle, "../here", 0), 0);
	assert_int_equal(sto_stat(&me, req.handle, "../there", 0), -ENOENT);
	assert_int_equal(sto_ask(&me, P2S_PATH, &req), 0);
	assert_string_equal(sto_tail(), "/c/moved");
	assert_int_equal(sto_rep(p2s_path_rep)->deleted, 0);
	assert_int_equal(unlink(sto_path("c/moved/file")), 0);
	assert_int_equal(rmdir(sto_path("c/moved")), 0);
	assert_int_equal(sto_ask(&me, P2S_PATH, &req), 0);
	assert_int_equal(sto_rep(p2s_path_rep)->deleted, 1);
	assert_int_equal(sto_stat(&me, req.handle, "file", 0), -ENOENT);
	assert_int_equal(sto_stat(&me, req.handle, "../here", 0), -ENOENT);
	assert_int_equal(sto_stat(&me, req.handle, "", AT_EMPTY_PATH), 0);
}

/* Moved out of the export by somebody on the machine: `..` does not follow it there. */
static void test_moved_out(void **state)
{
	uint64_t h = sto_handle(&me, "/a/b", O_PATH | O_DIRECTORY);
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/moved", sto_dir);
	assert_int_equal(rename(sto_path("a/b"), outside), 0);
	assert_int_equal(sto_stat(&me, h, "../secret", 0), -ENOENT);
	assert_int_equal(sto_stat(&me, h, "../../..", 0), -ENOENT);
	assert_int_equal(rename(outside, sto_path("a/b")), 0);
	is_inside(sto_stat(&me, h, "../../secret", 0));
}

/* A deleted file stays open; one that is only named like one is none. */
static void test_deleted(void **state)
{
	struct p2s_path_req req = { .handle = sto_handle(&me, "a/b/file", O_RDONLY) };

	sto_file("a/x (deleted)", "");
	assert_int_equal(unlink(sto_path("a/b/file")), 0);
	assert_int_equal(sto_ask(&me, P2S_PATH, &req), 0);
	assert_int_equal(sto_rep(p2s_path_rep)->deleted, 1);
	assert_string_equal(sto_tail(), "/a/b/file");
	assert_int_equal(sto_read(&me, req.handle, 0, 0, 100), 0);
	assert_memory_equal(sto_buf(&me), "inside", 6);
	/* opened anew, as by /proc/self/fd */
	assert_int_equal(sto_openat(&me, req.handle, "", O_RDWR, 0), 0);
	req.handle = sto_handle(&me, "a/x (deleted)", O_RDONLY);
	assert_int_equal(sto_ask(&me, P2S_PATH, &req), 0);
	assert_int_equal(sto_rep(p2s_path_rep)->deleted, 0);
	assert_string_equal(sto_tail(), "/a/x (deleted)");
}

/* Ids: of closed files, of other connections, made up, of what is no directory. */
static void test_handles(void **state)
{
	uint64_t h = sto_handle(&me, "a/b/file", O_RDONLY), again, other;
	struct sto_peer she;

	sto_start(&she, 2);
	other = sto_handle(&she, "secret", O_RDONLY);
	assert_int_equal(sto_read(&me, other, 0, 0, 1), -EBADF);
	assert_int_equal(sto_stat(&me, other, "x", 0), -EBADF);
	assert_int_equal(sto_close_handle(&me, other), -EBADF);
	assert_int_equal(sto_stat(&me, h, "x", 0), -ENOTDIR);
	assert_int_equal(sto_close_handle(&me, h), 0);
	assert_int_equal(sto_close_handle(&me, h), -EBADF);
	assert_int_equal(sto_read(&me, h, 0, 0, 1), -EBADF);
	again = sto_handle(&me, "secret", O_RDONLY); /* in the same slot */
	assert_int_equal((uint32_t)again, (uint32_t)h);
	assert_int_not_equal(again, h);
	assert_int_equal(sto_read(&me, h, 0, 0, 1), -EBADF);
	assert_int_equal(sto_read(&me, 0, 0, 0, 1), -EBADF);
	assert_int_equal(sto_read(&me, 1, 0, 0, 1), -EBADF);
	assert_int_equal(sto_read(&me, UINT64_MAX, 0, 0, 1), -EBADF);
	assert_int_equal(sto_read(&me, again ^ 1ULL << 40, 0, 0, 1), -EBADF);
	assert_int_equal(sto_read(&me, again + 1, 0, 0, 1), -EBADF);
	assert_int_equal(sto_close_handle(&me, 0), -EBADF);
	sto_end(&she);
}

/* The user's rights count. */
static void test_rights(void **state)
{
	struct p2s_access_req req = { .at = sto_at(0, "secret", 0), .mode = W_OK };

	sto_mkdir("closed");
	sto_file("closed/file", "");
	assert_int_equal(chmod(sto_path("closed"), 0), 0);
	assert_int_equal(chmod(sto_path("secret"), 0444), 0);
	assert_int_equal(sto_stat(&me, 0, "closed/file", 0), -EACCES);
	assert_int_equal(sto_openat(&me, 0, "closed", O_RDONLY, 0), -EACCES);
	assert_int_equal(sto_openat(&me, 0, "closed", O_PATH, 0), 0);
	assert_int_equal(sto_openat(&me, 0, "secret", O_RDWR, 0), -EACCES);
	assert_int_equal(sto_openat(&me, 0, "secret", O_RDONLY | O_TRUNC, 0), -EACCES);
	assert_int_equal(sto_openat(&me, 0, "secret", O_RDONLY, 0), 0);
	assert_int_equal(sto_openat(&me, sto_rep(p2s_open_rep)->handle, "", O_RDWR, 0), -EACCES);
	assert_int_equal(sto_ask_tail(&me, P2S_ACCESS, &req, "secret", 6), -EACCES);
	req.mode = R_OK;
	assert_int_equal(sto_ask_tail(&me, P2S_ACCESS, &req, "secret", 6), 0);
	assert_int_equal(sto_mkdirat(&me, 0, "closed/x"), -EACCES);
	assert_int_equal(chmod(sto_path("closed"), 0755), 0);
}

static int open_by(uint64_t dir, const char *path, uint32_t flags, uint32_t rules)
{
	struct p2s_open_req req = { .at = sto_at(dir, path, rules),
				    .flags = flags,
				    .mode = flags & O_CREAT ? 0600 : 0 };

	return sto_ask_tail(&me, P2S_OPEN, &req, path, strlen(path));
}

/* openat2's own: with them a path leads to the processor component even less, and never out. */
static void test_rules(void **state)
{
	struct p2s_stat_req other = { .at = sto_at(0, "secret", RESOLVE_BENEATH) };
	uint64_t h = sto_handle(&me, "/a", O_PATH | O_DIRECTORY);

	sto_link("../../secret", "a/b/up");
	sto_link("/proc/self/mem", "a/mem");
	sto_link("/b/file", "a/root");
	sto_link("b", "a/inner");
	assert_int_equal(open_by(h, "b/file", O_RDONLY, RESOLVE_BENEATH), 0);
	assert_int_equal(open_by(h, "b/up", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_by(h, "../secret", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_by(h, "/secret", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_by(h, "../secret", O_RDWR | O_CREAT, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_by(h, "mem", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_by(h, "b/up", O_RDONLY, RESOLVE_IN_ROOT), -ENOENT);
	assert_int_equal(open_by(h, "mem", O_RDONLY, RESOLVE_IN_ROOT), -ENOENT);
	assert_int_equal(open_by(h, "mem", O_RDONLY, RESOLVE_NO_SYMLINKS), -ELOOP);
	assert_int_equal(open_by(h, "mem", O_RDONLY, RESOLVE_NO_XDEV), -EREMOTE);
	assert_int_equal(open_by(h, "root", O_RDONLY, RESOLVE_IN_ROOT), 0);
	assert_int_equal(open_by(h, "/../../b/new", O_RDWR | O_CREAT, RESOLVE_IN_ROOT), 0);
	assert_int_equal(sto_stat(&me, 0, "/a/b/new", 0), 0);
	assert_int_equal(open_by(h, "inner/file", O_RDONLY, RESOLVE_NO_SYMLINKS), -ELOOP);
	assert_int_equal(open_by(h, "../a/b/file", O_RDONLY, RESOLVE_NO_SYMLINKS), 0);
	assert_int_equal(open_by(0, "../secret", O_RDONLY, RESOLVE_IN_ROOT), 0);
	assert_int_equal(open_by(0, "../secret", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_by(h, "b", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), -EINVAL);
	assert_int_equal(open_by(h, "b", O_RDONLY, RESOLVE_CACHED), -EINVAL);
	assert_int_equal(open_by(h + 77, "b", O_RDONLY, RESOLVE_IN_ROOT), -EBADF);
	assert_int_equal(sto_ask_tail(&me, P2S_STAT, &other, "secret", 6), -EINVAL);
}

/* FIFOs and sockets: never opened, so nobody waits and nothing happens to a device. */
static void test_special(void **state)
{
	assert_int_equal(mkfifo(sto_path("fifo"), 0644), 0);
	assert_int_equal(sto_openat(&me, 0, "fifo", O_RDONLY, 0), -ENXIO);
	assert_int_equal(sto_openat(&me, 0, "fifo", O_RDWR | O_CREAT, 0644), -ENXIO);
	assert_int_equal(sto_openat(&me, 0, "fifo", O_RDWR | O_CREAT | O_EXCL, 0644), -EEXIST);
	assert_int_equal(sto_openat(&me, 0, "fifo", O_PATH, 0), 0);
	assert_int_equal(sto_stat(&me, 0, "fifo", 0), 0);
	assert_int_equal(sto_unlink(&me, "fifo", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dots, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_links, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_foreign, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_foreign_present, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_renamed_directory, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_moved_out, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_deleted, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_handles, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_rights, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_special, paths_open, paths_close),
		cmocka_unit_test_setup_teardown(test_rules, paths_open, paths_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
