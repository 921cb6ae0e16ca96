/* The event loop: order of timers, arming and disarming from callbacks, descriptors that go away in mid-round. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/loop.h"

#define TIMERS 3000

static struct loop *loop;

static int open_loop(void **state)
{
	return loop_open(&loop);
}

static int close_loop(void **state)
{
	loop_close(loop);
	return 0;
}

static void stop(void *arg)
{
	loop_stop(loop);
}

struct shot {
	struct loop_timer timer;
	uint64_t due;
};
static uint64_t last_due;
static unsigned fired;

static void shot_fire(void *arg)
{
	struct shot *s = arg;

	assert_true(loop_now(loop) >= s->due);
	assert_true(s->due >= last_due);
	last_due = s->due;
	if (++fired == TIMERS - TIMERS / 3)
		loop_stop(loop);
}

static void timers_in_order(void **state)
{
	struct shot *s = calloc(TIMERS, sizeof(*s));
	uint64_t now = loop_now(loop);

	srand(1);
	fired = 0;
	last_due = 0;
	for (unsigned i = 0; i < TIMERS; i++) {
		s[i].timer.fn = shot_fire;
		s[i].timer.arg = &s[i];
		s[i].due = now + (uint64_t)(rand() % 50) * NS_PER_MS;
		loop_timer_set(loop, &s[i].timer, now + NS_PER_S);
		loop_timer_set(loop, &s[i].timer, s[i].due); /* moving it counts */
	}
	for (unsigned i = 0; i < TIMERS; i += 3) {
		loop_timer_del(loop, &s[i].timer);
		loop_timer_del(loop, &s[i].timer); /* harmless */
	}
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(fired, TIMERS - TIMERS / 3);
	free(s);
}

static struct loop_timer self, other;
static unsigned self_fired, other_fired;

static void self_fire(void *arg)
{
	loop_timer_del(loop, &other); /* due in the same round: must not fire */
	if (++self_fired < 5)
		loop_timer_set(loop, &self, loop_now(loop));
	else
		loop_stop(loop);
}

static void other_fire(void *arg)
{
	other_fired++;
}

static void timers_from_timers(void **state)
{
	uint64_t now = loop_now(loop);

	self = (struct loop_timer){ .fn = self_fire };
	other = (struct loop_timer){ .fn = other_fire };
	loop_timer_del(loop, &self); /* never armed: harmless */
	loop_timer_set(loop, &self, now);
	loop_timer_set(loop, &other, now);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(self_fired, 5);
	assert_int_equal(other_fired, 0);
}

static int pipes[2][2];
static unsigned readable;

/* Whichever comes first takes the other out, and puts a new one under the same number in its place. */
static void first_wins(void *arg, uint32_t events)
{
	int *mine = arg, *gone = mine == pipes[0] ? pipes[1] : pipes[0];
	char c;

	assert_int_equal(events & EPOLLIN, EPOLLIN);
	assert_int_equal(read(mine[0], &c, 1), 1);
	readable++;
	loop_fd_del(loop, gone[0]);
	assert_int_equal(read(gone[0], &c, 1), 1);
	assert_int_equal(loop_fd_add(loop, gone[0], EPOLLIN, first_wins, gone), 0);
}

static void fd_gone_in_round(void **state)
{
	struct loop_timer end = { .fn = stop };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(loop_fd_add(loop, pipes[i][0], EPOLLIN, first_wins, pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
	}
	loop_timer_set(loop, &end, loop_now(loop) + 20 * NS_PER_MS);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(readable, 1);
	for (int i = 0; i < 2; i++) {
		loop_fd_del(loop, pipes[i][0]);
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static void fd_errors(void **state)
{
	assert_int_equal(loop_fd_add(loop, -1, EPOLLIN, first_wins, NULL), -EBADF);
	assert_int_equal(loop_fd_add(loop, 4000, EPOLLIN, first_wins, NULL), -EBADF);
	assert_int_equal(loop_fd_mod(loop, 4000, EPOLLIN), -ENOENT);
	loop_fd_del(loop, 4000);
	assert_int_equal(loop_fd_add(loop, 1 << 30, EPOLLIN, first_wins, NULL), -EMFILE);
}

static void random_differs(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	loop_random(loop, a, sizeof(a));
	loop_random(loop, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_in_order),  cmocka_unit_test(timers_from_timers),
		cmocka_unit_test(fd_gone_in_round), cmocka_unit_test(fd_errors),
		cmocka_unit_test(random_differs),
	};

	return cmocka_run_group_tests(tests, open_loop, close_loop);
}
