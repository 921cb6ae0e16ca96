/* Small scenarios for exhaustive walks. Each is about one kind of meeting; planted bugs must show in one of them. */
#ifndef ASHLAR_TESTS_MODEL_SCENARIOS_H
#define ASHLAR_TESTS_MODEL_SCENARIOS_H
#include "world.h"

static const struct scenario scenarios[] = {
	{ .name = "two writers of one page, evicted twice",
	  .program = { "w0 r0", "w0 r0" },
	  .pages = 1, .budget = 2, .frames = 4, .rounds = 2, .batch = 1, .grow = 1 },
	{ .name = "one writes, one reads a page, evicted three times",
	  .program = { "w0 w0", "r0 r0" },
	  .pages = 1, .budget = 1, .frames = 2, .rounds = 3, .batch = 1, .grow = 1 },
	{ .name = "two pages, room for one",
	  .program = { "w0 r1", "r0 w1" },
	  .pages = 2, .budget = 1, .frames = 3, .rounds = 3, .batch = 1, .grow = 1 },
	{ .name = "two pages of one segment, cleaned together",
	  .program = { "w0 w1 w0", "r1" },
	  .pages = 2, .budget = 2, .frames = 3, .rounds = 2, .batch = 2, .grow = 1 },
	{ .name = "a page of zeros among others",
	  .program = { "w0 z0", "w1" },
	  .pages = 2, .budget = 2, .frames = 2, .rounds = 2, .batch = 2, .grow = 1 },
	{ .name = "a growing edge, met by another thread",
	  .program = { "w0", "w2 r1" },
	  .pages = 3, .budget = 3, .frames = 3, .rounds = 1, .batch = 2, .grow = 3 },
	{ .name = "unmapped while used",
	  .program = { "w0 r0", "w0" }, .layout = "f0",
	  .pages = 1, .budget = 1, .frames = 2, .rounds = 1, .batch = 1, .grow = 1 },
	{ .name = "moved while used",
	  .program = { "w0 r1", "w1" }, .layout = "m01",
	  .pages = 2, .budget = 2, .frames = 3, .rounds = 1, .batch = 2, .grow = 1, .preempt = 3 },
	{ .name = "registered late, over the budget",
	  .program = { "w0 r1", "w1" }, .layout = "t0 t1", .native = { true, true },
	  .pages = 2, .budget = 1, .frames = 3, .rounds = 2, .batch = 2, .grow = 1 },
	{ .name = "three writers of one page",
	  .program = { "w0 r0", "w0", "w0" },
	  .pages = 1, .budget = 1, .frames = 3, .rounds = 2, .batch = 1, .grow = 1, .preempt = 3 },
	{ .name = "two pages, three threads",
	  .program = { "w0 r1", "w1 r0", "w0 w1" },
	  .pages = 2, .budget = 2, .frames = 4, .rounds = 3, .batch = 2, .grow = 1, .preempt = 2 },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

#endif
