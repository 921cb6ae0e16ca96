/*
 * Storage monitor: data of files. One-sided, within the buffer that was granted, and as the local file system has it.
 * also: tsan
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/file.h>
#include "scomponent_rig.h"

static struct sto_peer me;

static int io_open(void **state)
{
	if (sto_open(state))
		return -1;
	sto_start(&me, 1);
	return 0;
}

static int io_close(void **state)
{
	sto_end(&me);
	return sto_close(state);
}

static uint32_t done(void)
{
	return sto_rep(p2s_read_rep)->done;
}

static void test_read(void **state)
{
	uint64_t h;

	sto_file("f", "0123456789");
	h = sto_handle(&me, "f", O_RDONLY);
	assert_int_equal(sto_read(&me, h, 0, 0, 10), 0);
	assert_int_equal(done(), 10);
	assert_memory_equal(sto_buf(&me), "0123456789", 10);
	assert_int_equal(sto_read(&me, h, 4, 1000, 100), 0); /* short: the end */
	assert_int_equal(done(), 6);
	assert_memory_equal(sto_buf(&me) + 1000, "456789", 6);
	assert_int_equal(sto_read(&me, h, 10, 0, 5), 0);
	assert_int_equal(done(), 0);
	assert_int_equal(sto_read(&me, h, 1ULL << 40, 0, 5), 0);
	assert_int_equal(done(), 0);
	assert_int_equal(sto_read(&me, h, 0, 0, 0), 0);
	assert_int_equal(sto_read(&me, h, 1ULL << 63, 0, 5), -EINVAL);
	assert_int_equal(sto_write(&me, h, 0, 0, 5), -EBADF);
	assert_int_equal(sto_read(&me, sto_handle(&me, "f", O_WRONLY), 0, 0, 5), -EBADF);
	assert_int_equal(sto_read(&me, sto_handle(&me, "f", O_PATH), 0, 0, 5), -EBADF);
	assert_int_equal(sto_read(&me, sto_handle(&me, "/", O_RDONLY), 0, 0, 5), -EISDIR);
}

/* Offset and length against the buffer: all the ways to be outside of it. */
static void test_bounds(void **state)
{
	static const struct {
		uint64_t buf;
		uint32_t bytes;
		int err;
	} cases[] = {
		{ 0, IO_SLOT_BYTES, 0 },	   { BUFFER_BYTES - 1, 1, 0 },	      { BUFFER_BYTES, 0, 0 },
		{ BUFFER_BYTES - 1, 2, -ERANGE },  { BUFFER_BYTES, 1, -ERANGE },      { BUFFER_BYTES + 1, 0, -ERANGE },
		{ UINT64_MAX, 1, -ERANGE },	   { UINT64_MAX - 10, 100, -ERANGE }, { 1ULL << 63, 1, -ERANGE },
		{ 0, IO_SLOT_BYTES + 1, -EINVAL }, { 0, UINT32_MAX, -EINVAL },
	};
	uint64_t h = sto_handle(&me, "f", O_RDWR | O_CREAT), dir = sto_handle(&me, "/", O_RDONLY);
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct p2s_getdents_req req = { .handle = dir, .buf = cases[i].buf, .bytes = cases[i].bytes };

		assert_int_equal(sto_write(&me, h, 0, cases[i].buf, cases[i].bytes), cases[i].err);
		assert_int_equal(sto_read(&me, h, 0, cases[i].buf, cases[i].bytes), cases[i].err);
		if (cases[i].err)
			assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), cases[i].err);
	}
}

static void test_no_buffer(void **state)
{
	struct sto_peer p;
	uint64_t h;

	assert_int_equal(sto_admit(2), 0);
	sto_connect(&p, 2);
	assert_int_equal(sto_hello(&p, 2, sto_cap(2)), 0);
	h = sto_handle(&p, "f", O_RDWR | O_CREAT);
	assert_int_equal(sto_write(&p, h, 0, 0, 1), -ERANGE);
	assert_int_equal(sto_read(&p, h, 0, 0, 1), -ERANGE);
	sto_end(&p);
}

