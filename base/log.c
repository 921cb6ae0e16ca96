/*
 * Log: one line, one write(2). The line is built on the stack, so that it can be written from any context; formats
 * with floating point or positional arguments are not used, since printf may allocate for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log_impl.h"

static const char *log_name = "ashlar";
static enum log_level log_most = LOG_WARN;
static int log_fd = STDERR_FILENO;

const char *const log_level_names[] = { "error", "warning", "info", "debug" };

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
	if (log_file_is_open())
		log_file_wrote(len);
}

void log_write(enum log_level level, const char *text)
{
	char line[LOG_LINE_BYTES];
	int head;

	if (log_file_is_open()) {
		line_write(line, log_file_line(line, sizeof(line), level, log_name, text));
		return;
	}
	head = snprintf(line, sizeof(line) / 2, "%s: %s: ", log_name, log_level_names[level]);
	if (head < 0)
		head = 0;
	if (head >= LOG_LINE_BYTES / 2)
		head = LOG_LINE_BYTES / 2 - 1;
	head += snprintf(line + head, sizeof(line) - (size_t)head, "%s", text);
	line_write(line, (size_t)head);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE_BYTES];
	int saved = errno;
	va_list ap;

	if (level > log_most || !log_limit_take(level, fmt))
		return;
	va_start(ap, fmt);
	errno = saved; /* for %m */
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = 0;
	va_end(ap);
	log_write(level, text);
	errno = saved;
}

void log_bug(const char *file, int line, const char *what)
{
	log_at(LOG_ERROR, "bug: %s:%d: %s", file, line, what);
	abort();
}
