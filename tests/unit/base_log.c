/* Log: one whole line per event, cut where it is too long, errno untouched. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
