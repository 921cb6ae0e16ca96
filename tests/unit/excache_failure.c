/* What becomes of a process when memory components are full, dead, stopped, or refuse it. */
#include <poll.h>
#include "excache_rack.h"

#define BUDGET (1ULL << 20)
#define LINES (BUDGET / PAGE_BYTES)

static struct rack rack;

static int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RACK_REGIONS; i++)
		if (rack_region[i].end)
			rack_unmap(i);
	rack_port_done();
	excache_close();
	rack_end(&rack);
	return 0;
}

/* Write one word of a page, or say why not. */
static int poke(volatile char *p, char v)
{
	sigjmp_buf buf;

	rack_catch = &buf;
	rack_err = 0;
	if (sigsetjmp(buf, 0) == 0)
		*p = v;
	rack_catch = NULL;
	return rack_err;
}

static int peek_at(const volatile char *p, char *v)
{
	sigjmp_buf buf;

	rack_catch = &buf;
	rack_err = 0;
	if (sigsetjmp(buf, 0) == 0)
		*v = *p;
	rack_catch = NULL;
	return rack_err;
}

static void bad_budget_and_policy(void **state)
{
	(void)state;
	rack_add_memory(&rack, 4 << 20);
	assert_int_equal(rack_open(&rack, 255 << 10, NULL), -EINVAL);
	assert_non_null(strstr(rack_said, "256 KB"));
	net_close(rack.net);
	free(rack.stats);
	assert_int_equal(rack_open(&rack, 256 << 10, "no such"), -EINVAL);
	net_close(rack.net);
	free(rack.stats);
	assert_int_equal(rack_open(&rack, 256 << 10, NULL), 0);
}

static void smallest_budget_works(void **state)
{
	volatile char *p;

	(void)state;
	rack_add_memory(&rack, 16 << 20);
	assert_int_equal(rack_open(&rack, 256 << 10, NULL), 0);
	p = rack_map_registered(0, 4 << 20);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 1024; i++) {
			assert_int_equal(p[i * PAGE_BYTES], round ? (char)(i + round - 1) : 0);
			p[i * PAGE_BYTES] = (char)(i + round);
		}
	assert_true(rack_present((const void *)(uintptr_t)p, 4 << 20) <= 64);
}

static void unreachable_and_unknown(void **state)
{
	(void)state;
	rack_add_memory(&rack, 4 << 20);
	rack_add_memory(&rack, 4 << 20);
	rack.memory[1].cap.w[0]++;
	assert_int_equal(rack_open(&rack, BUDGET, NULL), -EACCES);
	assert_non_null(strstr(rack_said, "mem1"));
	net_close(rack.net);
	free(rack.stats);
	kill(rack.pid[1], SIGKILL);
	waitpid(rack.pid[1], NULL, 0);
	rack.memory[0] = rack.memory[1]; /* the first has ended the process by now */
	assert_true(rack_open(&rack, BUDGET, NULL) < 0);
	assert_non_null(strstr(rack_said, "mem1"));
	assert_non_null(strstr(rack_said, "does not answer"));
}

