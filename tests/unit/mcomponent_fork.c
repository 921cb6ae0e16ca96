/* Memory monitor: the members of a tree, what a fork shares, and what is left when each of them ends. */
#include "mcomponent_rig.h"

static struct cap cap_of(uint32_t member)
{
	struct cap tree = mem_cap(1);

	return cap_of_member(&tree, member);
}

static int hello(struct rig_peer *p, uint32_t member)
{
	struct p2m_hello_req req = { .cap = cap_of(member), .pid = 1, .member = member };

	rig_connect(p, mem_addr, KIND_DISPATCHER);
	return rig_ask(p, P2M_HELLO, &req);
}

static int fork_to(struct rig_peer *p, uint32_t member, uint64_t *slabs)
{
	struct p2m_fork_req req = { .member = member };
	int err = rig_ask(p, P2M_FORK, &req);

	if (!err && slabs)
		*slabs = ((const struct p2m_fork_rep *)rig_answer.rep)->slabs;
	return err;
}

static int left(struct rig_peer *p, uint32_t member)
{
	struct p2m_left_req req = { .member = member };

	return rig_ask(p, P2M_LEFT, &req);
}

static int key_of(struct rig_peer *p, uint64_t slab, struct p2m_slab_key_rep *rep)
{
	struct p2m_slab_key_req req = { .slab = slab };
	int err = rig_ask(p, P2M_SLAB_KEY, &req);

	if (!err && rep)
		memcpy(rep, rig_answer.rep, sizeof(*rep));
	return err;
}

static struct rig_peer parent, child, guard;
static struct p2m_slab_get_rep slab;

static void begin(uint64_t frames)
{
	assert_int_equal(mem_admit(1, frames), 0);
	rig_connect(&guard, mem_addr, KIND_PROCESSOR);
	assert_int_equal(mem_guard(&guard, 1), 0);
	mem_bind(&parent, 1);
}

static void finish(void)
{
	if (parent.rpc)
		rig_hang_up(&parent);
	if (child.rpc)
		rig_hang_up(&child);
	if (guard.rpc)
		rig_hang_up(&guard);
	rig_until(mem_stat().processes == 0 && mem_stat().granted_bytes == 0 && mem_stat().promised_bytes == 0);
}

static int page(struct rig_peer *p, struct net_remote *r, bool write, uint8_t *bytes)
{
	struct net_sge sge = { .addr = bytes, .bytes = PAGE_BYTES };
	struct net_data *d;
	int err;

	assert_int_equal(net_data_open(rpc_conn(p->rpc), NET_DEMAND, &d), 0);
	err = write ? net_write_sync(d, r, 0, &sge, 1, clock_ns() + NS_PER_S)
		    : net_read_sync(d, r, 0, &sge, 1, clock_ns() + NS_PER_S);
	net_data_close(d);
	return err;
}

