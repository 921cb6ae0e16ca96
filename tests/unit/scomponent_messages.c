/*
 * Storage monitor: requests whose parts do not fit each other. Each is refused with an errno, changes nothing, and the
 * connection goes on. (What does not even have its list's size is the RPC layer's affair: tests/proto.)
 */
#include "scomponent_rig.h"

static struct sto_peer me;

static int messages_open(void **state)
{
	if (sto_open(state))
		return -1;
	sto_start(&me, 1);
	sto_file("f", "text");
	return 0;
}

static int messages_close(void **state)
{
	sto_end(&me);
	return sto_close(state);
}

/* Messages that hold one path: where its struct wire_at lies. */
static const struct {
	enum msg_id id;
	size_t at;
} with_path[] = {
	{ P2S_OPEN, offsetof(struct p2s_open_req, at) },
	{ P2S_STAT, offsetof(struct p2s_stat_req, at) },
	{ P2S_STATFS, offsetof(struct p2s_statfs_req, at) },
	{ P2S_ACCESS, offsetof(struct p2s_access_req, at) },
	{ P2S_READLINK, offsetof(struct p2s_readlink_req, at) },
	{ P2S_UNLINK, offsetof(struct p2s_unlink_req, at) },
	{ P2S_MKDIR, offsetof(struct p2s_mkdir_req, at) },
	{ P2S_TRUNCATE, offsetof(struct p2s_truncate_req, at) },
	{ P2S_CHMOD, offsetof(struct p2s_chmod_req, at) },
	{ P2S_CHOWN, offsetof(struct p2s_chown_req, at) },
	{ P2S_UTIMENS, offsetof(struct p2s_utimens_req, at) },
	{ P2S_RESOLVE, offsetof(struct p2s_resolve_req, at) },
};
#define WITH_PATH (sizeof(with_path) / sizeof(with_path[0]))

static int ask_at(size_t i, struct wire_at at, const char *tail, size_t n)
{
	uint64_t req[32] = { 0 };

	memcpy((char *)req + with_path[i].at, &at, sizeof(at));
	return sto_ask_tail(&me, with_path[i].id, req, tail, n);
}

static void test_one_path(void **state)
{
	char path[4096], nul[8] = { 'a', '/', 0, 'b' };
	size_t i;

	memset(path, 'x', sizeof(path));
	for (i = 0; i < WITH_PATH; i++) {
		/* length and tail disagree */
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 2 }, "f", 1), -EINVAL);
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 1 }, "ff", 2), -EINVAL);
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 0 }, "f", 1), -EINVAL);
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = UINT32_MAX }, "f", 1), -EINVAL);
		/* a NUL inside; too long; empty; unknown flags; no such handle */
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 4 }, nul, 4), -EINVAL);
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 4096 }, path, 4096), -ENAMETOOLONG);
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 0 }, NULL, 0), -ENOENT);
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 1, .flags = 1U << 31 }, "f", 1), -EINVAL);
		assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 1, .dir = 99 }, "f", 1), -EBADF);
		if (with_path[i].id != P2S_RESOLVE) {
			assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 300 }, path, 300), -ENAMETOOLONG);
			assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 3 }, "f/f", 3), -ENOTDIR);
			assert_int_equal(ask_at(i, (struct wire_at){ .path_bytes = 6 }, "none/f", 6), -ENOENT);
		}
	}
	assert_true(sto_exists("f"));
}

/* Two paths in one tail: pairs of lengths that do not add up to it, or only by overflow. */
static void test_two_paths(void **state)
{
	static const uint32_t lengths[][2] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 0 }, { UINT32_MAX, 3 }, { 4096, 0 }, { 0x80000001, 0x80000001 },
	};
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct wire_at a = { .path_bytes = lengths[i][0] }, b = { .path_bytes = lengths[i][1] };
		struct p2s_rename_req rename_req = { .from = a, .to = b };
		struct p2s_link_req link_req = { .from = a, .to = b };
		struct p2s_symlink_req symlink_req = { .at = b, .target_bytes = a.path_bytes };

		assert_int_equal(sto_ask_tail(&me, P2S_RENAME, &rename_req, "fg", 2), -EINVAL);
		assert_int_equal(sto_ask_tail(&me, P2S_LINK, &link_req, "fg", 2), -EINVAL);
		assert_int_equal(sto_ask_tail(&me, P2S_SYMLINK, &symlink_req, "fg", 2), -EINVAL);
	}
	assert_true(sto_exists("f"));
	assert_false(sto_exists("g"));
}

