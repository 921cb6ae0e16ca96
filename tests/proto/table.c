/*
 * The table in docs/protocol.md says what the lists say. "table print" prints the right one.
 * Also here: what the lists promise of themselves (ids unique and of their edge, lookups, hash).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ashlar/proto/lists.h"
#include "tests/lib/doc_table.h"

#define BEGIN "<!-- table: made from the lists by tests/proto/table.c -->\n"
#define TABLE_BYTES 32768

static void table_print(char *out)
{
	static const char *const classes[NET_CLASSES] = { "demand", "background", "repair" };
	char *p = out;

	p += sprintf(p, "| id | message | class | request | its tail | reply | its tail |\n");
	p += sprintf(p, "| --- | --- | --- | ---: | ---: | ---: | ---: |\n");
	p += sprintf(p, "| `%04x` | HELLO | demand | %zu | | | |\n", MSG_HELLO, sizeof(struct hello_req));
	for (unsigned i = 0; i < MSG_COUNT; i++) {
		const struct msg_info *m = msg_info_at(i);
		char tail[2][16] = { "", "" };

		if (m->req_tail_max)
			sprintf(tail[0], "%u", m->req_tail_max);
		if (m->rep_tail_max)
			sprintf(tail[1], "%u", m->rep_tail_max);
		p += sprintf(p, "| `%04x` | %s | %s | %u | %s | %u | %s |\n", m->id, m->name, classes[m->class],
			     m->req_bytes, tail[0], m->rep_bytes, tail[1]);
		assert_true(p - out < TABLE_BYTES - 200);
	}
}

static void docs_agree(void **state)
{
	static char table[TABLE_BYTES];
	const char *doc = doc_table("protocol.md", BEGIN);

	assert_non_null(doc);
	table_print(table);
	assert_string_equal(doc, table);
}

static void ids(void **state)
{
	static const struct {
		const char *prefix;
		uint16_t edge;
	} edges[] = { { "X2G_", 1 }, { "G2X_", 2 }, { "D2P_", 3 }, { "P2M_", 4 }, { "P2S_", 5 } };

	for (unsigned i = 0; i < MSG_COUNT; i++) {
		const struct msg_info *m = msg_info_at(i);
		unsigned found = 0;

		assert_int_equal(m->index, i);
		assert_ptr_equal(msg_info(m->id), m);
		for (size_t e = 0; e < sizeof(edges) / sizeof(edges[0]); e++)
			found += m->id >> 8 == edges[e].edge && !strncmp(m->name, edges[e].prefix, 4);
		assert_int_equal(found, 1);
	}
	assert_null(msg_info_at(MSG_COUNT));
	assert_null(msg_info(MSG_HELLO));
	assert_null(msg_info(0));
	assert_null(msg_info(0xffff));
	assert_int_equal(msg_lists_hash(), msg_lists_hash());
	assert_int_not_equal(msg_lists_hash(), 0);
}

static void kinds(void **state)
{
	for (uint32_t k = 0; k < KIND_MAX; k++)
		assert_non_null(kind_name(k));
	assert_string_equal(kind_name(KIND_MEMORY), "memory");
	assert_string_equal(kind_name(KIND_MAX), "unknown");
	assert_string_equal(kind_name(UINT32_MAX), "unknown");
}

static void printer(void **state)
{
	struct wire_hdr h = { .msg = P2M_SLAB_GET, .flags = WIRE_REPLY, .err = -12, .req_id = 7, .pid = 3 };
	char line[MSG_FORMAT_BYTES], small[8];

	assert_string_equal(msg_format(&h, sizeof(h), line, sizeof(line)),
			    "P2M_SLAB_GET reply id=7 err=-12 pid=3 tid=0 body=0 tail=0");
	h.msg = 0x7777;
	assert_non_null(strstr(msg_format(&h, sizeof(h), line, sizeof(line)), "0x7777"));
	assert_string_equal(msg_format(&h, 5, line, sizeof(line)), "5 bytes, no header");
	memset(&h, 0xff, sizeof(h));
	assert_true(strlen(msg_format(&h, sizeof(h), line, sizeof(line))) < sizeof(line));
	assert_int_equal(strlen(msg_format(&h, sizeof(h), small, sizeof(small))), 7);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docs_agree),
		cmocka_unit_test(ids),
		cmocka_unit_test(kinds),
		cmocka_unit_test(printer),
	};
	static char table[TABLE_BYTES];

	if (argc == 2 && !strcmp(argv[1], "print")) {
		table_print(table);
		fputs(table, stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
