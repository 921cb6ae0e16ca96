/* The doctor's table, its judgement of modes, its reading of versions. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "cli/doctor/doctor.h"

static struct doctor_finding *found;
static struct doctor_mode modes[DOCTOR_MODES];

static unsigned check_at(const char *name)
{
	for (unsigned i = 0; i < doctor_checks_n; i++)
		if (strcmp(doctor_checks[i].name, name) == 0)
			return i;
	fail_msg("there is no check %s", name);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	found = calloc(doctor_checks_n, sizeof(*found));
	return found ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(found);
	return 0;
}

static void table_is_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < doctor_checks_n; i++) {
		assert_true(doctor_checks[i].name[0] && doctor_checks[i].why[0]);
		assert_non_null(doctor_checks[i].look);
		assert_int_equal(check_at(doctor_checks[i].name), i);
	}
}

/* Whatever this machine is: each look ends, says something, and leaves no open descriptor. */
static void looks_are_whole(void **state)
{
	int before = dup(0), after;

	(void)state;
	close(before);
	for (unsigned i = 0; i < doctor_checks_n; i++) {
		doctor_checks[i].look(&found[i]);
		assert_true(found[i].found[0]);
		if (found[i].state != DOCTOR_OK)
			assert_true(found[i].means[0]);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void modes_follow_checks(void **state)
{
	char text[400];

	(void)state;
	doctor_modes(found, modes, false);
	for (unsigned k = 0; k < DOCTOR_MODES; k++)
		assert_true(modes[k].works);
	found[check_at("libfabric")].state = DOCTOR_MISSING;
	found[check_at("process_madvise")].state = DOCTOR_LIMITED;
	doctor_modes(found, modes, false);
	assert_true(modes[0].works && !modes[1].works && modes[2].works && modes[3].works);
	assert_string_equal(modes[1].why, "missing: libfabric");
	doctor_summary(found, modes, text, sizeof(text));
	assert_non_null(strstr(text, "works here: local, verbs, VM rack; 1 of "));
	found[check_at("userfaultfd")].state = DOCTOR_MISSING;
	doctor_modes(found, modes, false);
	assert_true(!modes[0].works && !modes[1].works && !modes[2].works && modes[3].works);
	assert_string_equal(modes[1].why, "missing: userfaultfd, libfabric");
	doctor_summary(found, modes, text, sizeof(text));
	assert_string_equal(text, "ashlar does not work here; missing: userfaultfd");
	for (unsigned i = 0; i < doctor_checks_n; i++) /* a long list is cut, not overrun */
		found[i].state = DOCTOR_MISSING;
	doctor_modes(found, modes, false);
	for (unsigned k = 0; k < DOCTOR_MODES; k++)
		assert_true(!modes[k].works && strlen(modes[k].why) < DOCTOR_TEXT_BYTES);
}

static void what_stands_for_linux(void **state)
{
	(void)state;
	assert_null(doctor_not_linux("Linux version 6.1.0-13-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian"));
	assert_null(doctor_not_linux("Linux version 5.15.90.1-microsoft-standard-WSL2 (oe-user@oe-host) #1 SMP"));
	assert_string_equal(doctor_not_linux("Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016"), "gVisor");
	assert_string_equal(doctor_not_linux("Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) #1"),
			    "WSL 1");
	assert_null(doctor_not_linux(""));
}

static void versions(void **state)
{
	unsigned major = 0, minor = 0;

	(void)state;
	assert_true(doctor_version("6.1.0-13-amd64", &major, &minor) && major == 6 && minor == 1);
	assert_true(doctor_version("5.11", &major, &minor) && major == 5 && minor == 11);
	assert_false(doctor_version("unknown", &major, &minor));
	assert_false(doctor_version("", &major, &minor));
}

static int give(void *arg)
{
	return *(int *)arg;
}

static int die(void *arg)
{
	signal(*(int *)arg, SIG_DFL);
	raise(*(int *)arg);
	return 0;
}

static void children(void **state)
{
	int zero = 0, err = EPERM, sig = SIGTERM;

	(void)state;
	assert_int_equal(doctor_in_child(give, &zero), 0);
	assert_int_equal(doctor_in_child(give, &err), EPERM);
	assert_int_equal(doctor_in_child(die, &sig), -SIGTERM);
}

static void what_was_denied(void **state)
{
	struct doctor_finding f = { 0 };

	(void)state;
	doctor_denied(&f, DOCTOR_MISSING, "frobnicate", -SIGALRM, "9.9");
	assert_string_equal(f.found, "frobnicate does not come back");
	doctor_denied(&f, DOCTOR_LIMITED, "frobnicate", -SIGKILL, "9.9");
	assert_non_null(strstr(f.found, "by signal 9"));
	assert_int_equal(f.state, DOCTOR_LIMITED);
	doctor_denied(&f, DOCTOR_MISSING, "frobnicate", ENOSYS, "9.9");
	assert_non_null(strstr(f.found, "frobnicate: Function not implemented"));
	assert_true(doctor_filtered() || strstr(f.fix, "from 9.9 on"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(table_is_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(looks_are_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(modes_follow_checks, setup, teardown),
		cmocka_unit_test(what_stands_for_linux),
		cmocka_unit_test(versions),
		cmocka_unit_test(children),
		cmocka_unit_test(what_was_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