/* Reserved fields are zero, or the request is one that this version does not know. */
static void test_reserved(void **state)
{
	uint64_t h = sto_handle(&me, "f", O_RDWR);
	struct p2s_read_req rd = { .handle = h, .reserved0 = 1 };
	struct p2s_getdents_req de = { .handle = h, .reserved0 = 1 };
	struct p2s_sync_req sy = { .handle = h, .reserved0 = 1 };
	struct p2s_seek_req se = { .handle = h, .whence = SEEK_END, .reserved0 = 1 };
	struct p2s_flock_req fl = { .handle = h, .op = 8, .reserved0 = 1 };
	struct p2s_fallocate_req fa = { .handle = h, .bytes = 1, .reserved0 = 1 };
	struct p2s_mkdir_req mk = { .at = sto_at(0, "d", 0), .kind = 3 };
	struct p2s_chmod_req ch = { .at = sto_at(0, "f", 0), .reserved0 = 1 };
	struct p2s_access_req ac = { .at = sto_at(0, "f", 0), .reserved0 = 1 };
	struct p2s_rename_req re = { .from = sto_at(0, "f", 0), .to = sto_at(0, "g", 0), .reserved0 = 1 };
	struct p2s_symlink_req sl = { .at = sto_at(0, "g", 0), .target_bytes = 1, .reserved0 = 1 };
	struct p2s_utimens_req ut = { .at = sto_at(0, "f", 0), .atime = { .reserved0 = 1 } };

	assert_int_equal(sto_ask(&me, P2S_READ, &rd), -EINVAL);
	assert_int_equal(sto_ask(&me, P2S_GETDENTS, &de), -EINVAL);
	assert_int_equal(sto_ask(&me, P2S_SYNC, &sy), -EINVAL);
	assert_int_equal(sto_ask(&me, P2S_SEEK, &se), -EINVAL);
	assert_int_equal(sto_ask(&me, P2S_FLOCK, &fl), -EINVAL);
	assert_int_equal(sto_ask(&me, P2S_FALLOCATE, &fa), -EINVAL);
	assert_int_equal(sto_ask_tail(&me, P2S_MKDIR, &mk, "d", 1), -EINVAL);
	assert_int_equal(sto_ask_tail(&me, P2S_CHMOD, &ch, "f", 1), -EINVAL);
	assert_int_equal(sto_ask_tail(&me, P2S_ACCESS, &ac, "f", 1), -EINVAL);
	assert_int_equal(sto_ask_tail(&me, P2S_RENAME, &re, "fg", 2), -EINVAL);
	assert_int_equal(sto_ask_tail(&me, P2S_SYMLINK, &sl, "fg", 2), -EINVAL);
	assert_int_equal(sto_ask_tail(&me, P2S_UTIMENS, &ut, "f", 1), -EINVAL);
}

/* All ones, and random words, in every message: an errno or success, never the end of the monitor. */
static void test_noise(void **state)
{
	uint64_t seed = 12345, req[64];
	char tail[64];
	unsigned i, round, j;

	for (round = 0; round < 200; round++) {
		for (i = 0; i < MSG_COUNT; i++) {
			const struct msg_info *info = msg_info_at(i);
			uint32_t n = info->req_tail_max ? round % 40 : 0;

			if (info->id < P2S_HELLO || info->id > P2S_USAGE)
				continue;
			for (j = 0; j < 64; j++) {
				seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
				req[j] = round ? seed >> (seed >> 58) : UINT64_MAX;
				tail[j] = "/.abf"[(seed >> 33) % 5];
			}
			sto_ask_tail(&me, info->id, req, tail, n);
			assert_non_null(me.p.rpc);
		}
	}
	assert_int_equal(sto_stat(&me, 0, "/", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_path, messages_open, messages_close),
		cmocka_unit_test_setup_teardown(test_two_paths, messages_open, messages_close),
		cmocka_unit_test_setup_teardown(test_reserved, messages_open, messages_close),
		cmocka_unit_test_setup_teardown(test_noise, messages_open, messages_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
