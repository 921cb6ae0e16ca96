/*
 * Fork of a process whose memory is in the ExCache: real processes, real userfaultfd, the real memory monitor. Both sides
 * have all bytes, neither sees what the other writes later, and at the end no frame is left.
 */
#include "excache_rack.h"

#define BUDGET (1ULL << 20)
#define BYTES (8ULL << 20)
#define PAGES (BYTES / PAGE_BYTES)
#define GUARD_WORDS (PAGE_BYTES / 8)

static struct rack rack;
static struct net *guard_net;
static struct rpc *guard[RACK_MEMORY_MAX];
static uint32_t member_next = 1, self; /* self: our own member number */
static volatile uint64_t *mem;
static uint64_t child_budget; /* less than its parent's: it begins with evictions */

/* ---- the rack ---- */

static void guards_open(void)
{
	struct net_options opt = { .fd_floor = 600 };

	assert_int_equal(net_open("local", &opt, &guard_net), 0);
	for (unsigned i = 0; i < rack.n; i++) {
		struct p2m_guard_req req = { .cap = rack.memory[i].cap, .pid = RACK_PID };
		struct p2m_guard_rep rep;

		assert_int_equal(rpc_connect_sync(guard_net, rack.memory[i].addr, KIND_PROCESSOR, KIND_MEMORY, 2000,
						  &guard[i]),
				 0);
		assert_int_equal(rpc_call_sync(guard[i], P2M_GUARD, RACK_PID, 1, &req, NULL, 0, 2000, &rep, NULL, NULL),
				 0);
	}
}

/* As the node daemon does when a process is over. */
static void member_left(uint32_t member)
{
	for (unsigned i = 0; i < rack.n; i++) {
		struct p2m_left_req req = { .member = member };
		struct p2m_left_rep rep;

		(void)rpc_call_sync(guard[i], P2M_LEFT, RACK_PID, 1, &req, NULL, 0, 2000, &rep, NULL, NULL);
	}
}

static uint64_t frames_granted(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < rack.n; i++)
		n += rack.told[i].granted_bytes / PAGE_BYTES;
	return n;
}

static void frames_become(uint64_t at_most)
{
	uint64_t limit = clock_ns() + 5 * NS_PER_S;

	while (frames_granted() > at_most && clock_ns() < limit)
		usleep(2000);
	assert_true(frames_granted() <= at_most);
}

static int start(void **state)
{
	(void)state;
	self = 0;
	member_next = 1;
	child_budget = BUDGET / 2;
	rack_add_memory(&rack, 64 << 20);
	rack_add_memory(&rack, 64 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	guards_open();
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RACK_REGIONS; i++)
		if (rack_region[i].end)
			rack_unmap(i);
	rack_port_done();
	excache_close();
	frames_become(0);
	for (unsigned i = 0; i < rack.n; i++)
		rpc_close(guard[i]);
	net_close(guard_net);
	rack_end(&rack);
	return 0;
}

/* ---- fork ---- */

static int ranges(int (*registered)(uint64_t start, uint64_t end))
{
	int err = 0;

	for (unsigned i = 0; i < RACK_REGIONS && !err; i++)
		if (rack_region[i].end)
			err = registered(rack_region[i].start, rack_region[i].end);
	return err;
}

static void child_begin(uint32_t member)
{
	struct net_options opt = { .fd_floor = 500 };
	struct excache_memory memory[RACK_MEMORY_MAX];
	struct excache_config c = {
		.budget_bytes = child_budget,
		.pid = RACK_PID,
		.member = member,
		.n_memory = rack.n,
		.lazy = true,
		.memory = memory,
		.fd_floor = 500,
		.peek = rack_peek,
		.message = rack_message,
	};
	int err;

	prctl(PR_SET_PDEATHSIG, 0);
	close_range(500, ~0U, 0);
	memcpy(memory, rack.memory, sizeof(memory));
	for (unsigned i = 0; i < rack.n; i++)
		memory[i].cap = cap_of_member(&rack.memory[i].cap, member);
	rack.stats = calloc(1, sizeof(*rack.stats));
	if (!rack.stats || net_open("local", &opt, &rack.net))
		_exit(100);
	c.net = rack.net;
	c.stats = rack.stats;
	err = excache_fork_child(&c, ranges);
	if (err) {
		fprintf(stderr, "excache_fork_child: %s\n", strerror(-err));
		_exit(101);
	}
	self = member;
	rack_port = NULL;
	pthread_rwlock_init(&rack_layout, NULL);
	if (excache_port_open(&rack_port))
		_exit(102);
	while (excache_fit(rack_port) > 0)
		;
}

