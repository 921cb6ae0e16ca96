/* The rack file: what is read from a text, and each mistake with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/rack_file.h"

static struct rack_file f;
static struct rack_mistakes m;

static bool parse(const char *text)
{
	return rack_file_parse(text, "some/lab.rack", &f, &m);
}

static void say_mistakes(void)
{
	for (unsigned i = 0; i < m.n; i++)
		print_message("%d: %s\n", m.at[i].line, m.at[i].text);
}

#define MINIMAL             \
	"processor p0 {}\n" \
	"memory m0 {}\n"    \
	"storage s0 { root = \"/\" }\n"

static void test_minimal(void **state)
{
	assert_true(parse(MINIMAL));
	assert_string_equal(f.name, "lab");
	assert_string_equal(f.fabric, "local");
	assert_string_equal(f.gmm, "local:@ashlar-rack-lab");
	assert_string_equal(f.root, "/");
	assert_int_equal(f.n_components, 3);
	assert_string_equal(f.component[0].kind, "processor");
	assert_string_equal(f.component[1].name, "m0");
	assert_int_equal(f.component[1].bytes, 0);
	assert_string_equal(f.component[0].listen, "");
	assert_string_equal(f.component[0].node, "local:@ashlar-rack-lab-p0");
	assert_string_equal(f.component[2].listen, "local:@ashlar-rack-lab-s0");
	assert_string_equal(f.node, "");
}

static void test_whole(void **state)
{
	assert_true(parse("# a comment\n"
			  "name = \"other\"\n"
			  "fabric = \"ofi:tcp\"\n"
			  "gmm = \"ofi:tcp:[::1]:7000\" // another\n"
			  "place = \"balance\"\n"
			  "log = info\n"
			  "hook = \"delay:5\"\n"
			  "/* and one of\n"
			  "   several lines */\n"
			  "processor p0 { excache = 64M domain = d0 log = debug hook = x\n"
			  "	node = \"local:@n0\" }\n"
			  "processor p1 { excache = 1G }\n"
			  "memory m0 { size = 2T }\n"
			  "storage s0 { root = \"/srv\" listen = \"ofi:tcp:h:7001\" }\n"));
	assert_string_equal(f.name, "other");
	assert_string_equal(f.gmm, "ofi:tcp:[::1]:7000");
	assert_string_equal(f.place, "balance");
	assert_string_equal(f.log, "info");
	assert_string_equal(f.hook, "delay:5");
	assert_string_equal(f.node, "local:@n0");
	assert_int_equal(f.component[0].bytes, 64 << 20);
	assert_string_equal(f.component[0].domain, "d0");
	assert_string_equal(f.component[0].log, "debug");
	assert_string_equal(f.component[0].hook, "x");
	assert_string_equal(f.component[2].listen, "ofi:tcp:auto");
	assert_string_equal(f.component[3].listen, "ofi:tcp:h:7001");
	assert_string_equal(f.component[1].node, "local:@ashlar-rack-other-p1");
	assert_true(f.component[2].bytes == 2ULL << 40);
	assert_string_equal(f.root, "/srv");
	assert_int_equal(f.component[0].line, 11);
}

/* A rack that is started otherwise: only where it is. */
static void test_elsewhere(void **state)
{
	assert_true(parse("gmm = \"local:@r\"\n"));
	assert_int_equal(f.n_components, 0);
	assert_string_equal(f.gmm, "local:@r");
}

