/* The key of a rack: its file, and what only its holders can say. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/secret.h"

static char dir[] = "/tmp/ashlar-secret-XXXXXX", path[64];

static void put(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_file(void **state)
{
	struct secret a, b;
	struct stat st;
	char text[80];

	(void)state;
	unlink(path);
	assert_int_equal(secret_read(path, &a), -ENOENT);
	assert_int_equal(secret_make(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(secret_read(path, &a), 0);
	assert_int_equal(secret_make(path), -EEXIST);
	assert_int_equal(secret_read(path, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	unlink(path);
	assert_int_equal(secret_make(path), 0);
	assert_int_equal(secret_read(path, &b), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));

	memset(text, 'a', sizeof(text));
	text[64] = 0;
	put(text, 0600);
	assert_int_equal(secret_read(path, &a), 0);
	put(text, 0640);
	assert_int_equal(secret_read(path, &a), -EPERM);
	put(text + 1, 0600);
	assert_int_equal(secret_read(path, &a), -EINVAL);
	text[64] = 'a';
	text[65] = 0;
	put(text, 0600);
	assert_int_equal(secret_read(path, &a), -EINVAL);
	text[64] = '\n';
	text[20] = 'g';
	put(text, 0600);
	assert_int_equal(secret_read(path, &a), -EINVAL);
	put("", 0600);
	assert_int_equal(secret_read(path, &a), -EINVAL);
	assert_int_equal(secret_read(dir, &a), -EISDIR);
}

/* Another key, another purpose, other bytes: another answer. */
static void test_mac(void **state)
{
	struct secret a = { { 1 } }, b = { { 2 } };
	uint8_t mac[5][SECRET_MAC_BYTES];

	(void)state;
	secret_mac(&a, "one", "bytes", 5, mac[0]);
	secret_mac(&a, "one", "bytes", 5, mac[1]);
	assert_true(secret_mac_equal(mac[0], mac[1]));
	secret_mac(&b, "one", "bytes", 5, mac[1]);
	secret_mac(&a, "two", "bytes", 5, mac[2]);
	secret_mac(&a, "one", "bytea", 5, mac[3]);
	secret_mac(&a, "one", "bytes", 4, mac[4]);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < i; j++)
			assert_false(secret_mac_equal(mac[i], mac[j]));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_file), cmocka_unit_test(test_mac) };
	int failed;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/key", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
