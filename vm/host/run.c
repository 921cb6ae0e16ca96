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

enum { OPT_NAME = 256, OPT_NODE, OPT_HELP, OPT_PASSED };

/* Those from OPT_PASSED on are for `ashlar run` inside. */
static const struct option run_options_of_vm[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "excache", required_argument, NULL, OPT_PASSED },
	{ "weight", required_argument, NULL, OPT_PASSED + 1 },
	{ "stats", required_argument, NULL, OPT_PASSED + 2 },
	{ "storage-wait", required_argument, NULL, OPT_PASSED + 3 },
	{ "emulate", required_argument, NULL, OPT_PASSED + 4 },
	{ "log", required_argument, NULL, OPT_PASSED + 5 },
	{ NULL, 0, NULL, 0 },
};

struct running {
	const char *name, *node;
	char *argv[OWN_WORDS_MAX + WORDS_MAX + 1];
	unsigned n;
};

static void word(struct running *r, const char *text)
{
	r->argv[r->n++] = (char *)text;
}

/* 0; 1: help was printed; EXIT_ASHLAR. */
static int options_take(struct running *r, int argc, char **argv, bool run)
{
	int c, index = 0;

	r->name = VM_NAME_DEFAULT;
	opterr = 0;
	optind = 0; /* GNU: start afresh */
	/* "+": the first word that is no option is the program, what follows belongs to it. */
	while ((c = getopt_long(argc, argv, "+:", run_options_of_vm, &index)) != -1) {
		if (c == ':')
			return cli_error("%s needs a value (try ashlar vm --help)", argv[optind - 1]);
		if (c == '?' || (!run && c != OPT_NAME && c != OPT_HELP))
			return cli_error("unknown option %s (try ashlar vm --help)", argv[optind - 1]);
		if (c == OPT_HELP) {
			vm_usage();
			return 1;
		}
		if (c == OPT_NAME)
			r->name = optarg;
		else if (c == OPT_NODE)
			r->node = optarg;
		else if (r->n + 4 > OWN_WORDS_MAX ||
			 asprintf(&r->argv[r->n++], "--%s=%s", run_options_of_vm[index].name, optarg) < 0)
			return cli_error("too many options");
	}
	if (argc - optind > WORDS_MAX)
		return cli_error("too many arguments");
	return 0;
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
	struct session_start start = { .argv = r.argv,
				       .envp = environment(),
				       .cwd = cwd,
				       .folder = true,
				       .terminal = true,
				       .uid = geteuid(),
				       .gid = getegid() };
	const struct vm_node *node;
	struct signals signals;
	struct standing s;
	int err;

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
	return attach(&s, &plan, node, &start, &signals);
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
