/*
 * Log into a file: one line per event as key=value fields,
 *	time=2026-01-31T23:59:59.123Z level=warning component="pcomponent p0" msg="process 7 ..."
 * The file becomes descriptor 2, so that what others say there (a sanitizer, libc at abort) is not lost. When it has
 * grown to its limit it is renamed to FILE.1, over the one before, and begun anew: two limits at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/log_impl.h"

static char file_path[PATH_MAX];
static uint64_t file_bytes, file_max;

bool log_file_is_open(void)
{
	return file_max != 0;
}

/* The path's file as descriptor 2. */
static int file_open(void)
{
	int fd = open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || dup2(fd, STDERR_FILENO) < 0)
		err = -errno;
	else
		file_bytes = (uint64_t)st.st_size;
	if (fd != STDERR_FILENO)
		close(fd);
	return err;
}

int log_file(const char *path, uint64_t max)
{
	int err;

	if (snprintf(file_path, sizeof(file_path), "%s", path) >= (int)sizeof(file_path) - 2)
		return -ENAMETOOLONG;
	err = file_open();
	if (!err)
		file_max = max;
	return err;
}

void log_file_wrote(size_t bytes)
{
	char old[PATH_MAX + 2];

	file_bytes += bytes;
	if (file_bytes < file_max)
		return;
	snprintf(old, sizeof(old), "%s.1", file_path);
	/* Where the folder is gone, or the disk is full, the file that is open goes on from its beginning. */
	if (rename(file_path, old) || file_open()) {
		if (ftruncate(STDERR_FILENO, 0) == 0)
			file_bytes = 0;
	}
}

/* Civil date of a day number (days since 1970-01-01); gmtime_r may take a lock. */
static void date_of(int64_t day, int *y, int *m, int *d)
{
	*y = 1970;
	for (;;) {
		int days = (*y % 4 == 0 && (*y % 100 || *y % 400 == 0)) ? 366 : 365;

		if (day < days)
			break;
		day -= days;
		(*y)++;
	}
	static const int common[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	for (*m = 0; *m < 11; (*m)++) {
		int days = common[*m] + (*m == 1 && *y % 4 == 0 && (*y % 100 || *y % 400 == 0));

		if (day < days)
			break;
		day -= days;
	}
	*m += 1;
	*d = (int)day + 1;
}

static size_t quoted(char *buf, size_t bytes, const char *text)
{
	size_t n = 0;

	for (; *text && n + 4 < bytes; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			buf[n++] = '\\';
		buf[n++] = c < ' ' || c == 0x7f ? '?' : (char)c;
	}
	buf[n] = 0;
	return n;
}

size_t log_file_line(char *buf, size_t bytes, enum log_level level, const char *name, const char *text)
{
	struct timespec now;
	int y, m, d, n;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	date_of(now.tv_sec / 86400, &y, &m, &d);
	n = snprintf(buf, bytes / 2, "time=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ level=%s component=\"%.100s\" msg=\"", y,
		     m, d, (int)(now.tv_sec / 3600 % 24), (int)(now.tv_sec / 60 % 60), (int)(now.tv_sec % 60),
		     (int)(now.tv_nsec / 1000000), log_level_names[level], name);
	len = (size_t)n;
	len += quoted(buf + len, bytes - len - 2, text);
	buf[len++] = '"';
	buf[len] = 0;
	return len;
}
