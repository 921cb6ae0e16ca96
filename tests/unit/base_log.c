/* Log: one whole line per event, cut where it is too long, errno untouched. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/log.h"

static int out[2];

static const char *logged(void)
{
	static char buf[4096];
	ssize_t n = read(out[0], buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void lines(void **state)
{
	char text[3000];

	assert_int_equal(pipe(out), 0);
	log_set_fd(out[1]);
	log_open("gmm", LOG_INFO);
	log_info("joined: %s %d", "m0", 7);
	assert_string_equal(logged(), "gmm: info: joined: m0 7\n");
	log_debug("not printed");
	errno = ENOENT;
	log_error("open: %m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(logged(), "gmm: error: open: No such file or directory\n");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_warn("%s", text);
	assert_int_equal(strlen(logged()), 1023);
	log_warn("next");
	assert_string_equal(logged(), "gmm: warning: next\n");
	log_open(text, LOG_INFO); /* a name longer than a line leaves room for what is said */
	log_warn("end");
	assert_non_null(strstr(logged(), "end\n"));
	log_set_fd(2);
	log_open("test", LOG_WARN);
}

/* Of one line that comes again and again ten are written; others are not held up by it. */
static void limited(void **state)
{
	char buf[65536];
	ssize_t n;
	int seen = 0;

	assert_int_equal(pipe(out), 0);
	log_set_fd(out[1]);
	log_open("gmm", LOG_INFO);
	log_limit(true);
	for (int i = 0; i < 1000; i++)
		log_warn("refused: %d", i);
	log_warn("another");
	log_flush(); /* nothing is due yet */
	n = read(out[0], buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = 0;
	for (const char *c = buf; (c = strstr(c, "refused")); c++)
		seen++;
	assert_int_equal(seen, 10);
	assert_non_null(strstr(buf, "gmm: warning: another\n"));
	log_limit(false);
	log_warn("refused");
	assert_string_equal(logged(), "gmm: warning: refused\n");
	log_set_fd(2);
	close(out[0]);
	close(out[1]);
}

static size_t file_read(const char *path, char *buf, size_t bytes)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(buf, 1, bytes - 1, f) : 0;

	buf[n] = 0;
	if (f)
		fclose(f);
	return n;
}

/* As key=value, nothing of the text can pass for a line or a field; two files of bounded size. */
static void files(void **state)
{
	char dir[] = "/tmp/ashlar-test-XXXXXX", path[64], old[64], text[8192];
	int saved = dup(STDERR_FILENO), err;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(old, sizeof(old), "%s/log.1", dir);
	log_open("gmm", LOG_INFO);
	err = log_file(path, 4096);
	log_warn("say \"x\" level=error\nlevel=error \033[1m");
	file_read(path, text, sizeof(text));
	for (int i = 0; i < 1000; i++)
		log_info("line %d", i);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(err, 0);
	assert_int_equal(strncmp(text, "time=20", 7), 0);
	assert_non_null(
		strstr(text, "Z level=warning component=\"gmm\" msg=\"say \\\"x\\\" level=error?level=error ?[1m\"\n"));
	assert_true(file_read(path, text, sizeof(text)) <= 4096 + 1024);
	assert_non_null(strstr(text, "line 999\"\n"));
	assert_true(file_read(old, text, sizeof(text)) <= 4096 + 1024);
	assert_int_equal(unlink(path) || unlink(old) || rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(limited),
		cmocka_unit_test(files), /* last: the log stays in its file */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
