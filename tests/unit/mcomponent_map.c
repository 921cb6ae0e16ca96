/* Memory monitor: the copy of the page map. */
#include "mcomponent_rig.h"

static struct rig_peer p;
static struct p2m_slab_get_rep slab; /* of 64 frames */

static int open_with_slab(void **state)
{
	if (mem_open(state))
		return -1;
	assert_int_equal(mem_admit(1, FRAMES), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 64, &slab), 0);
	return 0;
}

static int close_all(void **state)
{
	rig_hang_up(&p);
	return mem_close(state);
}

static struct map_entry at(uint64_t vpn, uint64_t id, uint32_t frame)
{
	return (struct map_entry){ .vpn = vpn, .slab_frame = id ? id << 16 | frame : 0 };
}

static void test_set_move_clear(void **state)
{
	struct map_entry e[2] = { at(0, slab.slab, 0), at((1ULL << 36) - 1, slab.slab, 63) };

	assert_int_equal(mem_map(&p, e, 2), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 2);
	e[0] = at(0, slab.slab, 1); /* the page has a new copy */
	assert_int_equal(mem_map(&p, e, 1), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 2);
	e[0] = at(0, 0, 0);
	assert_int_equal(mem_map(&p, e, 1), 0);
	assert_int_equal(mem_map(&p, e, 1), 0); /* clearing what is clear */
	assert_int_equal(mem_told(&p).mapped_pages, 1);
}

/* A frame has one page: the later one takes it over. */
static void test_frame_taken_over(void **state)
{
	struct map_entry e[2] = { at(7, slab.slab, 5), at(8, slab.slab, 5) };

	assert_int_equal(mem_map(&p, e, 2), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 1);
	e[0] = at(7, 0, 0); /* has none any more: 8's must stay */
	assert_int_equal(mem_map(&p, e, 1), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 1);
}

/* One bad entry, wherever it stands, and nothing of the batch is applied. */
static void test_checked_whole(void **state)
{
	static const struct {
		uint64_t vpn, slab_frame;
		int err;
	} bad[] = {
		{ 1ULL << 36, 1 << 16, -ERANGE },
		{ UINT64_MAX, 1 << 16, -ERANGE },
		{ 1, 0x1234 << 16, -ENOENT },
		{ 1, UINT64_MAX, -ENOENT },
		{ 1, 3, -ENOENT }, /* frame 3 of no slab */
		{ 1, 1 << 16 | 64, -ERANGE },
		{ 1, 1 << 16 | 0xffff, -ERANGE },
	};
	struct map_entry e[3];

	assert_int_equal(slab.slab, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (unsigned where = 0; where < 3; where++) {
			for (unsigned k = 0; k < 3; k++)
				e[k] = at(k + 10, slab.slab, k);
			e[where] = (struct map_entry){ bad[i].vpn, bad[i].slab_frame };
			assert_int_equal(mem_map(&p, e, 3), bad[i].err);
			assert_int_equal(mem_told(&p).mapped_pages, 0);
		}
}

static void test_batch_sizes(void **state)
{
	static struct map_entry e[MAP_BATCH_MAX];
	struct p2m_map_req req = { .n = 2 };

	for (uint32_t i = 0; i < MAP_BATCH_MAX; i++)
		e[i] = at(i, slab.slab, i % 64);
	assert_int_equal(mem_map(&p, e, MAP_BATCH_MAX), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 64);
	assert_int_equal(mem_map(&p, e, 0), -EINVAL);
	assert_int_equal(rig_ask_tail(&p, P2M_MAP, &req, e, sizeof(e[0])), -EINVAL);
	assert_int_equal(rig_ask_tail(&p, P2M_MAP, &req, e, 2 * sizeof(e[0]) + 8), -EINVAL);
	req.n = UINT32_MAX;
	assert_int_equal(rig_ask_tail(&p, P2M_MAP, &req, e, sizeof(e)), -EINVAL);
}

/* A slab that is given back takes its entries with it, and no others. */
static void test_put_drops_entries(void **state)
{
	struct p2m_slab_get_rep other = { 0 };
	struct map_entry e[64];

	assert_int_equal(mem_get(&p, 64, &other), 0);
	for (uint32_t i = 0; i < 64; i++)
		e[i] = at(i, i % 2 ? slab.slab : other.slab, i);
	assert_int_equal(mem_map(&p, e, 64), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 64);
	assert_int_equal(mem_put(&p, slab.slab), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 32);
	e[0] = at(1, slab.slab, 1);
	assert_int_equal(mem_map(&p, e, 1), -ENOENT);
	assert_int_equal(mem_put(&p, other.slab), 0);
	assert_int_equal(mem_told(&p).mapped_pages, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_set_move_clear, open_with_slab, close_all),
		cmocka_unit_test_setup_teardown(test_frame_taken_over, open_with_slab, close_all),
		cmocka_unit_test_setup_teardown(test_checked_whole, open_with_slab, close_all),
		cmocka_unit_test_setup_teardown(test_batch_sizes, open_with_slab, close_all),
		cmocka_unit_test_setup_teardown(test_put_drops_entries, open_with_slab, close_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
