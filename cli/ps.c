/* ashlar ps: the processes of a standing rack, as a table or as JSON. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/size.h"
#include "ashlar/rpc.h"
#include "cli/json_print.h"
#include "cli/standing.h"

void ps_usage(void)
{
	printf("Usage: ashlar ps [--rack NAME|FILE] [--json] [--tree]\n"
	       "Show what runs on a rack, a line for each program that was started there, with all processes that it\n"
	       "made: pid, user, processor component, state (as ps(1) has it; \"-\": its program has not come yet,\n"
	       "\"?\": its component does not answer), number of processes, age, CPU time, memory on the processor\n"
	       "component and the budget of its ExCache, memory on memory components, program.\n"
	       "\n"
	       "Options:\n"
	       "  --rack NAME|FILE  which rack (default: the one that ASHLAR_RACK names, or the only one of ours)\n"
	       "  --json            print JSON instead of a table\n"
	       "  -t, --tree        below each line its processes: state, program, pid on the processor component's\n"
	       "                    machine\n"
	       "  --help            print this and exit\n");
}

/* All rows, the caller's to free. 0 or -errno. */
static int rows_get(struct rpc *gmm, struct ps_row **out, uint32_t *n)
{
	struct ps_row *rows = calloc(PROCESSES_MAX + PS_BATCH_MAX, sizeof(*rows));
	struct x2g_ps_req req = { 0 };
	struct x2g_ps_rep rep;
	int err = rows ? 0 : -ENOMEM;

	*n = 0;
	while (!err && *n < PROCESSES_MAX) {
		uint32_t bytes = PS_BATCH_MAX * sizeof(*rows);

		err = rpc_call_sync(gmm, X2G_PS, 0, 0, &req, NULL, 0, RPC_DEADLINE_MS, &rep, rows + *n, &bytes);
		if (!err && (rep.rows > PS_BATCH_MAX || bytes != rep.rows * sizeof(*rows)))
			err = -EPROTO;
		if (err || rep.rows == 0)
			break;
		*n += rep.rows;
		req.after = rows[*n - 1].pid;
	}
	*out = rows;
	return err;
}

/* Names come over the wire, and that of a program is whatever it likes: they end, and are printable. */
static void text_clean(char *text)
{
	text[NAME_BYTES - 1] = 0;
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
}

static uint32_t state_clean(uint32_t state)
{
	return state < '!' || state > '~' ? '?' : state;
}

static void row_clean(struct ps_row *r)
{
	text_clean(r->processor);
	text_clean(r->program);
	r->state = state_clean(r->state);
}

/* The processes of a tree, the caller's to free; none where they cannot be told. */
static struct member_row *members_get(struct rpc *gmm, uint32_t pid, uint32_t *n)
{
	struct member_row *rows = calloc(MEMBERS_MAX + PS_BATCH_MAX, sizeof(*rows));
	struct x2g_tree_req req = { .pid = pid, .after = UINT32_MAX };
	struct x2g_tree_rep rep = { .rows = PS_BATCH_MAX };

	*n = 0;
	while (rows && *n < MEMBERS_MAX && rep.rows == PS_BATCH_MAX) {
		uint32_t bytes = PS_BATCH_MAX * sizeof(*rows);

		if (rpc_call_sync(gmm, X2G_TREE, 0, 0, &req, NULL, 0, RPC_DEADLINE_MS, &rep, rows + *n, &bytes) ||
		    rep.rows > PS_BATCH_MAX || bytes != rep.rows * sizeof(*rows) || !rep.rows)
			break;
		*n += rep.rows;
		req.after = rows[*n - 1].member;
	}
	for (uint32_t i = 0; i < *n; i++) {
		text_clean(rows[i].program);
		rows[i].state = state_clean(rows[i].state);
	}
	return rows;
}

/* Three digits and a unit, as a table has room for. */
static const char *short_size(uint64_t bytes, char *buf, size_t size)
{
	static const char units[] = "BKMGTPE";
	unsigned u = 0;
	uint64_t rest = 0;

	while (bytes >= 1024) {
		rest = bytes % 1024;
		bytes /= 1024;
		u++;
	}
	if (u && bytes < 10)
		snprintf(buf, size, "%u.%u%c", (unsigned)bytes, (unsigned)(rest * 10 / 1024), units[u]);
	else
		snprintf(buf, size, "%u%c", (unsigned)bytes, units[u]);
	return buf;
}

static const char *user_name(uint32_t uid, char *buf, size_t size)
{
	const struct passwd *pw = getpwuid(uid);

	snprintf(buf, size, "%.12s", pw ? pw->pw_name : "");
	if (!pw)
		snprintf(buf, size, "%u", uid);
	return buf;
}

static void print_members(struct rpc *gmm, uint32_t pid)
{
	uint32_t n;
	struct member_row *rows = members_get(gmm, pid, &n);

	for (uint32_t i = 0; i < n; i++)
		printf("%10s %-12s %-10s %c %s (%d)\n", "", "", "", (char)rows[i].state, rows[i].program,
		       (int)rows[i].host_pid);
	free(rows);
}

