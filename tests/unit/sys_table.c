/*
 * docs/syscalls.md says what syscalls.def says. "sys_table print" prints the right table. Also: rows are sound, so that
 * the generic handlers may trust them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ashlar/stats.h"
#include "pcomponent/sys/dispatch.h"
#include "tests/lib/doc_table.h"

#define BEGIN "<!-- table: made from syscalls.def by tests/unit/sys_table.c -->\n"
#define TABLE_BYTES 65536

static const char *const levels[] = { "full", "partial", "none" };

static void table_print(char *out)
{
	char *p = out;
	uint64_t nr;

	p += sprintf(p, "| number | call | support | note |\n| ---: | --- | --- | --- |\n");
	for (nr = 0; nr < STATS_SYSCALLS; nr++) {
		const struct call_desc *d = call_desc(nr);

		if (d)
			p += sprintf(p, "| %lu | %s | %s | %s |\n", nr, d->name, levels[d->level], d->note);
	}
	assert_true(p - out < TABLE_BYTES - 200);
}

static void docs_agree(void **state)
{
	static char table[TABLE_BYTES];
	const char *doc = doc_table("syscalls.md", BEGIN);

	assert_non_null(doc);
	table_print(table);
	assert_string_equal(doc, table);
}

static void rows_are_sound(void **state)
{
	uint64_t nr;
	int i;

	for (nr = 0; nr < STATS_SYSCALLS; nr++) {
		const struct call_desc *d = call_desc(nr);

		if (!d)
			continue;
		for (i = 0; i < 6; i++) {
			const struct arg_desc *a = &d->arg[i];

			assert_true(a->len < 6);
			if (a->kind >= ARG_IN && a->kind <= ARG_IO)
				assert_true(a->bytes > 0);
			if (a->kind >= ARG_IN_N && a->kind <= ARG_OUT_R) /* the length is a number */
				assert_true(a->bytes > 0 && a->len != i && d->arg[a->len].kind <= ARG_FD);
			if (a->kind == ARG_OUT_L) /* the length is an int in memory */
				assert_true(d->arg[a->len].kind == ARG_IO && d->arg[a->len].bytes == 4);
		}
	}
}

static void unknown_has_no_row(void **state)
{
	assert_null(call_desc(STATS_SYSCALLS));
	assert_null(call_desc(UINT64_MAX));
	assert_null(call_desc(134)); /* uselib */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docs_agree),
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(unknown_has_no_row),
	};
	static char table[TABLE_BYTES];

	if (argc > 1 && !strcmp(argv[1], "print")) {
		table_print(table);
		fputs(table, stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
