/*
 * Log: one line, one write(2). The line is built on the stack, so that it can be written from any context; formats
 * with floating point or positional arguments are not used, since printf may allocate for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"

#define LOG_LINE_BYTES 1024

static const char *log_name = "ashlar";
static enum log_level log_most = LOG_WARN;
static int log_fd = STDERR_FILENO;

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void log_open(const char *name, enum log_level level)
{
	log_name = name;
	log_most = level;
}

void log_set_fd(int fd)
{
	log_fd = fd;
}

static void line_clean(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
}

/* Ends the line (cut to fit) and writes it; a log that cannot be written is nobody's error. */
static void line_write(char *line, size_t len)
{
	if (len > LOG_LINE_BYTES - 2)
		len = LOG_LINE_BYTES - 2;
	line_clean(line, len);
	line[len++] = '\n';
	while (write(log_fd, line, len) < 0 && errno == EINTR)
		;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_BYTES];
	int saved = errno, head, text;
	va_list ap;

	if (level > log_most)
		return;
	head = snprintf(line, sizeof(line) / 2, "%s: %s: ", log_name, level_names[level]);
	if (head < 0)
		head = 0;
	if (head >= LOG_LINE_BYTES / 2)
		head = LOG_LINE_BYTES / 2 - 1;
	va_start(ap, fmt);
	errno = saved; /* for %m */
	text = vsnprintf(line + head, sizeof(line) - (size_t)head, fmt, ap);
	va_end(ap);
	line_write(line, (size_t)head + (size_t)(text < 0 ? 0 : text));
	errno = saved;
}

bool log_allowed(struct log_limit *l, uint64_t now_ns)
{
	uint32_t left_out = l->left_out;

	if (!l->from_ns || now_ns - l->from_ns >= NS_PER_S) {
		*l = (struct log_limit){ .from_ns = now_ns };
		if (left_out)
			log_warn("%u lines of this kind were left out", left_out);
	}
	if (l->said == LOG_BURST) {
		l->left_out++;
		return false;
	}
	l->said++;
	return true;
}

void log_bug(const char *file, int line, const char *what)
{
	log_at(LOG_ERROR, "bug: %s:%d: %s", file, line, what);
	abort();
}