static void test_write(void **state)
{
	uint64_t h = sto_handle(&me, "f", O_RDWR | O_CREAT | O_EXCL);
	struct p2s_write_req req = { .handle = h, .bytes = 1, .append = 2 };
	char text[32] = { 0 };
	FILE *f;

	memcpy(sto_buf(&me), "hello world", 11);
	assert_int_equal(sto_write(&me, h, 3, 6, 5), 0);
	assert_int_equal(sto_rep(p2s_write_rep)->done, 5);
	assert_int_equal(sto_rep(p2s_write_rep)->end, 8);
	f = fopen(sto_path("f"), "r");
	assert_int_equal(fread(text, 1, sizeof(text), f), 8);
	fclose(f);
	assert_memory_equal(text, "\0\0\0world", 8);
	assert_int_equal(sto_write(&me, h, 1ULL << 63, 0, 1), -EINVAL);
	assert_int_equal(sto_ask(&me, P2S_WRITE, &req), -EINVAL);
}

static uint64_t append(struct sto_peer *p, uint64_t h, const char *text)
{
	struct p2s_write_req req = { .handle = h, .bytes = (uint32_t)strlen(text), .append = 1 };

	memcpy(sto_buf(p), text, req.bytes);
	assert_int_equal(sto_ask(p, P2S_WRITE, &req), 0);
	assert_int_equal(sto_rep(p2s_write_rep)->done, req.bytes);
	return sto_rep(p2s_write_rep)->end;
}

/* Two processes append to one file: nothing is overwritten, and each learns where its bytes went. */
static void test_append(void **state)
{
	uint64_t mine = sto_handle(&me, "log", O_WRONLY | O_CREAT | O_APPEND), hers, end = 0;
	struct sto_peer she;
	char line[16];
	int i, a, n[2] = { 0, 0 };
	FILE *f;

	sto_start(&she, 2);
	hers = sto_handle(&she, "log", O_WRONLY | O_APPEND);
	for (i = 0; i < 200; i++) {
		uint64_t to = i % 3 ? append(&me, mine, "mine 56789\n") : append(&she, hers, "hers 56789\n");

		assert_int_equal(to, end + 11);
		end = to;
	}
	f = fopen(sto_path("log"), "r");
	while (fgets(line, sizeof(line), f)) {
		a = !strcmp(line, "mine 56789\n");
		assert_true(a || !strcmp(line, "hers 56789\n"));
		n[a]++;
	}
	fclose(f);
	assert_int_equal(n[0] + n[1], 200);
	assert_int_equal(n[0], 67);
	sto_end(&she);
}

/* Appending is a property of the write, not of the handle: the program may change it by fcntl. */
static void test_append_toggled(void **state)
{
	uint64_t h = sto_handle(&me, "f", O_RDWR | O_CREAT | O_APPEND), plain = sto_handle(&me, "f", O_RDWR);

	assert_int_equal(append(&me, h, "0123456789"), 10);
	memcpy(sto_buf(&me), "AB", 2);
	assert_int_equal(sto_write(&me, h, 0, 0, 2), 0);
	assert_int_equal(sto_rep(p2s_write_rep)->end, 2);
	assert_int_equal(append(&me, h, "x"), 11);
	assert_int_equal(append(&me, plain, "y"), 12);
	assert_int_equal(sto_read(&me, h, 0, 0, 100), 0);
	assert_int_equal(done(), 12);
	assert_memory_equal(sto_buf(&me), "AB23456789xy", 12);
}

