/* ashlar vm run: a program on the rack, started on a processor's machine. ashlar vm exec: a command inside a machine. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "vm/host/host.h"

#define WORDS_MAX 4096 /* arguments of a program */
#define OWN_WORDS_MAX 32

extern char **environ;

enum { OPT_NAME = 256, OPT_NODE, OPT_STATS, OPT_HELP, OPT_PASSED };
#define STATS_BYTES_MAX (1u << 20)
#define STATS_MS 30000

/* Those from OPT_PASSED on are for `ashlar run` inside. */
static const struct option run_options_of_vm[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "excache", required_argument, NULL, OPT_PASSED },
	{ "weight", required_argument, NULL, OPT_PASSED + 1 },
	{ "stats", required_argument, NULL, OPT_STATS },
	{ "storage-wait", required_argument, NULL, OPT_PASSED + 2 },
	{ "emulate", required_argument, NULL, OPT_PASSED + 3 },
	{ "log", required_argument, NULL, OPT_PASSED + 4 },
	{ NULL, 0, NULL, 0 },
};

struct running {
	const char *name, *node;
	const char *stats; /* a file here; NULL: none */
	char there[64];	   /* where it is written inside */
	char *argv[OWN_WORDS_MAX + WORDS_MAX + 1];
	char **envp;
	unsigned n;
};

static void word(struct running *r, const char *text)
{
	r->argv[r->n++] = (char *)text;
}

/* "-" is stderr, there as here. */
static void stats_set(struct running *r, const char *file)
{
	if (strcmp(file, "-") == 0) {
		word(r, "--stats=-");
		return;
	}
	snprintf(r->there, sizeof(r->there), "--stats=/tmp/stats-%ld", (long)getpid());
	r->stats = file;
	word(r, r->there);
}

/* 0; 1: help was printed; EXIT_ASHLAR. */
static int option_take(struct running *r, int c, const char *option, bool run)
{
	if (c == OPT_HELP) {
		vm_usage();
		return 1;
	}
	if (c == OPT_NAME) {
		r->name = optarg;
		return 0;
	}
	if (!run)
		return cli_error("--%s is not for vm exec (try ashlar vm --help)", option);
	if (r->n + 4 > OWN_WORDS_MAX)
		return cli_error("too many options");
	if (c == OPT_NODE)
		r->node = optarg;
	else if (c == OPT_STATS)
		stats_set(r, optarg);
	else if (asprintf(&r->argv[r->n++], "--%s=%s", option, optarg) < 0)
		return cli_error("no memory");
	return 0;
}

static int options_take(struct running *r, int argc, char **argv, bool run)
{
	int c, err = 0, index = 0;

	r->name = VM_NAME_DEFAULT;
	opterr = 0;
	optind = 0; /* GNU: start afresh */
	/* "+": the first word that is no option is the program, what follows belongs to it. */
	while (!err && (c = getopt_long(argc, argv, "+:", run_options_of_vm, &index)) != -1) {
		if (c == ':')
			return cli_error("%s needs a value (try ashlar vm --help)", argv[optind - 1]);
		if (c == '?')
			return cli_error("unknown option %s (try ashlar vm --help)", argv[optind - 1]);
		err = option_take(r, c, run_options_of_vm[index].name, run);
	}
	if (!err && argc - optind > WORDS_MAX)
		return cli_error("too many arguments");
	return err;
}

/* Bring the counters here. There are none when the program did not come to run. */
static int stats_fetch(const struct standing *s, const struct vm_node *node, const struct running *r)
{
	const char *path = strchr(r->there, '/');
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"cat \"$0\" && rm \"$0\"", (char *)path, NULL };
	static char text[STATS_BYTES_MAX];
	FILE *f;
	int err;

	if (session_capture(s, node->name, argv, text, sizeof(text), STATS_MS))
		return EXIT_ASHLAR;
	f = fopen(r->stats, "we");
	err = !f || fputs(text, f) < 0;
	if (f)
		err |= fclose(f);
	return err ? cli_error("cannot write the counters to %s: %s", r->stats, strerror(errno)) : 0;
}

/* The environment without what speaks of racks of this host. */
static char **environment(void)
{
	size_t n = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 1, sizeof(*env));
	n = 0;
	for (char **e = environ; env && *e; e++)
		if (strncmp(*e, "ASHLAR_", 7) != 0)
			env[n++] = *e;
	return env;
}

int vm_run(int argc, char **argv)
{
	static struct running r;
	static struct plan plan;
	char cwd[PATH_MAX];
	struct session_start start = {
		.argv = r.argv,
		.cwd = cwd,
		.folder = true,
		.terminal = true,
		.uid = geteuid(),
		.gid = getegid(), /* the program is the user's, also inside */
	};
	const struct vm_node *node;
	struct signals signals;
	struct standing s;
	int ret, err;

	start.envp = r.envp = environment();
	word(&r, "/ashlar/bin/ashlar");
	word(&r, "run");
	word(&r, "--rack");
	word(&r, "/run/rack.rack");
	err = options_take(&r, argc, argv, true);
	if (err)
		return err == 1 ? 0 : err;
	if (optind >= argc)
		return cli_error("which program shall run? (try ashlar vm --help)");
	word(&r, "--");
	for (int i = optind; i < argc; i++)
		word(&r, argv[i]);
	if (!start.envp || !getcwd(cwd, sizeof(cwd)))
		return cli_error("the working directory is gone: %s", strerror(errno));
	err = signals_open(&signals);
	if (!err)
		err = rack_look(r.name, &s, &plan);
	if (err)
		return err;
	node = r.node ? plan_node(&plan, r.node) : plan_first(&plan, VM_PROCESSOR);
	if (!node)
		return EXIT_ASHLAR;
	if (node->kind != VM_PROCESSOR)
		return cli_error("%s is no processor node", node->name);
	ret = attach(&s, &plan, node, &start, &signals);
	err = r.stats ? stats_fetch(&s, node, &r) : 0;
	return ret ? ret : err;
}

int vm_exec(int argc, char **argv)
{
	static char *envp[] = { (char *)"PATH=/ashlar/bin:/bin", (char *)"HOME=/", NULL, NULL };
	static struct running r;
	static struct plan plan;
	struct session_start start = { .argv = r.argv, .envp = envp, .cwd = "/", .terminal = true };
	const char *term = getenv("TERM");
	const struct vm_node *node;
	struct signals signals;
	struct standing s;
	int err = options_take(&r, argc, argv, false);

	if (err)
		return err == 1 ? 0 : err;
	if (argc - optind < 2)
		return cli_error("where, and which command? (try ashlar vm --help)");
	if (term && asprintf(&envp[2], "TERM=%s", term) < 0)
		return cli_error("no memory");
	for (int i = optind + 1; i < argc; i++)
		word(&r, argv[i]);
	err = signals_open(&signals);
	if (!err)
		err = rack_look(r.name, &s, &plan);
	if (err)
		return err;
	node = plan_node(&plan, argv[optind]);
	return node ? attach(&s, &plan, node, &start, &signals) : EXIT_ASHLAR;
}