static void full_rack(void **state)
{
	volatile char *p;
	unsigned written = 0;
	char v = 0;

	(void)state;
	rack_add_memory(&rack, 2 << 20);
	rack_add_memory(&rack, 3 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	p = rack_map_registered(0, 16 << 20);
	while (written < 4096 && poke(p + written * PAGE_BYTES, (char)(written | 1)) == 0)
		written++;
	assert_int_equal(rack_err, -ENOMEM);
	/* Both components were filled; and at no time was more resident than allowed. */
	assert_true(written >= 5 * LINES);
	assert_true(rack_present((const void *)(uintptr_t)p, 16 << 20) <= LINES);
	assert_non_null(strstr(rack_said, "exhausted"));
	assert_non_null(strstr(rack_said, "mem0 full with 2M"));
	assert_non_null(strstr(rack_said, "mem1 full with 3M"));
	assert_ptr_equal(strchr(rack_said, '\n')[1], 0); /* said once */
	/* It stays usable: what is unmapped makes room. */
	excache_forget(rack_region[0].start + 3 * BUDGET, rack_region[0].end);
	assert_int_equal(madvise((void *)(uintptr_t)(p + 3 * BUDGET), 13 << 20, MADV_DONTNEED), 0);
	for (unsigned i = 0; i < 3 * LINES; i++) {
		assert_int_equal(peek_at(p + i * PAGE_BYTES, &v), 0);
		assert_int_equal(v, (char)(i | 1));
	}
	for (unsigned i = 3 * LINES; i < 5 * LINES; i++)
		assert_int_equal(poke(p + i * PAGE_BYTES, 1), 0);
}

static void dead_component(void **state)
{
	unsigned lost = 0, kept = 0;
	volatile char *p;
	struct pollfd pfd;
	int fds[4];
	char v = 0;

	(void)state;
	rack_add_memory(&rack, 16 << 20);
	rack_add_memory(&rack, 16 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	p = rack_map_registered(0, 4 * BUDGET);
	for (unsigned i = 0; i < 4 * LINES; i++)
		p[i * PAGE_BYTES] = (char)(i | 1);
	assert_int_equal(excache_watch_fds(fds, 4), 2);
	kill(rack.pid[0], SIGKILL);
	/* What the dispatcher's service thread does. */
	pfd = (struct pollfd){ .fd = fds[0], .events = POLLIN | POLLRDHUP };
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	excache_watch_dead(fds[0]);
	for (unsigned i = 0; i < 4 * LINES; i++) {
		int err = peek_at(p + i * PAGE_BYTES, &v);

		lost += err == -EIO;
		kept += err == 0 && v == (char)(i | 1);
	}
	assert_int_equal(lost + kept, 4 * LINES);
	assert_true(lost > LINES / 2 && kept > LINES);
	assert_non_null(strstr(rack_said, "memory component mem0 is gone"));
	assert_ptr_equal(strchr(rack_said, '\n')[1], 0);
	/* The other one serves on. */
	for (unsigned i = 0; i < 4 * LINES; i++)
		if (peek_at(p + i * PAGE_BYTES, &v) == 0)
			assert_int_equal(poke(p + i * PAGE_BYTES, 5), 0);
	for (unsigned i = 0; i < 4 * LINES; i++)
		if (peek_at(p + i * PAGE_BYTES, &v) == 0)
			assert_int_equal(v, 5);
}

static void all_components_dead(void **state)
{
	volatile char *p;
	unsigned failed = 0;
	char v;
	int fd;

	(void)state;
	rack_add_memory(&rack, 16 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	p = rack_map_registered(0, 4 * BUDGET);
	for (unsigned i = 0; i < 4 * LINES; i++)
		p[i * PAGE_BYTES] = (char)(i | 1);
	kill(rack.pid[0], SIGKILL);
	waitpid(rack.pid[0], NULL, 0);
	assert_int_equal(excache_watch_fds(&fd, 1), 1);
	excache_watch_dead(fd);
	for (unsigned i = 0; i < 4 * LINES; i++)
		failed += peek_at(p + i * PAGE_BYTES, &v) != 0;
	assert_true(failed >= 3 * LINES);
	assert_ptr_equal(strchr(rack_said, '\n')[1], 0);
	/* What is there can still be written: nobody protects it again and again for an eviction that cannot be. */
	for (unsigned i = 0; i < 4 * LINES; i++)
		if (peek_at(p + i * PAGE_BYTES, &v) == 0)
			assert_int_equal(poke(p + i * PAGE_BYTES, 3), 0);
	assert_null(strstr(rack_said, "cannot be accessed"));
}

/* A fabric whose descriptors do not show a hang-up: the look now and then finds it, with no transfer or message. */
static void found_by_looking(void **state)
{
	struct pollfd pfd;
	int fds[4];

	(void)state;
	rack_add_memory(&rack, 16 << 20);
	rack_add_memory(&rack, 16 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	excache_watch_look();
	assert_string_equal(rack_said, "");
	assert_int_equal(excache_watch_fds(fds, 4), 2);
	kill(rack.pid[1], SIGKILL);
	pfd = (struct pollfd){ .fd = fds[1], .events = POLLIN | POLLRDHUP };
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	excache_watch_look();
	assert_non_null(strstr(rack_said, "memory component mem1 is gone"));
	excache_watch_look();
	assert_ptr_equal(strchr(rack_said, '\n')[1], 0); /* said once */
}

static void stopped_component(void **state)
{
	uint64_t misses;
	volatile char *p;

	(void)state;
	rack_add_memory(&rack, 64 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	p = rack_map_registered(0, 4 * BUDGET);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 4 * LINES; i++)
			p[i * PAGE_BYTES] = (char)(i | 1);
	excache_flush();
	misses = rack.stats->misses;
	kill(rack.pid[0], SIGSTOP);
	for (unsigned round = 0; round < 20; round++)
		for (unsigned i = 0; i < 4 * LINES; i += 1 + round % 2) {
			assert_int_equal(p[i * PAGE_BYTES], (char)(i | 1));
			p[i * PAGE_BYTES] = (char)(i | 1);
		}
	assert_true(rack.stats->misses - misses > 10 * LINES);
	kill(rack.pid[0], SIGCONT);
	for (unsigned i = 0; i < 4 * LINES; i++)
		assert_int_equal(p[i * PAGE_BYTES], (char)(i | 1));
	assert_string_equal(rack_said, "");
}

/*
 * Faults without end on a page that is there. The pauses are time that a busy machine takes away: they must not count.
 */
static void faults_without_end(void **state)
{
	volatile char *p;
	uint64_t from, ended = 0;

	(void)state;
	rack_add_memory(&rack, 64 << 20);
	assert_int_equal(rack_open(&rack, BUDGET, NULL), 0);
	p = rack_map_registered(0, 4 * PAGE_BYTES);
	p[0] = 1;
	from = (uint64_t)p;
	for (unsigned i = 0; i < 1000000 && !ended; i++) {
		if (i == 50000)
			usleep(10500000);
		if (excache_fault(rack_port, from, false, from, from + 4 * PAGE_BYTES))
			ended = i + 1;
	}
	assert_in_range(ended, 90000, 110000);
	assert_non_null(strstr(rack_said, "is resident and cannot be accessed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bad_budget_and_policy, end),
		cmocka_unit_test_teardown(smallest_budget_works, end),
		cmocka_unit_test_teardown(unreachable_and_unknown, end),
		cmocka_unit_test_teardown(full_rack, end),
		cmocka_unit_test_teardown(dead_component, end),
		cmocka_unit_test_teardown(all_components_dead, end),
		cmocka_unit_test_teardown(found_by_looking, end),
		cmocka_unit_test_teardown(stopped_component, end),
		cmocka_unit_test_teardown(faults_without_end, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