/* tree: the gmm, to be asked for the processes of each; NULL: they are not shown. */
static void print_table(const struct ps_row *rows, uint32_t n, struct rpc *tree)
{
	char user[16], local[16], budget[16], remote[16], age[24], cpu[24];

	printf("%10s %-12s %-10s %s %5s %9s %9s %6s %6s %6s %s\n", "PID", "USER", "PROCESSOR", "S", "PROCS", "AGE",
	       "CPU", "LOCAL", "BUDGET", "REMOTE", "PROGRAM");
	for (uint32_t i = 0; i < n; i++) {
		const struct ps_row *r = &rows[i];
		unsigned long long s = r->age_ms / 1000, cs = r->cpu_ns / 10000000;

		snprintf(age, sizeof(age), "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
		snprintf(cpu, sizeof(cpu), "%llu.%02llu", cs / 100, cs % 100);
		printf("%10u %-12s %-10s %c %5u %9s %9s %6s %6s %5s%s %s\n", r->pid,
		       user_name(r->uid, user, sizeof(user)), r->processor, (char)r->state, r->members, age, cpu,
		       short_size(r->local_bytes, local, sizeof(local)),
		       short_size(r->budget_bytes, budget, sizeof(budget)),
		       short_size(r->remote_bytes, remote, sizeof(remote)), r->silent ? "+" : " ", r->program);
		if (tree)
			print_members(tree, r->pid);
	}
}

static json_t *members_json(struct rpc *gmm, uint32_t pid)
{
	uint32_t n;
	struct member_row *rows = members_get(gmm, pid, &n);
	json_t *list = json_array();
	char state[2] = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		json_t *row = json_object();

		state[0] = (char)rows[i].state;
		json_object_set_new(row, "host_pid", json_integer(rows[i].host_pid));
		json_object_set_new(row, "state", json_string(state));
		json_object_set_new(row, "program", json_string(rows[i].program));
		json_array_append_new(list, row);
	}
	free(rows);
	return list;
}

static int print_json(const struct ps_row *rows, uint32_t n, struct rpc *tree)
{
	json_t *all = json_object(), *list = json_array();
	char state[2] = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		const struct ps_row *r = &rows[i];
		json_t *row = json_object();

		state[0] = (char)r->state;
		json_object_set_new(row, "pid", json_integer(r->pid));
		json_object_set_new(row, "uid", json_integer(r->uid));
		json_object_set_new(row, "processor", json_string(r->processor));
		json_object_set_new(row, "state", json_string(state));
		json_object_set_new(row, "program", json_string(r->program));
		json_object_set_new(row, "processes", json_integer(r->members));
		if (tree)
			json_object_set_new(row, "tree", members_json(tree, r->pid));
		json_object_set_new(row, "age_ms", json_integer((json_int_t)r->age_ms));
		json_object_set_new(row, "cpu_ns", json_integer((json_int_t)r->cpu_ns));
		json_object_set_new(row, "local_bytes", json_integer((json_int_t)r->local_bytes));
		json_object_set_new(row, "budget_bytes", json_integer((json_int_t)r->budget_bytes));
		json_object_set_new(row, "remote_bytes", json_integer((json_int_t)r->remote_bytes));
		json_object_set_new(row, "silent_memories", json_integer(r->silent));
		json_array_append_new(list, row);
	}
	json_object_set_new(all, "processes", list);
	return json_print(all);
}

static int ps(const char *rack, bool json, bool tree)
{
	static struct rack_file file;
	struct place place = { 0 };
	struct ps_row *rows = NULL;
	uint32_t n = 0;
	int err = rack_open(rack, &file, &place);

	if (!err) {
		err = rows_get(place.gmm, &rows, &n);
		if (err)
			err = cli_error("the gmm at %s does not tell its processes: %s", file.gmm, strerror(-err));
	}
	for (uint32_t i = 0; i < n; i++)
		row_clean(&rows[i]);
	if (!err && json)
		err = print_json(rows, n, tree ? place.gmm : NULL);
	else if (!err)
		print_table(rows, n, tree ? place.gmm : NULL);
	place_close(&place);
	free(rows);
	return err;
}

int cmd_ps(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rack", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "tree", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *rack = NULL;
	bool json = false, tree = false;
	int c;

	opterr = 0;
	optind = 0; /* GNU: start afresh */
	while ((c = getopt_long(argc, argv, ":t", options, NULL)) != -1) {
		if (c == ':')
			return cli_error("%s needs a value (try ashlar ps --help)", argv[optind - 1]);
		if (c == '?')
			return cli_error("unknown option %s (try ashlar ps --help)", argv[optind - 1]);
		if (c == 'h') {
			ps_usage();
			return 0;
		}
		if (c == 'r')
			rack = optarg;
		json |= c == 'j';
		tree |= c == 't';
	}
	if (optind < argc)
		return cli_error("ashlar ps takes no arguments, got %s", argv[optind]);
	return ps(rack, json, tree);
}