/* A big file, over several transfers. */
static void test_large(void **state)
{
	uint64_t h = sto_handle(&me, "f", O_RDWR | O_CREAT), off;
	uint32_t *w = (uint32_t *)(void *)sto_buf(&me), i;

	for (off = 0; off < 8 * IO_SLOT_BYTES; off += IO_SLOT_BYTES) {
		for (i = 0; i < IO_SLOT_BYTES / 4; i++)
			w[i] = (uint32_t)(off / 4) + i;
		assert_int_equal(sto_write(&me, h, off, 0, IO_SLOT_BYTES), 0);
	}
	for (off = 0; off < 8 * IO_SLOT_BYTES; off += IO_SLOT_BYTES) {
		assert_int_equal(sto_read(&me, h, off, IO_SLOT_BYTES, IO_SLOT_BYTES), 0);
		assert_int_equal(done(), IO_SLOT_BYTES);
		for (i = 0; i < IO_SLOT_BYTES / 4; i++)
			assert_int_equal(w[IO_SLOT_BYTES / 4 + i], (uint32_t)(off / 4) + i);
	}
}

struct dent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* All entries, each once, also when listings start in the middle; two handles do not disturb each other. */
static void test_getdents(void **state)
{
	uint64_t h, other, cookie = 0, middle = 0;
	struct p2s_getdents_req req = { .bytes = 1000 };
	bool seen[300] = { false };
	uint32_t at, n = 0;
	char name[32];
	int i;

	sto_mkdir("d");
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		sto_file(name, "");
	}
	h = sto_handle(&me, "d", O_RDONLY | O_DIRECTORY);
	other = sto_handle(&me, "d", O_RDONLY | O_DIRECTORY);
	for (;;) {
		req.handle = h;
		req.cookie = cookie;
		assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), 0);
		if (!sto_rep(p2s_getdents_rep)->done)
			break;
		cookie = sto_rep(p2s_getdents_rep)->next;
		for (at = 0; at < sto_rep(p2s_getdents_rep)->done;) {
			struct dent64 *d = (struct dent64 *)(void *)(sto_buf(&me) + at);

			if (d->name[0] != '.') {
				assert_false(seen[atoi(d->name)]);
				seen[atoi(d->name)] = true;
				assert_int_equal(d->type, DT_REG);
			}
			at += d->reclen;
			if (++n == 150)
				middle = (uint64_t)d->off;
		}
		req.handle = other;
		req.cookie = 0;
		assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), 0);
	}
	assert_int_equal(n, 302);
	req = (struct p2s_getdents_req){ .handle = h, .cookie = middle, .bytes = IO_SLOT_BYTES };
	assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), 0);
	for (at = n = 0; at < sto_rep(p2s_getdents_rep)->done; n++)
		at += ((struct dent64 *)(void *)(sto_buf(&me) + at))->reclen;
	assert_int_equal(n, 152);
	/* A handle opened anew after a restart: first the rest of an old listing, its end, then a listing of its own */
	req.handle = sto_handle(&me, "d", O_RDONLY | O_DIRECTORY);
	req.cookie = cookie;
	assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), 0);
	assert_int_equal(sto_rep(p2s_getdents_rep)->done, 0);
	req.cookie = 0;
	assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), 0);
	assert_int_not_equal(sto_rep(p2s_getdents_rep)->done, 0);
	req.bytes = 8;
	assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), -EINVAL);
	req = (struct p2s_getdents_req){ .handle = sto_handle(&me, "d/1", O_RDONLY), .bytes = 1000 };
	assert_int_equal(sto_ask(&me, P2S_GETDENTS, &req), -ENOTDIR);
}

static int seek(uint64_t h, int64_t off, uint32_t whence)
{
	struct p2s_seek_req req = { .handle = h, .off = off, .whence = whence };

	return sto_ask(&me, P2S_SEEK, &req);
}

static void test_seek(void **state)
{
	uint64_t h;

	sto_file("f", "0123456789");
	h = sto_handle(&me, "f", O_RDWR);
	assert_int_equal(seek(h, -3, SEEK_END), 0);
	assert_int_equal(sto_rep(p2s_seek_rep)->off, 7);
	assert_int_equal(seek(h, -11, SEEK_END), -EINVAL);
	assert_int_equal(seek(h, 3, SEEK_DATA), 0);
	assert_int_equal(sto_rep(p2s_seek_rep)->off, 3);
	assert_int_equal(seek(h, 3, SEEK_HOLE), 0);
	assert_int_equal(sto_rep(p2s_seek_rep)->off, 10);
	assert_int_equal(seek(h, 100, SEEK_DATA), -ENXIO);
	assert_int_equal(seek(h, 0, SEEK_SET), -EINVAL);
	assert_int_equal(seek(h, 0, SEEK_CUR), -EINVAL);
	assert_int_equal(seek(h, 0, 99), -EINVAL);
	assert_int_equal(seek(0, 0, SEEK_END), -EBADF);
}