static const struct {
	const char *text;
	int line;
	const char *says; /* a part of what is said */
} cases[] = {
	{ "", 0, "lacks a line gmm" },
	{ "gmm = \"\"\n", 1, "empty value" },
	{ "gmm = nonsense\n", 1, "no address of the fabric local" },
	{ "gmm = \"ofi:tcp:h:1\"\n", 1, "no address of the fabric local" },
	{ "gmm = \"local:\"\n", 1, "no such address" },
	{ "gmm = \"local:@\"\n", 1, "no such address" },
	{ "gmm = \"local:name\"\n", 1, "no such address" },
	{ "gmm = \"local:auto\"\n", 0, "cannot be found" },
	{ "fabric = ofi\n\ngmm = \"ofi:tcp:h:0\"\n", 3, "no such address" },
	{ "fabric = ofi\ngmm = \"ofi:tcp:h:65536\"\n", 2, "no such address" },
	{ "fabric = ofi\ngmm = \"ofi:tcp:h:\"\n", 2, "no such address" },
	{ "fabric = ofi\n" MINIMAL, 0, "gmm = \"ofi:...\"" },
	{ "gmm = \"local:@a\"\ngmm = \"local:@b\"\n", 2, "set already (line 1)" },
	{ "gmm = \"local:@a\"\nwhat = 3\n", 2, "unknown key: 'what'" },
	{ "gmm = \"local:@a\"\nwhat { x = 3 }\n", 2, "unknown key: 'what'" },
	{ "gmm = { \"local:@a\", \"local:@b\" }\n", 1, "" },
	{ "gmm = \"local:@a\n", 2, "" },
	{ "gmm = \n", 2, "" },
	{ "gmm\n", 2, "" },
	{ "}\n", 1, "" },
	{ "gmm = \"local:@a\"\n/* for ever\n\n", 2, "without an end" },
	{ "# one\n// two\n/* three\n four */ colour = 5 # \" \n", 4, "unknown key: 'colour'" },
	{ "name = \"# // /*\"\n", 1, "is no name" },
	{ MINIMAL "name = \"a/b\"\n", 4, "is no name" },
	{ MINIMAL "name = \"..\"\n", 4, "is no name" },
	{ MINIMAL "name = \"0123456789012345678901234567890123\"\n", 4, "too long" },
	{ MINIMAL "log = loud\n", 4, "no level" },
	{ MINIMAL "memory m1 { size = 12Q }\n", 4, "bad size 12Q" },
	{ MINIMAL "memory m1 { size = -1 }\n", 4, "bad size -1" },
	{ MINIMAL "memory m1 { size = yes }\n", 4, "bad size yes" },
	{ MINIMAL "memory m1 { size = 99999999999999999999 }\n", 4, "bad size" },
	{ MINIMAL "memory m1 { size = 100 }\n", 4, "too little" },
	{ MINIMAL "memory m1 {\n size = 64M\n size = 1G\n}\n", 6, "set already (line 5)" },
	{ MINIMAL "memory m1 { excache = 64M }\n", 4, "unknown key: 'excache'" },
	{ MINIMAL "memory m1 {\n sizes = 64M\n}\n", 5, "unknown key: 'sizes'" },
	{ MINIMAL "memory m1 { root = \"/\" }\n", 4, "unknown key: 'root'" },
	{ MINIMAL "memory { size = 64M }\n", 4, "" },
	{ MINIMAL "memory \"m 1\" { }\n", 4, "no name of a component" },
	{ MINIMAL "memory \"../m\" { }\n", 4, "no name of a component" },
	{ MINIMAL "memory gmm { }\n", 4, "called gmm" },
	{ MINIMAL "memory p0 { }\n", 4, "a component p0 already (line 1)" },
	{ MINIMAL "memory m0 { }\n", 4, "duplicate title 'm0'" },
	{ MINIMAL "memory m1 { listen = \"local:@ashlar-rack-x\" }\ngmm = \"local:@ashlar-rack-x\"\n", 4,
	  "both listen" },
	{ MINIMAL "memory m1 { listen = \"local:@x\" }\nmemory m2 { listen = \"local:@x\" }\n", 5, "both listen" },
	{ MINIMAL "storage s1 { root = \"/tmp\" }\n", 4, "a second storage component" },
	{ MINIMAL "processor p1 { listen = \"local:@x\" }\n", 4, "unknown key: 'listen'" },
	{ MINIMAL "processor p1 { node = \"ofi:tcp:h:1\" }\n", 4, "node" },
	{ "processor p0 {}\nmemory m0 {}\nstorage s0 {}\n", 3, "lacks a line root" },
	{ "processor p0 {}\nmemory m0 {}\nstorage s0 { root = \"srv\" }\n", 3, "must begin with /" },
	{ "memory m0 {}\nstorage s0 { root = \"/\" }\n", 0, "no processor component" },
	{ "processor p0 {}\nstorage s0 { root = \"/\" }\n", 0, "no memory component" },
	{ "processor p0 {}\nmemory m0 {}\n", 0, "no storage component" },
	{ "gmm = \"local:@a\"\n\033[31m = 3\n", 2, "" },
};

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool found = false;

		if (parse(cases[i].text))
			fail_msg("taken for right: %s", cases[i].text);
		for (unsigned j = 0; j < m.n; j++) {
			found |= m.at[j].line == cases[i].line && strstr(m.at[j].text, cases[i].says);
			for (const char *c = m.at[j].text; *c; c++)
				assert_true((unsigned char)*c >= ' ');
		}
		if (!found) {
			say_mistakes();
			fail_msg("not told: line %d, %s, of: %s", cases[i].line, cases[i].says, cases[i].text);
		}
		assert_true(parse(MINIMAL)); /* no state is left over from a file that was wrong */
	}
}

/* All at once, in the order of their lines. */
static void test_several(void **state)
{
	assert_false(parse("colour = red\n"
			   "log = loud\n"
			   "processor p0 { excache = 1 }\n"
			   "memory m1 { shape = round }\n"
			   "memory m0 { size = x }\n"));
	assert_int_equal(m.n, 6);
	for (unsigned i = 0; i < m.n; i++)
		assert_int_equal(m.at[i].line, i);
}

/* More of everything than there is room for. */
static void test_many(void **state)
{
	static char text[RACK_FILE_BYTES_MAX];
	size_t n = 0;

	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "memory m%d { size = bad }\n", i);
	assert_false(parse(text));
	assert_int_equal(m.n, RACK_MISTAKES_MAX);
	assert_true(m.more > 0);
	assert_int_equal(f.n_components, RACK_COMPONENTS_MAX);
	memset(text, '{', sizeof(text) - 1);
	assert_false(parse(text));
	memset(text, '"', sizeof(text) - 1);
	assert_false(parse(text));
	n = (size_t)snprintf(text, sizeof(text), "gmm = \"local:@");
	memset(text + n, 'x', sizeof(text) - n - 3);
	strcpy(text + sizeof(text) - 3, "\"\n");
	assert_false(parse(text));
	assert_int_equal(m.at[m.n - 1].line, 1);
	assert_non_null(strstr(m.at[m.n - 1].text, "too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimal),	 cmocka_unit_test(test_whole),	 cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_several), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
