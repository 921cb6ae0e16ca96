/* The command line of `ashlar run`, the rack file, names of system calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#include "cli/run.h"

static struct run_options o;
static char line[1024]; /* what went to stderr during parse or read */

/* stderr into `line` while fn runs. */
static int captured(int (*fn)(void *), void *arg)
{
	int saved = dup(STDERR_FILENO), ends[2], ret;
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	ret = fn(arg);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	n = read(ends[0], line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = 0;
	close(ends[0]);
	return ret;
}

static int parse_words(void *arg)
{
	char **words = arg;
	int n = 0;

	while (words[n])
		n++;
	return run_options(n, words, &o);
}

/* The words behind "run", separated by blanks. */
static int parse(const char *text)
{
	static char copy[256];
	static char *words[32];
	int n = 0;

	snprintf(copy, sizeof(copy), "run %s", text);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		words[n++] = w;
	words[n] = NULL;
	return captured(parse_words, words);
}

static void test_defaults(void **state)
{
	assert_int_equal(parse("true"), 0);
	assert_int_equal(o.excache_bytes, 0);
	assert_int_equal(o.memories, 2);
	assert_int_equal(o.memory_bytes, 0);
	assert_null(o.stats);
	assert_null(o.rack);
	assert_string_equal(o.root, "/");
	assert_string_equal(o.program[0], "true");
	assert_null(o.program[1]);
}

/* Options end at the program; what looks like one behind it is the program's. */
static void test_options_end(void **state)
{
	assert_int_equal(parse("--excache 64M ls --memory 3 -l"), 0);
	assert_int_equal(o.excache_bytes, 64 << 20);
	assert_int_equal(o.memories, 2);
	assert_string_equal(o.program[3], "-l");
	assert_string_equal(o.hook, "");
	assert_int_equal(parse("--emulate latency=5us,loss=0.1 ls"), 0);
	assert_string_equal(o.hook, "emulate:latency=5us,loss=0.1");
	assert_int_equal(o.weight, 10);
	assert_int_equal(parse("--weight 100 ls"), 0);
	assert_int_equal(o.weight, 100);
	assert_int_equal(parse("--memory=4x8M -- --odd name"), 0);
	assert_int_equal(o.memories, 4);
	assert_int_equal(o.memory_bytes, 8 << 20);
	assert_string_equal(o.program[0], "--odd");
}

/* Each mistake: 125 and one line that names it. */
static void test_mistakes(void **state)
{
	static const struct {
		const char *words, *named;
	} wrong[] = {
		{ "", "which program" },
		{ "--", "which program" },
		{ "--replicas 2 true", "--replicas" },
		{ "--emulate x=1 true", "--emulate: x=1: no such key" },
		{ "--emulate latency=5 true", "latency=5: a time" },
		{ "--emulate latency=5us;trace:file=/x true", "--emulate" },
		{ "--emulate jitter=5us true", "jitter is more than latency" },
		{ "--emulate latency=1us,latency=1us,latency=1us,latency=1us,latency=1us,latency=1us,latency=1us,latency=1us,"
		  "latency=1us,latency=1us,latency=1us,latency=1us true",
		  "--emulate" },
		{ "-q true", "-q" },
		{ "--excache", "--excache" },
		{ "--excache lots true", "lots" },
		{ "--excache -1 true", "-1" },
		{ "--excache 4K true", "4K" },
		{ "--excache 99999999999G true", "99999999999G" },
		{ "--memory 0 true", "0" },
		{ "--memory 17 true", "17" },
		{ "--memory x4M true", "x4M" },
		{ "--memory 2x true", "2x" },
		{ "--memory 2x0 true", "2x0" },
		{ "--memory 2y4M true", "2y4M" },
		{ "--weight 0 true", "--weight: 0" },
		{ "--weight 101 true", "--weight: 101" },
		{ "--weight 5x true", "--weight: 5x" },
		{ "--weight -1 true", "--weight: -1" },
		{ "--fabric quantum true", "quantum" },
		{ "--log loud true", "loud" },
		{ "--rack f --memory 2 true", "--memory" },
		{ "--rack f --root / true", "--root" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i].words), EXIT_ASHLAR);
		assert_int_equal(strncmp(line, "ashlar: ", 8), 0);
		assert_non_null(strstr(line, wrong[i].named));
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
}

static struct rack_file file;

static int read_file(void *arg)
{
	return rack_file_read(arg, &file);
}

static int rack(const char *text)
{
	char path[] = "/tmp/ashlar-test-XXXXXX";
	int fd = mkstemp(path);
	int ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	ret = captured(read_file, path);
	unlink(path);
	return ret;
}

static void test_rack_file(void **state)
{
	assert_int_equal(rack("# a rack\ngmm = \"local:@one\"\n"), 0);
	assert_string_equal(file.gmm, "local:@one");
	assert_string_equal(file.fabric, "local");
	assert_int_equal(rack("gmm = \"x:two:2\"\nfabric = \"x\""), 0);
	assert_string_equal(file.gmm, "x:two:2");
	assert_string_equal(file.fabric, "x");
}

static void test_bad_rack_file(void **state)
{
	char longer[256] = "gmm = \"local:@";

	assert_int_equal(rack(""), EXIT_ASHLAR);
	assert_int_equal(rack("gmm = \"\"\n"), EXIT_ASHLAR);
	assert_int_equal(rack("\n\ncolour = \"red\"\n"), EXIT_ASHLAR);
	assert_non_null(strstr(line, ":3: "));
	assert_int_equal(rack("gmm = \"local:@x\"\ngmm {\n"), EXIT_ASHLAR);
	assert_non_null(strstr(line, ":2: "));
	memset(longer + strlen(longer), 'a', 200);
	strcat(longer, "\"\n");
	assert_int_equal(rack(longer), EXIT_ASHLAR);
	assert_int_equal(captured(read_file, (void *)"/nonexistent/rack"), EXIT_ASHLAR);
	assert_non_null(strstr(line, "/nonexistent/rack"));
}

static void test_syscall_names(void **state)
{
	assert_string_equal(syscall_name(SYS_read), "read");
	assert_string_equal(syscall_name(SYS_exit_group), "exit_group");
	assert_string_equal(syscall_name(SYS_futex_waitv), "futex_waitv");
	assert_null(syscall_name(400));
	assert_null(syscall_name(511));
	assert_null(syscall_name(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_options_end),
		cmocka_unit_test(test_mistakes),      cmocka_unit_test(test_rack_file),
		cmocka_unit_test(test_bad_rack_file), cmocka_unit_test(test_syscall_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
