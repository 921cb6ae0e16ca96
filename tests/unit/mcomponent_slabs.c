/* Memory monitor: slabs and what limits them. */
#include "mcomponent_rig.h"

/* The way of a dispatcher to one slab. */
struct reach {
	struct net_data *data;
	struct net_remote *remote;
};

static struct reach reach(struct rig_peer *p, const struct p2m_slab_get_rep *slab)
{
	struct reach r;

	assert_int_equal(net_data_open(rpc_conn(p->rpc), NET_DEMAND, &r.data), 0);
	assert_int_equal(net_remote_open(rpc_conn(p->rpc), &slab->key, slab->frames * PAGE_BYTES, &r.remote), 0);
	return r;
}

static void reach_end(struct reach r)
{
	net_remote_close(r.remote);
	net_data_close(r.data);
}

static int page_write(struct reach r, uint32_t frame, uint8_t *page)
{
	struct net_sge sge = { .addr = page, .bytes = PAGE_BYTES };

	return net_write_sync(r.data, r.remote, frame * PAGE_BYTES, &sge, 1, clock_ns() + NS_PER_S);
}

static int page_read(struct reach r, uint32_t frame, uint8_t *page)
{
	struct net_sge sge = { .addr = page, .bytes = PAGE_BYTES };

	return net_read_sync(r.data, r.remote, frame * PAGE_BYTES, &sge, 1, clock_ns() + NS_PER_S);
}

static bool page_is(const uint8_t *page, uint8_t byte)
{
	for (size_t i = 0; i < PAGE_BYTES; i++)
		if (page[i] != byte)
			return false;
	return true;
}

/* Written while open, read for ever, not written once sealed. */
static void test_open_and_sealed(void **state)
{
	static uint8_t page[PAGE_BYTES];
	struct p2m_slab_get_rep slab;
	struct rig_peer p;
	struct reach r;

	assert_int_equal(mem_admit(1, 64), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 4, &slab), 0);
	assert_int_equal(slab.frames, 4);
	r = reach(&p, &slab);
	memset(page, 0xa5, sizeof(page));
	assert_int_equal(page_write(r, 3, page), 0);
	assert_int_equal(mem_seal(&p, slab.slab), 0);
	assert_int_equal(mem_seal(&p, slab.slab), 0);
	assert_int_equal(mem_seal(&p, slab.slab + 1), -ENOENT);
	assert_int_equal(page_write(r, 3, page), -EACCES);
	memset(page, 0, sizeof(page));
	assert_int_equal(page_read(r, 3, page), 0);
	assert_true(page_is(page, 0xa5));
	assert_int_equal(mem_told(&p).sealed_slabs, 1);
	reach_end(r);
	rig_hang_up(&p);
}

/* What one process wrote, the next one does not see; ids do not come twice. */
static void test_zeroed(void **state)
{
	static uint8_t page[PAGE_BYTES];
	struct p2m_slab_get_rep slab, later;
	struct rig_peer p;
	struct reach r;

	assert_int_equal(mem_admit(1, FRAMES), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, FRAMES, &slab), 0);
	r = reach(&p, &slab);
	memset(page, 0xff, sizeof(page));
	for (uint32_t i = 0; i < FRAMES; i++)
		assert_int_equal(page_write(r, i, page), 0);
	reach_end(r);
	rig_hang_up(&p);
	rig_until(mem_stat().granted_bytes == 0);
	assert_int_equal(mem_admit(2, FRAMES), 0);
	mem_bind(&p, 2);
	assert_int_equal(mem_get(&p, FRAMES, &later), 0);
	assert_int_not_equal(later.slab, slab.slab);
	r = reach(&p, &later);
	for (uint32_t i = 0; i < FRAMES; i++) {
		assert_int_equal(page_read(r, i, page), 0);
		assert_true(page_is(page, 0));
	}
	reach_end(r);
	rig_hang_up(&p);
}

static void test_put(void **state)
{
	struct p2m_slab_get_rep slab;
	struct rig_peer p;

	assert_int_equal(mem_admit(1, 8), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 8, &slab), 0);
	assert_int_equal(mem_get(&p, 1, NULL), -ENOMEM);
	assert_int_equal(mem_put(&p, slab.slab), 0);
	assert_int_equal(mem_put(&p, slab.slab), -ENOENT);
	assert_int_equal(mem_put(&p, 0), -ENOENT);
	assert_int_equal(mem_told(&p).frames, 0);
	assert_int_equal(mem_get(&p, 8, &slab), 0);
	rig_hang_up(&p);
}

static void test_bad_sizes(void **state)
{
	struct p2m_slab_get_req req = { .frames = 1, .reserved0 = 1 };
	struct rig_peer p;

	assert_int_equal(mem_admit(1, 64), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 0, NULL), -EINVAL);
	assert_int_equal(mem_get(&p, SLAB_FRAMES_MAX + 1, NULL), -EINVAL);
	assert_int_equal(mem_get(&p, UINT32_MAX, NULL), -EINVAL);
	assert_int_equal(rig_ask(&p, P2M_SLAB_GET, &req), -EINVAL);
	assert_int_equal(mem_stat().granted_bytes, 0);
	rig_hang_up(&p);
}

/* One process's slab is nothing to another. */
static void test_foreign_slab(void **state)
{
	struct p2m_slab_get_rep slab;
	struct rig_peer a, b;

	assert_int_equal(mem_admit(1, 8), 0);
	assert_int_equal(mem_admit(2, 8), 0);
	mem_bind(&a, 1);
	mem_bind(&b, 2);
	assert_int_equal(mem_get(&a, 4, &slab), 0);
	assert_int_equal(mem_seal(&b, slab.slab), -ENOENT);
	assert_int_equal(mem_put(&b, slab.slab), -ENOENT);
	rig_hang_up(&a);
	rig_hang_up(&b);
}

/* A promise is kept against those who have none, and no more is promised than there is. */
static void test_promises(void **state)
{
	struct rig_peer promised, greedy;

	assert_int_equal(mem_admit(1, FRAMES / 2), 0);
	assert_int_equal(mem_admit(2, FRAMES * 2), 0); /* the whole component: best effort */
	assert_int_equal(mem_admit(3, FRAMES / 2 + 1), -ENOMEM);
	mem_bind(&promised, 1);
	mem_bind(&greedy, 2);
	assert_int_equal(mem_get(&greedy, FRAMES / 2, NULL), 0);
	assert_int_equal(mem_get(&greedy, 1, NULL), -ENOMEM);
	assert_int_equal(mem_get(&promised, FRAMES / 2, NULL), 0);
	assert_int_equal(mem_get(&promised, 1, NULL), -ENOMEM);
	assert_int_equal(mem_stat().granted_bytes, FRAMES * PAGE_BYTES);
	rig_hang_up(&promised);
	rig_until(mem_stat().granted_bytes == FRAMES / 2 * PAGE_BYTES);
	assert_int_equal(mem_get(&greedy, FRAMES / 2, NULL), 0);
	rig_hang_up(&greedy);
	rig_until(mem_stat().granted_bytes == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open_and_sealed, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_zeroed, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_put, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_bad_sizes, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_foreign_slab, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_promises, mem_open, mem_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
