/* The command line of `ashlar run`. Every mistake is one line that names it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/size.h"
#include "cli/run.h"
#include "net/hook/hook.h"

#define MEMORIES_DEFAULT 2u
#define EXCACHE_BYTES_MIN (1u << 20) /* one instruction may need sixteen pages and more; a system call more still */

static const char help_text[] =
	"Usage: ashlar run [options] [--] PROGRAM [ARGS...]\n"
	"Run an unmodified program on a rack. Without --rack: on a private rack of processes of this\n"
	"machine, which lives as long as the program.\n"
	"\n"
	"Options:\n"
	"  --excache SIZE      local memory of the process, e.g. 64M; all else is remote\n"
	"                      (default: all it needs up to half of the machine)\n"
	"  --memory N[xSIZE]   memory components of the private rack (default: 2), and the size of each\n"
	"                      (default: together half of the machine), e.g. 4x512M\n"
	"  --weight N          its share where processes wait for each other: 1 to 100, relative (default: 10)\n"
	"  --stats FILE        counters as JSON at exit (\"-\": stderr)\n"
	"  --rack NAME|FILE    run on a rack that stands, instead of a private one\n"
	"  --fabric NAME       fabric of the private rack: local, ofi:tcp or another provider of\n"
	"                      libfabric; relay:local is local by way of the node daemon's relay (default:\n"
	"                      $ASHLAR_FABRIC, or local)\n"
	"  --emulate KEY=V,... slower links between the process and its memory and storage: latency, jitter,\n"
	"                      bandwidth, loss, retransmit, seed; e.g. latency=5us,bandwidth=10G\n"
	"  --root DIR          what the storage component of the private rack exports (default: /)\n"
	"  --storage-wait S    with --rack: calls on files wait S seconds for a storage component that is\n"
	"                      lost, then they fail (EIO); default: until it is back\n"
	"  --log LEVEL         what is told on stderr: error, warn, info or debug (default: warn for the\n"
	"                      process, error for the components of the private rack)\n"
	"  --help              print this and exit\n"
	"\n"
	"Exit status: the program's own; 128+N after signal N; 125 when ashlar itself failed;\n"
	"126 when the program cannot be executed, 127 when it is not found. It comes when all\n"
	"processes that the program made have ended; Ctrl-C ends what it left running.\n";

enum {
	OPT_EXCACHE = 256,
	OPT_MEMORY,
	OPT_WEIGHT,
	OPT_STATS,
	OPT_RACK,
	OPT_FABRIC,
	OPT_ROOT,
	OPT_EMULATE,
	OPT_STORAGE_WAIT,
	OPT_LOG,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "excache", required_argument, NULL, OPT_EXCACHE },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "weight", required_argument, NULL, OPT_WEIGHT },
	{ "stats", required_argument, NULL, OPT_STATS },
	{ "rack", required_argument, NULL, OPT_RACK },
	{ "fabric", required_argument, NULL, OPT_FABRIC },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "storage-wait", required_argument, NULL, OPT_STORAGE_WAIT },
	{ "emulate", required_argument, NULL, OPT_EMULATE },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int excache_set(struct run_options *o, const char *value)
{
	if (size_parse(value, &o->excache_bytes))
		return cli_error("bad size for --excache: %s (such as 64M is meant)", value);
	if (o->excache_bytes < EXCACHE_BYTES_MIN)
		return cli_error("bad size for --excache: %s (at least 1M)", value);
	o->excache_bytes = o->excache_bytes / PAGE_BYTES * PAGE_BYTES;
	return 0;
}

static int memory_set(struct run_options *o, const char *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || errno || (*end && *end != 'x'))
		return cli_error("bad value for --memory: %s (such as 2 or 2x512M is meant)", value);
	if (n == 0 || n > PROCESS_MEMORY_MAX)
		return cli_error("bad value for --memory: %s (1 to %u components)", value, PROCESS_MEMORY_MAX);
	o->memories = (uint32_t)n;
	o->memory_bytes = 0;
	if (*end == 0)
		return 0;
	if (size_parse(end + 1, &o->memory_bytes))
		return cli_error("bad size for --memory: %s (such as 2x512M is meant)", value);
	o->memory_bytes = o->memory_bytes / PAGE_BYTES * PAGE_BYTES;
	if (o->memory_bytes == 0)
		return cli_error("bad size for --memory: %s (at least a page)", value);
	return 0;
}

static int log_set(struct run_options *o, const char *value)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++)
		if (strcmp(value, names[i]) == 0) {
			o->log_level = o->rack_log_level = (enum log_level)i;
			return 0;
		}
	return cli_error("bad value for --log: %s (error, warn, info or debug)", value);
}

