/* ashlar: the command. Looks at its first word, and hands over. */
#include <stdio.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "cli/cli.h"

static void usage(void)
{
	printf("Usage: ashlar COMMAND [options] ...\n"
	       "A rack is made of processor, memory and storage components. Programs run on it unmodified.\n"
	       "\n"
	       "Options:\n"
	       "  --help              print this and exit\n"
	       "  --version           print the version and exit\n"
	       "\n");
	run_usage();
	printf("\n");
	rack_usage();
	printf("\n");
	ps_usage();
	printf("\n");
	kill_usage();
	printf("\n");
	core_usage();
	printf("\n");
	printf("Usage: ashlar vm up|run|exec|status|console|kill|restart|pause|resume|link|down ...\n"
	       "A rack of virtual machines of this host; ashlar vm says more after --help.\n"
	       "\n");
	doctor_usage();
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", cmd_run },   { "rack", cmd_rack },	{ "ps", cmd_ps }, { "kill", cmd_kill },
	{ "core", cmd_core }, { "doctor", cmd_doctor }, { "vm", cmd_vm },
};

int main(int argc, char **argv)
{
	log_open("ashlar", LOG_WARN);
	if (argc < 2)
		return cli_error("what shall be done? (try ashlar --help)");
	if (strcmp(argv[1], "--help") == 0) {
		usage();
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("ashlar %s\n", ASHLAR_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argv[1][0] == '-')
		return cli_error("unknown option %s (try ashlar --help)", argv[1]);
	return cli_error("unknown command %s (try ashlar --help)", argv[1]);
}
