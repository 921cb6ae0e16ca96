/* ashlar rack: its words; and `status`, the components of a rack as a table or as JSON. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/secret.h"
#include "ashlar/base/size.h"
#include "ashlar/proto/lists.h"
#include "cli/json_print.h"
#include "cli/standing.h"

void rack_usage(void)
{
	printf("Usage: ashlar rack up FILE\n"
	       "       ashlar rack down [NAME|FILE]\n"
	       "       ashlar rack status [--json] [NAME|FILE]\n"
	       "       ashlar rack logs [NAME|FILE [COMPONENT]]\n"
	       "       ashlar rack key FILE\n"
	       "Start the parts of a rack that belong on this machine, or those of them that have died; end\n"
	       "them; show its components; show what they have told; draw a key. Without NAME or FILE: the rack that\n"
	       "ASHLAR_RACK names, or the only one of ours that is up.\n"
	       "\n"
	       "Options:\n"
	       "  --json  status as JSON instead of a table\n"
	       "  --help  print this and exit; after \"up\" also what a rack file looks like\n");
}

static void file_usage(void)
{
	printf("\n"
	       "A rack file. These three lines are enough:\n"
	       "    processor p0 {}\n"
	       "    memory m0 {}\n"
	       "    storage s0 { root = \"/\" }\n"
	       "All that there is:\n"
	       "    name = \"lab\"            # default: that of the file\n"
	       "    fabric = \"local\"        # the default\n"
	       "    gmm = \"local:@lab\"      # where the gmm listens; on local there is a default\n"
	       "    node = \"local:@lab-n\"   # node daemon for commands, where the fabric is not local\n"
	       "    place = \"balance\"       # placement policy\n"
	       "    log = \"warn\"            # error, warn, info or debug; also in each section\n"
	       "    hook = \"...\"            # wrappers in front of the fabric; also in each section\n"
	       "    key = \"/etc/lab.key\"    # by which components know each other (verbs); ashlar rack key\n"
	       "    processor p0 { excache = 4G  domain = \"d0\"  node = \"local:@n\" }\n"
	       "    memory m0 { size = 8G  domain = \"d0\"  listen = \"local:@m0\" }\n"
	       "    storage s0 { root = \"/\"  domain = \"d0\"  listen = \"local:@s0\" }\n");
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = { "up", "silent", "dead" };

	return state <= RACK_DEAD ? names[state] : "unknown";
}

static int print_table(const struct rack_row *rows, const struct x2g_status_rep *rep)
{
	char size[24], used[24];

	printf("%-16s %-10s %-7s %10s %10s %9s\n", "NAME", "KIND", "STATE", "SIZE", "USED", "PROCESSES");
	for (uint32_t i = 0; i < rep->rows; i++)
		printf("%-16s %-10s %-7s %10s %10s %9u\n", rows[i].name, kind_name(rows[i].kind),
		       state_name(rows[i].state), size_format(rows[i].bytes, size),
		       size_format(rows[i].used_bytes, used), rows[i].processes);
	return 0;
}

static int print_json(const struct rack_row *rows, const struct x2g_status_rep *rep)
{
	json_t *all = json_object();
	json_t *list = json_array();

	for (uint32_t i = 0; i < rep->rows; i++) {
		json_t *row = json_object();

		json_object_set_new(row, "name", json_string(rows[i].name));
		json_object_set_new(row, "kind", json_string(kind_name(rows[i].kind)));
		json_object_set_new(row, "state", json_string(state_name(rows[i].state)));
		json_object_set_new(row, "bytes", json_integer((json_int_t)rows[i].bytes));
		json_object_set_new(row, "used_bytes", json_integer((json_int_t)rows[i].used_bytes));
		json_object_set_new(row, "processes", json_integer(rows[i].processes));
		json_object_set_new(row, "requests", json_integer((json_int_t)rows[i].requests));
		json_object_set_new(row, "refused", json_integer((json_int_t)rows[i].refused));
		json_object_set_new(row, "beat_age_ms", json_integer((json_int_t)rows[i].beat_age_ms));
		json_object_set_new(row, "address", json_string(rows[i].addr));
		json_array_append_new(list, row);
	}
	json_object_set_new(all, "components", list);
	json_object_set_new(all, "processes", json_integer(rep->processes));
	json_object_set_new(all, "epoch", json_integer((json_int_t)rep->epoch));
	return json_print(all);
}

/* Names come over the wire: see to it that they end. */
static void rows_close(struct rack_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		rows[i].name[NAME_BYTES - 1] = 0;
		rows[i].addr[ADDR_BYTES - 1] = 0;
	}
}

static int status(const char *typed, bool json)
{
	static struct rack_file file;
	struct rack_row rows[RACK_COMPONENTS_MAX];
	struct x2g_status_rep rep;
	struct place place = { 0 };
	int err = rack_open(typed, &file, &place);

	if (!err) {
		err = rack_rows(place.gmm, rows, RACK_COMPONENTS_MAX, &rep);
		if (err)
			err = cli_error("the gmm at %s does not tell its status: %s", file.gmm, strerror(-err));
	}
	place_close(&place);
	if (err)
		return err;
	rows_close(rows, rep.rows);
	return json ? print_json(rows, &rep) : print_table(rows, &rep);
}

int rack_open(const char *typed, struct rack_file *file, struct place *place)
{
	char path[PATH_MAX];
	int err = rack_find(typed, path, sizeof(path));

	if (!err)
		err = rack_file_read(path, file);
	return err ? err : place_open(place, file->fabric, file->gmm, file->node, file->key);
}

static int rack_key(const char *path)
{
	int err = secret_make(path);

	return err ? cli_error("cannot make a key, %s: %s", path, strerror(-err)) : 0;
}

static int rack_verb(int n, char **word, bool json)
{
	const char *verb = word[0];

	if (json && strcmp(verb, "status") != 0)
		return cli_error("--json is for rack status");
	if (n > (strcmp(verb, "logs") == 0 ? 3 : 2))
		return cli_error("too many words after rack %s (try ashlar rack --help)", verb);
	if (strcmp(verb, "status") == 0)
		return status(n > 1 ? word[1] : NULL, json);
	if (strcmp(verb, "key") == 0)
		return n > 1 ? rack_key(word[1]) : cli_error("ashlar rack key takes one FILE");
	if (strcmp(verb, "down") == 0)
		return rack_down(n > 1 ? word[1] : NULL);
	if (strcmp(verb, "logs") == 0)
		return rack_logs(n > 1 ? word[1] : NULL, n > 2 ? word[2] : NULL);
	if (strcmp(verb, "up") != 0)
		return cli_error("unknown command: rack %s (try ashlar rack --help)", verb);
	return n > 1 ? rack_up(word[1]) : cli_error("which rack? ashlar rack up takes one FILE");
}

int cmd_rack(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, help = false;
	int c;

	opterr = 0;
	optind = 0; /* GNU: start afresh */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j' && c != 'h')
			return cli_error("unknown option %s (try ashlar rack --help)", argv[optind - 1]);
		help |= c == 'h';
		json |= c == 'j';
	}
	if (help) {
		rack_usage();
		if (optind < argc && strcmp(argv[optind], "up") == 0)
			file_usage();
		return 0;
	}
	if (optind >= argc)
		return cli_error("what about the rack? (try ashlar rack --help)");
	return rack_verb(argc - optind, argv + optind, json);
}