static int fabric_set(struct run_options *o, const char *value)
{
	o->fabric = value;
	return fabric_check(value);
}

static int storage_wait_set(struct run_options *o, const char *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || errno || *end || n >= STORAGE_WAIT_FOREVER)
		return cli_error("bad value for --storage-wait: %s (seconds are meant)", value);
	o->storage_wait_s = (uint32_t)n;
	return 0;
}

static int weight_set(struct run_options *o, const char *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || errno || *end || n < 1 || n > WEIGHT_MAX)
		return cli_error("bad value for --weight: %s (1 to %u)", value, WEIGHT_MAX);
	o->weight = (uint32_t)n;
	return 0;
}

static int emulate_set(struct run_options *o, const char *value)
{
	char why[HOOK_WHY_BYTES];

	if (strchr(value, ';') || strlen(value) + sizeof("emulate:") > sizeof(o->hook))
		return cli_error("bad value for --emulate: %s (such as latency=5us,bandwidth=10G is meant)", value);
	snprintf(o->hook, sizeof(o->hook), "emulate:%s", value);
	return hook_check(o->hook, why) ? cli_error("bad value for --%s", why) : 0;
}

static int text_set(const char **to, const char *option, const char *value)
{
	if (!*value)
		return cli_error("--%s needs a value that is not empty", option);
	*to = value;
	return 0;
}

/* The variable speaks to the command; the dispatcher hears of it by its launch_config. */
static int kernel_set(struct run_options *o)
{
	const char *value = getenv("ASHLAR_KERNEL");

	if (!value || !*value)
		return 0;
	if (strcmp(value, "6.1") != 0)
		return cli_error("bad value of ASHLAR_KERNEL: %s (6.1 is meant, or none)", value);
	o->kernel_6_1 = true;
	return 0;
}

void run_usage(void)
{
	fputs(help_text, stdout);
}

static int option_take(struct run_options *o, int c)
{
	switch (c) {
	case OPT_EXCACHE:
		return excache_set(o, optarg);
	case OPT_MEMORY:
		return memory_set(o, optarg);
	case OPT_WEIGHT:
		return weight_set(o, optarg);
	case OPT_STATS:
		return text_set(&o->stats, "stats", optarg);
	case OPT_RACK:
		return text_set(&o->rack, "rack", optarg);
	case OPT_FABRIC:
		return text_set(&o->fabric, "fabric", optarg);
	case OPT_ROOT:
		return text_set(&o->root, "root", optarg);
	case OPT_STORAGE_WAIT:
		return storage_wait_set(o, optarg);
	case OPT_EMULATE:
		return emulate_set(o, optarg);
	case OPT_LOG:
		return log_set(o, optarg);
	case OPT_HELP:
		run_usage();
		return 1;
	default:
		return EXIT_ASHLAR;
	}
}

int run_options(int argc, char **argv, struct run_options *o)
{
	bool private_only = false;
	int c, err;

	*o = (struct run_options){ .memories = MEMORIES_DEFAULT,
				   .fabric = getenv("ASHLAR_FABRIC"),
				   .root = "/",
				   .weight = WEIGHT_DEFAULT,
				   .storage_wait_s = STORAGE_WAIT_FOREVER,
				   .log_level = LOG_WARN,
				   .rack_log_level = LOG_ERROR };
	opterr = 0;
	optind = 0; /* GNU: start afresh */
	/* "+": the first word that is no option is the program, what follows belongs to it. */
	while ((c = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (c == ':')
			return cli_error("%s needs a value (try ashlar run --help)", argv[optind - 1]);
		if (c == '?' && optopt && optopt < 256)
			return cli_error("unknown option -%c (try ashlar run --help)", optopt);
		if (c == '?')
			return cli_error("unknown option %s (try ashlar run --help)", argv[optind - 1]);
		private_only |= c == OPT_MEMORY || c == OPT_ROOT;
		err = option_take(o, c);
		if (err)
			return err;
	}
	if (optind >= argc)
		return cli_error("which program shall run? (try ashlar run --help)");
	err = fabric_set(o, o->fabric && *o->fabric ? o->fabric : "local");
	if (err)
		return err;
	if (o->rack && private_only)
		return cli_error("--memory and --root describe a private rack; --rack names one that stands already");
	if (!o->rack)
		o->storage_wait_s = 0; /* a private rack's components are not started anew */
	o->program = argv + optind;
	return kernel_set(o);
}