static int simple(enum msg_id id, uint64_t h, uint32_t what)
{
	struct p2s_sync_req req = { .handle = h, .what = what };

	return sto_ask(&me, id, &req);
}

static void test_sync_and_locks(void **state)
{
	uint64_t h = sto_handle(&me, "f", O_RDWR | O_CREAT), other = sto_handle(&me, "f", O_RDWR);
	uint32_t what;

	for (what = P2S_SYNC_ALL; what <= P2S_SYNC_FS; what++)
		assert_int_equal(simple(P2S_SYNC, h, what), 0);
	assert_int_equal(simple(P2S_SYNC, h, 3), -EINVAL);
	assert_int_equal(simple(P2S_SYNC, 5, 0), -EBADF);
	assert_int_equal(simple(P2S_FLOCK, h, LOCK_EX), 0);
	assert_int_equal(simple(P2S_FLOCK, other, LOCK_SH), -EWOULDBLOCK);
	assert_int_equal(simple(P2S_FLOCK, h, LOCK_UN), 0);
	assert_int_equal(simple(P2S_FLOCK, other, LOCK_SH), 0);
	assert_int_equal(simple(P2S_FLOCK, h, LOCK_SH), 0);
	assert_int_equal(simple(P2S_FLOCK, h, LOCK_EX), -EWOULDBLOCK);
	assert_int_equal(sto_close_handle(&me, other), 0); /* and its lock with it */
	assert_int_equal(simple(P2S_FLOCK, h, LOCK_EX), 0);
	assert_int_equal(simple(P2S_FLOCK, h, LOCK_EX | LOCK_NB), -EINVAL);
	assert_int_equal(simple(P2S_FLOCK, h, 77), -EINVAL);
}

static void test_fallocate(void **state)
{
	struct p2s_fallocate_req req = { .handle = sto_handle(&me, "f", O_RDWR | O_CREAT), .bytes = 5000 };
	struct stat st;

	assert_int_equal(sto_ask(&me, P2S_FALLOCATE, &req), 0);
	assert_int_equal(stat(sto_path("f"), &st), 0);
	assert_int_equal(st.st_size, 5000);
	req.off = 1ULL << 63;
	assert_int_equal(sto_ask(&me, P2S_FALLOCATE, &req), -EINVAL);
	req.off = 0;
	req.bytes = 0;
	assert_int_equal(sto_ask(&me, P2S_FALLOCATE, &req), -EINVAL);
	req.bytes = 1;
	req.mode = 0x8000;
	assert_int_equal(sto_ask(&me, P2S_FALLOCATE, &req), -EOPNOTSUPP);
}

/* Transfers into memory that the dispatcher took back fail; nothing else breaks. */
static void test_buffer_gone(void **state)
{
	uint64_t h = sto_handle(&me, "f", O_RDWR | O_CREAT);

	assert_int_equal(sto_write(&me, h, 0, 0, 100), 0);
	net_mr_free(me.mr);
	net_pd_close(me.pd);
	me.mr = NULL;
	/* a peer that kept the descriptor may see zeros or an error */
	sto_read(&me, h, 0, 0, 100);
	assert_int_equal(sto_stat(&me, 0, "f", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_bounds, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_no_buffer, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_write, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_append, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_append_toggled, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_large, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_getdents, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_seek, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_sync_and_locks, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_fallocate, io_open, io_close),
		cmocka_unit_test_setup_teardown(test_buffer_gone, io_open, io_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