/* As fork(2), with the ExCache. */
static pid_t forked(void)
{
	uint32_t member = self * 1000 + member_next++;
	pid_t pid;
	int err;

	fflush(NULL);
	pthread_rwlock_wrlock(&rack_layout);
	err = excache_fork_prepare(member);
	if (err) {
		pthread_rwlock_unlock(&rack_layout);
		return err;
	}
	pid = fork();
	if (pid == 0) {
		member_next = 1;
		child_begin(member);
		return 0;
	}
	excache_fork_parent();
	pthread_rwlock_unlock(&rack_layout);
	return pid;
}

static int ended(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- memory ---- */

static uint64_t value(uint64_t page, uint64_t generation)
{
	return page << 32 | generation;
}

static void page_fill(uint64_t page, uint64_t generation)
{
	for (unsigned i = 0; i < GUARD_WORDS; i++)
		mem[page * GUARD_WORDS + i] = value(page, generation);
}

static bool page_holds(uint64_t page, uint64_t generation)
{
	for (unsigned i = 0; i < GUARD_WORDS; i++)
		if (mem[page * GUARD_WORDS + i] != value(page, generation)) {
			fprintf(stderr, "member %u page %lu word %u: %#lx, not %#lx\n", self, (unsigned long)page, i,
				(unsigned long)mem[page * GUARD_WORDS + i], (unsigned long)value(page, generation));
			return false;
		}
	return true;
}

/* Every page has its generation of `of`. */
static bool all_hold(const uint32_t *of)
{
	for (uint64_t p = 0; p < PAGES; p++)
		if (!page_holds(p, of[p]))
			return false;
	return true;
}

static uint32_t seen[PAGES];

static void write_some(uint32_t generation, unsigned first, unsigned step)
{
	for (uint64_t p = first; p < PAGES; p += step) {
		page_fill(p, generation);
		seen[p] = generation;
	}
}

/* In the test itself: cmocka takes SIGBUS for itself at its begin. */
static void filled(void)
{
	mem = rack_map_registered(0, BYTES);
	write_some(1, 0, 1);
}

/* ---- tests ---- */

static void both_sides_write(void **state)
{
	pid_t child;

	(void)state;
	filled();
	child = forked();
	assert_true(child >= 0);
	if (!child) {
		bool good = all_hold(seen);

		write_some(2, 0, 2);
		good = good && all_hold(seen);
		write_some(3, 0, 3);
		_exit(good && all_hold(seen) ? 7 : 8);
	}
	write_some(4, 1, 2);
	assert_true(all_hold(seen));
	write_some(5, 0, 5);
	assert_int_equal(ended(child), 7);
	assert_true(all_hold(seen));
	member_left(1);
}

/* A child of a child of a child: each writes its own, before and after its own fork. */
static void generation(unsigned depth)
{
	pid_t child = forked();

	if (child < 0)
		_exit(90);
	if (!child) {
		bool good = all_hold(seen);

		write_some(100 + depth, depth, 4);
		good = good && all_hold(seen);
		if (depth < 4)
			generation(depth + 1);
		_exit(good && all_hold(seen) ? 0 : 1);
	}
	write_some(200 + depth, depth + 1, 3);
	if (ended(child) || !all_hold(seen))
		_exit(91);
}

static void generations(void **state)
{
	pid_t child;

	(void)state;
	filled();
	/* The first generation in a child, so that a failure in the parents' steps is an exit status too. */
	child = forked();
	assert_true(child >= 0);
	if (!child) {
		generation(0);
		_exit(all_hold(seen) ? 0 : 1);
	}
	write_some(2, 0, 7);
	assert_int_equal(ended(child), 0);
	assert_true(all_hold(seen));
	member_left(1);
}

static void *fault_on(void *arg)
{
	unsigned t = (unsigned)(uintptr_t)arg, seed = t;

	while (!__atomic_load_n(&seen[0], __ATOMIC_RELAXED)) {
		uint64_t p = PAGES / 2 + (uint64_t)rand_r(&seed) % (PAGES / 8) * 4 + t;

		if (rand_r(&seed) % 2)
			page_fill(p, (uint64_t)rand_r(&seed) % 1000);
		else if (mem[p * GUARD_WORDS] >> 32 != p)
			abort();
	}
	rack_port_done();
	return NULL;
}

/* Half of the memory stands still, in the other threads write up to the fork and on. */
static void under_threads(void **state)
{
	pthread_t thread[3];
	pid_t child[8];

	(void)state;
	filled();
	seen[0] = 0;
	for (uintptr_t t = 0; t < 3; t++)
		assert_int_equal(pthread_create(&thread[t], NULL, fault_on, (void *)t), 0);
	for (unsigned n = 0; n < 8; n++) {
		child[n] = forked();
		assert_true(child[n] >= 0);
		if (!child[n]) {
			for (uint64_t p = 0; p < PAGES; p++) {
				if (p < PAGES / 2 && !page_holds(p, 1 + (p % 8 < n)))
					_exit(1);
				if (mem[p * GUARD_WORDS + 17] >> 32 != p)
					_exit(2);
			}
			_exit(0);
		}
		/* what the next one sees and this one does not */
		for (uint64_t p = n; p < PAGES / 2; p += 8)
			page_fill(p, 2);
	}
	for (unsigned n = 0; n < 8; n++)
		assert_int_equal(ended(child[n]), 0);
	__atomic_store_n(&seen[0], 1, __ATOMIC_RELAXED);
	for (unsigned t = 0; t < 3; t++)
		pthread_join(thread[t], NULL);
	for (uint32_t m = 1; m <= 8; m++)
		member_left(m);
}

/* A child that never touches a page has no connection: the daemon's word is what frees its share. */
static void dies_at_once(void **state)
{
	uint64_t before;
	pid_t child;

	(void)state;
	filled();
	child_budget = BUDGET;
	child = forked();
	if (!child)
		_exit(0);
	assert_int_equal(ended(child), 0);
	before = frames_granted();
	rack_unmap(0);
	usleep(20000);
	assert_true(before > 0 && frames_granted() >= PAGES - BUDGET / PAGE_BYTES);
	member_left(1);
	frames_become(0);
}

/* The parent, a process of its own here, is gone when the child needs what the parent had. */
static void parent_dies_first(void **state)
{
	pid_t parent;
	int p[2], q[2], result;

	(void)state;
	filled();
	assert_int_equal(pipe(p) | pipe(q), 0);
	parent = forked();
	assert_true(parent >= 0);
	if (!parent) {
		pid_t child;

		write_some(2, 0, 2);
		child = forked();
		if (!child) {
			char c;

			if (read(p[0], &c, 1) != 1)
				_exit(1);
			result = all_hold(seen);
			write_some(3, 1, 3);
			result += 2 * all_hold(seen);
			if (write(q[1], &result, sizeof(result)) != sizeof(result))
				_exit(1);
			_exit(0);
		}
		_exit(child > 0 ? 0 : 1);
	}
	assert_int_equal(ended(parent), 0);
	member_left(1);
	write_some(4, 0, 3);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(read(q[0], &result, sizeof(result)), sizeof(result));
	assert_int_equal(result, 3);
	assert_true(all_hold(seen));
	member_left(1001);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

static int poke(uint64_t page)
{
	sigjmp_buf buf;

	rack_catch = &buf;
	rack_err = 0;
	if (sigsetjmp(buf, 0) == 0)
		mem[page * GUARD_WORDS] = 1;
	rack_catch = NULL;
	return rack_err;
}

/* A component dies after the fork: each side is told for itself, by name, and keeps the rest. */
static void memory_killed(void **state)
{
	pid_t child;
	int p[2];

	(void)state;
	filled();
	assert_int_equal(pipe(p), 0);
	child = forked();
	if (!child) {
		unsigned lost = 0, kept = 0;
		char c;

		if (read(p[0], &c, 1) != 1)
			_exit(1);
		for (uint64_t i = 0; i < PAGES; i++) {
			int err = poke(i);

			lost += err == -EIO;
			kept += err == 0;
		}
		if (lost + kept != PAGES || !lost || !kept)
			_exit(2);
		_exit(strstr(rack_said, "mem1") && !strstr(rack_said, "mem0") ? 0 : 3);
	}
	kill(rack.pid[1], SIGKILL);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(ended(child), 0);
	for (uint64_t i = 0; i < PAGES; i++)
		assert_true(poke(i) == 0 || rack_err == -EIO);
	assert_non_null(strstr(rack_said, "mem1"));
	/* It can fork on, with what is left. */
	child = forked();
	if (!child)
		_exit(poke(0) == 0 || rack_err == -EIO ? 0 : 1);
	assert_int_equal(ended(child), 0);
	rack.told[1].granted_bytes = 0;
	member_left(1);
	member_left(2);
	close(p[0]);
	close(p[1]);
}

/* A fork that does not come about leaves the parent as it was. */
static void refused(void **state)
{
	pid_t child;

	(void)state;
	filled();
	child = forked();
	if (!child)
		_exit(all_hold(seen) ? 0 : 1);
	assert_int_equal(ended(child), 0);
	member_next = 1; /* it was there */
	assert_int_equal(forked(), -EEXIST);
	assert_true(all_hold(seen));
	write_some(2, 0, 2);
	assert_true(all_hold(seen));
	child = forked();
	if (!child)
		_exit(all_hold(seen) ? 0 : 1);
	assert_int_equal(ended(child), 0);
	member_left(1);
	member_left(2);
}

/* Every fork seals what was open: with few pages written between them, slabs must not gather. */
static void slabs_stay_bounded(void **state)
{
	uint64_t worst = 0;
	pid_t child;

	(void)state;
	filled();
	child_budget = BUDGET;
	for (uint32_t n = 1; n <= 200; n++) {
		/* Some of what was just written must leave, or there is nothing to be sealed. */
		for (uint64_t p = 0; p < PAGES / 2; p++) {
			uint64_t page = (p * 61 + n) % PAGES;

			if (p % 64 == 0) {
				page_fill(page, n + 1);
				seen[page] = n + 1;
			} else if (!page_holds(page, seen[page])) {
				fail();
			}
		}
		child = forked();
		assert_true(child >= 0);
		if (!child)
			_exit(0);
		assert_int_equal(ended(child), 0);
		member_left(n);
		usleep(3000);
		worst = worst > frames_granted() ? worst : frames_granted();
	}
	assert_true(all_hold(seen));
	printf("worst %lu frames of %lu pages\n", (unsigned long)worst, (unsigned long)PAGES);
	assert_true(worst <= 2 * PAGES + 4 * 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_sides_write, start, end),
		cmocka_unit_test_setup_teardown(generations, start, end),
		cmocka_unit_test_setup_teardown(under_threads, start, end),
		cmocka_unit_test_setup_teardown(dies_at_once, start, end),
		cmocka_unit_test_setup_teardown(parent_dies_first, start, end),
		cmocka_unit_test_setup_teardown(memory_killed, start, end),
		cmocka_unit_test_setup_teardown(refused, start, end),
		cmocka_unit_test_setup_teardown(slabs_stay_bounded, start, end),
	};

	log_open("test", LOG_ERROR);
	rack_peek = rack_peek_plain;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