/* Both read the same, nobody writes it any more; frames count once, and are free when the last has put them. */
static void test_shared(void **state)
{
	static uint8_t bytes[PAGE_BYTES];
	struct net_remote *mine, *his;
	struct p2m_slab_key_rep key;
	uint64_t slabs;

	begin(64);
	assert_int_equal(mem_get(&parent, 8, &slab), 0);
	assert_int_equal(net_remote_open(rpc_conn(parent.rpc), &slab.key, 8 * PAGE_BYTES, &mine), 0);
	memset(bytes, 0x3c, sizeof(bytes));
	assert_int_equal(page(&parent, mine, true, bytes), 0);
	assert_int_equal(key_of(&parent, slab.slab, NULL), -EINVAL); /* open */
	assert_int_equal(fork_to(&parent, 1, &slabs), 0);
	assert_int_equal(slabs, 1);
	assert_int_equal(page(&parent, mine, true, bytes), -EACCES);
	assert_int_equal(mem_stat().granted_bytes, 8 * PAGE_BYTES);
	assert_int_equal(hello(&child, 1), 0);
	assert_int_equal(mem_told(&child).slabs, 1);
	assert_int_equal(mem_told(&child).sealed_slabs, 1);
	assert_int_equal(mem_told(&child).frames, 8);
	/* The parent gives it back first. */
	assert_int_equal(mem_put(&parent, slab.slab), 0);
	assert_int_equal(mem_put(&parent, slab.slab), -ENOENT);
	assert_int_equal(mem_stat().granted_bytes, 8 * PAGE_BYTES);
	assert_int_equal(key_of(&parent, slab.slab, NULL), -ENOENT);
	assert_int_equal(key_of(&child, slab.slab + 1, NULL), -ENOENT);
	assert_int_equal(key_of(&child, slab.slab, &key), 0);
	assert_int_equal(key.frames, 8);
	assert_int_equal(net_remote_open(rpc_conn(child.rpc), &key.key, 8 * PAGE_BYTES, &his), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(page(&child, his, false, bytes), 0);
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		assert_int_equal(bytes[i], 0x3c);
	assert_int_equal(page(&child, his, true, bytes), -EACCES);
	/* A reply may get lost, but not for ever. */
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(key_of(&child, slab.slab, NULL), 0);
	assert_int_equal(key_of(&child, slab.slab, NULL), -EMFILE);
	assert_int_equal(mem_put(&child, slab.slab), 0);
	assert_int_equal(mem_stat().granted_bytes, 0);
	net_remote_close(mine);
	net_remote_close(his);
	finish();
}

static struct map_entry at(uint64_t vpn, uint32_t frame)
{
	return (struct map_entry){ .vpn = vpn, .slab_frame = frame == ~0u ? 0 : slab.slab << 16 | frame };
}

/* The map is cloned: what one changes later the other does not. */
static void test_map_cloned(void **state)
{
	struct map_entry e[MAP_BATCH_MAX];

	begin(256);
	assert_int_equal(mem_get(&parent, 128, &slab), 0);
	for (unsigned i = 0; i < MAP_BATCH_MAX; i++)
		e[i] = at(1000 + 3 * i, i);
	assert_int_equal(mem_map(&parent, e, MAP_BATCH_MAX), 0);
	assert_int_equal(fork_to(&parent, 1, NULL), 0);
	assert_int_equal(hello(&child, 1), 0);
	assert_int_equal(mem_told(&child).mapped_pages, MAP_BATCH_MAX);
	for (unsigned i = 0; i < 10; i++)
		e[i] = at(1000 + 3 * i, ~0u);
	assert_int_equal(mem_map(&parent, e, 10), 0);
	assert_int_equal(mem_told(&parent).mapped_pages, MAP_BATCH_MAX - 10);
	assert_int_equal(mem_told(&child).mapped_pages, MAP_BATCH_MAX);
	/* A page that moved (mremap), and one that takes over a frame of another, which the parent still has. */
	e[0] = at(1000 + 3 * 20, ~0u);
	e[1] = at(1ULL << 30, 20);
	e[2] = at(7, 30);
	assert_int_equal(mem_map(&child, e, 3), 0);
	assert_int_equal(mem_told(&child).mapped_pages, MAP_BATCH_MAX);
	assert_int_equal(mem_told(&parent).mapped_pages, MAP_BATCH_MAX - 10);
	/* With entries still there a slab takes them along, of one only. */
	assert_int_equal(mem_put(&child, slab.slab), 0);
	assert_int_equal(mem_told(&child).mapped_pages, 0);
	assert_int_equal(mem_told(&parent).mapped_pages, MAP_BATCH_MAX - 10);
	assert_int_equal(mem_put(&parent, slab.slab), 0);
	assert_int_equal(mem_told(&parent).mapped_pages, 0);
	assert_int_equal(mem_stat().granted_bytes, 0);
	finish();
}

/* Sets and clears of one chunk in one batch, in any order. */
static void test_map_within_a_batch(void **state)
{
	struct map_entry e[6];

	begin(64);
	assert_int_equal(mem_get(&parent, 16, &slab), 0);
	for (unsigned round = 0; round < 3; round++) {
		e[0] = at(64, 0);
		e[1] = at(64, ~0u);
		e[2] = at(65, 0);
		e[3] = at(128, 0); /* takes it over */
		e[4] = at(65, 1);
		e[5] = at(128, ~0u);
		assert_int_equal(mem_map(&parent, e, 6), 0);
		assert_int_equal(mem_told(&parent).mapped_pages, 1);
		if (round < 2)
			assert_int_equal(fork_to(&parent, 1 + round, NULL), 0);
	}
	finish();
}

static void test_who_it_is(void **state)
{
	struct p2m_hello_req req = { .cap = mem_cap(1), .pid = 1, .member = 1 };
	struct rig_peer second;

	begin(64);
	/* The tree's own is the first's only, and each has its own. */
	rig_connect(&child, mem_addr, KIND_DISPATCHER);
	assert_int_equal(rig_ask(&child, P2M_HELLO, &req), -EACCES);
	req.cap = cap_of(2);
	assert_int_equal(rig_ask(&child, P2M_HELLO, &req), -EACCES);
	req.cap = cap_of(1);
	req.member = 0;
	assert_int_equal(rig_ask(&child, P2M_HELLO, &req), -EACCES);
	req.member = 1;
	assert_int_equal(rig_ask(&child, P2M_HELLO, &req), 0); /* it has nothing here that was shared */
	assert_int_equal(mem_told(&child).slabs, 0);
	assert_int_equal(hello(&second, 1), -EBUSY);
	rig_hang_up(&second);
	assert_int_equal(fork_to(&parent, 1, NULL), -EEXIST);
	assert_int_equal(fork_to(&parent, 0, NULL), -EEXIST);
	assert_int_equal(left(&parent, 1), -EACCES);
	assert_int_equal(fork_to(&guard, 5, NULL), -EACCES);
	assert_int_equal(key_of(&guard, 1, NULL), -EACCES);
	/* Over is over, also for what comes late. */
	rig_hang_up(&child);
	rig_run_ms(5);
	assert_int_equal(hello(&second, 1), -ESRCH);
	rig_hang_up(&second);
	assert_int_equal(fork_to(&parent, 1, NULL), -EEXIST);
	assert_int_equal(left(&guard, 1), 0);
	assert_int_equal(left(&guard, 6), 0);
	assert_int_equal(fork_to(&parent, 6, NULL), -EEXIST);
	assert_int_equal(mem_told(&parent).slabs, 0);
	finish();
}

/* Each ends for itself. */
static void test_ends(void **state)
{
	begin(64);
	assert_int_equal(mem_get(&parent, 8, &slab), 0);
	assert_int_equal(fork_to(&parent, 1, NULL), 0);
	assert_int_equal(fork_to(&parent, 2, NULL), 0); /* never comes */
	assert_int_equal(hello(&child, 1), 0);
	assert_int_equal(mem_get(&child, 16, NULL), 0);
	rig_hang_up(&parent);
	rig_run_ms(5);
	assert_int_equal(mem_stat().granted_bytes, 24 * PAGE_BYTES);
	assert_int_equal(key_of(&child, slab.slab, NULL), 0);
	assert_int_equal(mem_put(&child, slab.slab), 0);
	assert_int_equal(mem_stat().granted_bytes, 24 * PAGE_BYTES);
	assert_int_equal(left(&guard, 2), 0);
	rig_until(mem_stat().granted_bytes == 16 * PAGE_BYTES);
	assert_int_equal(mem_stat().processes, 1);
	/* The daemon's word ends one that is connected, too. */
	assert_int_equal(left(&guard, 1), 0);
	rig_until(!child.rpc && mem_stat().granted_bytes == 0);
	assert_int_equal(mem_stat().processes, 1);
	finish();
}

static void test_guard_ends_all(void **state)
{
	begin(64);
	assert_int_equal(mem_get(&parent, 8, &slab), 0);
	assert_int_equal(fork_to(&parent, 1, NULL), 0);
	assert_int_equal(fork_to(&parent, 2, NULL), 0);
	assert_int_equal(hello(&child, 1), 0);
	rig_hang_up(&guard);
	rig_until(!parent.rpc && !child.rpc && mem_stat().processes == 0);
	finish();
}

/* Nobody stands by it: the last connection is its end, whoever was named. */
static void test_unguarded(void **state)
{
	assert_int_equal(mem_admit(1, 64), 0);
	mem_bind(&parent, 1);
	assert_int_equal(mem_get(&parent, 8, &slab), 0);
	assert_int_equal(fork_to(&parent, 1, NULL), 0);
	assert_int_equal(fork_to(&parent, 2, NULL), 0);
	assert_int_equal(hello(&child, 1), 0);
	rig_hang_up(&parent);
	rig_run_ms(5);
	assert_int_equal(mem_stat().processes, 1);
	assert_int_equal(mem_told(&child).frames, 8);
	finish();
}

static void test_as_many_as_may_be(void **state)
{
	begin(64);
	assert_int_equal(mem_get(&parent, 8, &slab), 0);
	for (uint32_t i = 1; i < MEMBERS_MAX; i++)
		assert_int_equal(fork_to(&parent, i, NULL), 0);
	assert_int_equal(fork_to(&parent, MEMBERS_MAX, NULL), -EAGAIN);
	assert_int_equal(hello(&child, MEMBERS_MAX), -EAGAIN);
	rig_hang_up(&child);
	assert_int_equal(left(&guard, 77), 0);
	assert_int_equal(fork_to(&parent, MEMBERS_MAX, NULL), 0);
	assert_int_equal(mem_stat().granted_bytes, 8 * PAGE_BYTES);
	finish();
}

/* What a tree makes us remember is bounded by its quota: shares of many tiny slabs are refused before they cost more. */
static void test_books(void **state)
{
	uint32_t n = 1;

	begin(FRAMES);
	for (unsigned i = 0; i < FRAMES; i++)
		assert_int_equal(mem_get(&parent, 1, &slab), 0);
	while (n < MEMBERS_MAX && fork_to(&parent, n, NULL) == 0)
		n++;
	assert_true(n > 4 && n < 64);
	assert_int_equal(fork_to(&parent, n + 100, NULL), -ENOMEM);
	assert_int_equal(mem_told(&parent).slabs, FRAMES);
	for (uint32_t i = 1; i < n; i++)
		assert_int_equal(left(&guard, i), 0);
	rig_run_ms(50);
	assert_int_equal(fork_to(&parent, n + 101, NULL), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shared, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_map_cloned, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_map_within_a_batch, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_who_it_is, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_ends, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_guard_ends_all, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_unguarded, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_as_many_as_may_be, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_books, mem_open, mem_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
