/*
 * Limit of the log: of one format at most LOG_BURST lines in LOG_WINDOW, the rest is counted and told in one line when
 * the window is over. Whoever can provoke a line at will (a peer that is refused again and again) can so provoke a
 * bounded number of bytes only. Off until log_limit(true).
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include "ashlar/base/clock.h"
#include "base/log_impl.h"

#define LOG_BURST 10u
#define LOG_WINDOW_S 10u
#define LOG_FORMATS 128u /* more than a program of ours has; beyond it all share the last one */

struct limit {
	const char *fmt;
	enum log_level level;
	uint64_t begin_ns;
	unsigned long lines, more;
};

static bool limit_on;
static struct limit limits[LOG_FORMATS];
/* Threads of a monitor are few, and lines are rare: who finds it taken writes without being counted. */
static atomic_flag busy = ATOMIC_FLAG_INIT;

void log_limit(bool on)
{
	limit_on = on;
}

static struct limit *limit_of(const char *fmt)
{
	size_t at = ((uintptr_t)fmt >> 3) * 0x9e3779b97f4a7c15ULL >> 57;

	for (size_t i = 0; i < LOG_FORMATS - 1; i++) {
		struct limit *l = &limits[(at + i) % (LOG_FORMATS - 1)];

		if (!l->fmt)
			l->fmt = fmt;
		if (l->fmt == fmt)
			return l;
	}
	return &limits[LOG_FORMATS - 1];
}

static bool window_over(const struct limit *l, uint64_t now)
{
	return now - l->begin_ns >= LOG_WINDOW_S * NS_PER_S;
}

static void tell_more(enum log_level level, const char *fmt, unsigned long more)
{
	char text[LOG_LINE_BYTES];

	snprintf(text, sizeof(text), "... %lu more in %u s: %s", more, LOG_WINDOW_S, fmt ? fmt : "(various)");
	log_write(level, text);
}

bool log_limit_take(enum log_level level, const char *fmt)
{
	unsigned long more = 0;
	struct limit *l;
	uint64_t now;
	bool pass;

	if (!limit_on || atomic_flag_test_and_set(&busy))
		return true;
	now = clock_ns();
	l = limit_of(fmt);
	if (window_over(l, now)) {
		more = l->more;
		*l = (struct limit){ .fmt = l->fmt, .level = level, .begin_ns = now };
	}
	pass = l->lines < LOG_BURST;
	if (pass)
		l->lines++;
	else
		l->more++;
	atomic_flag_clear(&busy);
	if (more)
		tell_more(level, l->fmt, more);
	return pass;
}

void log_flush(void)
{
	uint64_t now;

	if (!limit_on)
		return;
	now = clock_ns();
	for (size_t i = 0; i < LOG_FORMATS; i++) {
		struct limit *l = &limits[i];
		unsigned long more = 0;

		if (!l->more || !window_over(l, now) || atomic_flag_test_and_set(&busy))
			continue;
		more = l->more;
		l->more = 0;
		atomic_flag_clear(&busy);
		tell_more(l->level, l->fmt, more);
	}
}
