/* Eviction policies, and the queue they are made of. What holds for every policy is tested for each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "pcomponent/excache/policies.h"
#include "pcomponent/excache/queue.h"

#define LINES 4096u

static uint32_t resident[LINES]; /* generation; 0: not */

static bool live(uint64_t vpn, uint32_t gen)
{
	return vpn < LINES && resident[vpn] == gen && gen != 0;
}

static int nothing_resident(void **state)
{
	(void)state;
	memset(resident, 0, sizeof(resident));
	return 0;
}

static void queue_keeps_order(void **state)
{
	struct line_ref r;
	struct queue q;

	(void)state;
	assert_int_equal(queue_open(&q, 16, live), 0);
	for (uint32_t i = 0; i < 3000; i++) {
		resident[i] = i + 1;
		assert_int_equal(queue_push(&q, i, i + 1), 0);
	}
	for (uint32_t i = 0; i < 3000; i++) {
		assert_true(queue_pop(&q, &r));
		assert_int_equal(r.vpn, i);
		assert_int_equal(r.gen, i + 1);
		assert_false(r.gone);
	}
	assert_false(queue_pop(&q, &r));
	queue_close(&q);
}

static void queue_forgets_the_stale(void **state)
{
	struct line_ref r;
	struct queue q;

	(void)state;
	assert_int_equal(queue_open(&q, 16, live), 0);
	/* A page mapped and unmapped for ever, and one that stays. */
	resident[7] = 3;
	assert_int_equal(queue_push(&q, 7, 3), 0);
	for (uint32_t i = 1; i < 100000; i++) {
		resident[1] = i;
		assert_int_equal(queue_push(&q, 1, i), 0);
	}
	assert_true(q.size <= 1024);
	assert_true(queue_pop(&q, &r));
	assert_int_equal(r.vpn, 7);
	assert_true(queue_pop(&q, &r));
	assert_int_equal(r.vpn, 1);
	assert_int_equal(r.gen, 99999);
	assert_false(queue_pop(&q, &r));
	queue_close(&q);
}

static void queue_holds_any_vpn(void **state)
{
	struct line_ref r;
	struct queue q;

	(void)state;
	assert_int_equal(queue_open(&q, 16, live), 0);
	resident[LINES - 1] = LINE_GEN_MASK;
	assert_int_equal(queue_push(&q, (1ULL << 35) - 1, 5), 0);
	assert_int_equal(queue_push(&q, LINES - 1, LINE_GEN_MASK), 0);
	assert_true(queue_pop(&q, &r));
	assert_int_equal(r.vpn, LINES - 1);
	assert_int_equal(r.gen, LINE_GEN_MASK);
	queue_close(&q);
}

/* Every resident line is offered once, and again only when it was retained. */
static void each_line_is_offered(void **state)
{
	const struct policy_ops *ops = *state;
	struct line_ref v[64];
	struct policy *p;
	unsigned got, total = 0;

	assert_int_equal(ops->open(1000, live, &p), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		resident[i] = 1 + i / 100;
		assert_int_equal(ops->admit(p, i, resident[i]), 0);
	}
	resident[500] = 0;
	while ((got = ops->victims(p, v, 64)) > 0)
		for (unsigned i = 0; i < got; i++) {
			assert_true(live(v[i].vpn, v[i].gen));
			assert_false(v[i].gone);
			if (v[i].vpn == 10 && total < 999) {
				assert_int_equal(ops->retain(p, v[i].vpn, v[i].gen), 0);
				total = 999; /* only once */
				continue;
			}
			resident[v[i].vpn] = 0;
		}
	for (uint32_t i = 0; i < LINES; i++)
		assert_int_equal(resident[i], 0);
	ops->close(p);
}

static void fifo_is_first_in_first_out(void **state)
{
	const struct policy_ops *ops = policy_find("fifo");
	struct line_ref v[4];
	struct policy *p;

	(void)state;
	assert_int_equal(ops->open(100, live, &p), 0);
	for (uint32_t i = 0; i < 10; i++) {
		resident[i] = 1;
		assert_int_equal(ops->admit(p, i, 1), 0);
	}
	assert_int_equal(ops->victims(p, v, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(v[i].vpn, i);
	ops->close(p);
}

static void policies_have_names(void **state)
{
	(void)state;
	assert_non_null(policy_find(NULL));
	assert_null(policy_find("no such policy"));
	assert_string_equal(policy_find("fifo")->name, "fifo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(queue_keeps_order, nothing_resident),
		cmocka_unit_test_setup(queue_forgets_the_stale, nothing_resident),
		cmocka_unit_test_setup(queue_holds_any_vpn, nothing_resident),
		{ "each_line_is_offered: fifo", each_line_is_offered, nothing_resident, NULL, (void *)&policy_fifo },
		cmocka_unit_test_setup(fifo_is_first_in_first_out, nothing_resident),
		cmocka_unit_test(policies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
