/* See up_options.h. Every mistake is one line that names it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/size.h"
#include "ashlar/net.h"
#include "net/hook/hook.h"
#include "vm/host/up_options.h"

#define MEM_MIN (192u << 20)
#define MEM_MAX (64ULL << 30)
#define CPUS_MAX 64u
#define DISK_DEFAULT (16ULL << 30)
#define DISK_MIN (16ULL << 20)

enum {
	OPT_NAME = 256,
	OPT_PROCESSORS,
	OPT_MEMORIES,
	OPT_MEM,
	OPT_CPUS,
	OPT_FABRIC,
	OPT_EMULATE,
	OPT_ROOT,
	OPT_DISK,
	OPT_ACCEL,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "processors", required_argument, NULL, OPT_PROCESSORS },
	{ "memories", required_argument, NULL, OPT_MEMORIES },
	{ "mem", required_argument, NULL, OPT_MEM },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "fabric", required_argument, NULL, OPT_FABRIC },
	{ "emulate", required_argument, NULL, OPT_EMULATE },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "accel", required_argument, NULL, OPT_ACCEL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int number_take(const char *option, const char *value, unsigned max, unsigned *to)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || errno || *end || n < 1 || n > max)
		return cli_error("bad value for --%s: %s (1 to %u)", option, value, max);
	*to = (unsigned)n;
	return 0;
}

/* "[KIND=]VALUE": the value, and for which kinds [from, to) it is. */
static const char *kind_take(const char *value, int *from, int *to)
{
	const char *equal = strchr(value, '=');

	*from = 0;
	*to = VM_KINDS;
	if (!equal)
		return value;
	for (int i = 0; i < VM_KINDS; i++)
		if (strncmp(value, vm_kind_names[i], (size_t)(equal - value)) == 0 &&
		    strlen(vm_kind_names[i]) == (size_t)(equal - value)) {
			*from = i;
			*to = i + 1;
			return equal + 1;
		}
	return NULL;
}

static int mem_set(struct up_options *o, const char *value)
{
	uint64_t bytes;
	int from, to;
	const char *size = kind_take(value, &from, &to);

	if (!size || size_parse(size, &bytes))
		return cli_error("bad value for --mem: %s (such as 512M or memory=1G is meant)", value);
	if (bytes < MEM_MIN || bytes > MEM_MAX)
		return cli_error("bad value for --mem: %s (192M to 64G)", value);
	for (int i = from; i < to; i++)
		o->mem_bytes[i] = bytes >> 20 << 20;
	return 0;
}

static int cpus_set(struct up_options *o, const char *value)
{
	int from, to, err;
	unsigned n = 1;
	const char *number = kind_take(value, &from, &to);

	if (!number)
		return cli_error("bad value for --cpus: %s (such as 2 or processor=2 is meant)", value);
	err = number_take("cpus", number, CPUS_MAX, &n);
	for (int i = from; !err && i < to; i++)
		o->cpus[i] = n;
	return err;
}

static int fabric_set(struct up_options *o, const char *value)
{
	if (strlen(value) >= NAME_BYTES || strpbrk(value, " \t\n\"") || !net_fabric_known(value) ||
	    strcmp(value, "local") == 0 || strcmp(value, "relay") == 0)
		return cli_error("bad value for --fabric: %s (a fabric between machines is meant)", value);
	o->fabric = value;
	return 0;
}

static int emulate_set(struct up_options *o, const char *value)
{
	char why[HOOK_WHY_BYTES], hook[HOOK_BYTES];

	/* It goes through the kernel's command line. */
	if (strpbrk(value, "; \t\n\"") || strlen(value) >= VM_EMULATE_BYTES)
		return cli_error("bad value for --emulate: %s (such as latency=5us,bandwidth=10G is meant)", value);
	snprintf(hook, sizeof(hook), "emulate:%s", value);
	if (hook_check(hook, why))
		return cli_error("bad value for --%s", why);
	o->emulate = value;
	return 0;
}

static int disk_set(struct up_options *o, const char *value)
{
	if (size_parse(value, &o->disk_bytes) || o->disk_bytes < DISK_MIN)
		return cli_error("bad value for --disk: %s (such as 16G is meant, at least 16M)", value);
	o->disk_bytes &= ~0xfffffULL;
	return 0;
}

static int accel_set(struct up_options *o, const char *value)
{
	if (strcmp(value, "kvm") != 0 && strcmp(value, "tcg") != 0)
		return cli_error("bad value for --accel: %s (kvm or tcg)", value);
	o->accel = value;
	return 0;
}

static int option_take(struct up_options *o, int c)
{
	o->described |= c != OPT_NAME;
	switch (c) {
	case OPT_NAME:
		o->name = optarg;
		return 0;
	case OPT_PROCESSORS:
		return number_take("processors", optarg, VM_NODES_MAX / 4, &o->processors);
	case OPT_MEMORIES:
		return number_take("memories", optarg, PROCESS_MEMORY_MAX, &o->memories);
	case OPT_MEM:
		return mem_set(o, optarg);
	case OPT_CPUS:
		return cpus_set(o, optarg);
	case OPT_FABRIC:
		return fabric_set(o, optarg);
	case OPT_EMULATE:
		return emulate_set(o, optarg);
	case OPT_ROOT:
		o->root = optarg;
		return 0;
	case OPT_DISK:
		return disk_set(o, optarg);
	case OPT_ACCEL:
		return accel_set(o, optarg);
	default:
		vm_usage();
		return 1;
	}
}

int up_options(int argc, char **argv, struct up_options *o)
{
	int c, err = 0;

	*o = (struct up_options){ .name = VM_NAME_DEFAULT,
				  .processors = 1,
				  .memories = 2,
				  .mem_bytes = { [VM_GMM] = 256u << 20,
						 [VM_PROCESSOR] = 512u << 20,
						 [VM_MEMORY] = 384u << 20,
						 [VM_STORAGE] = 256u << 20 },
				  .cpus = { 1, 1, 1, 1 },
				  .fabric = "verbs",
				  .root = "/",
				  .disk_bytes = DISK_DEFAULT };
	opterr = 0;
	optind = 0; /* GNU: start afresh */
	while (!err && (c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (c == ':')
			return cli_error("%s needs a value (try ashlar vm --help)", argv[optind - 1]);
		if (c == '?')
			return cli_error("unknown option %s (try ashlar vm --help)", argv[optind - 1]);
		err = option_take(o, c);
	}
	if (!err && optind < argc)
		return cli_error("vm up takes options only, not %s (try ashlar vm --help)", argv[optind]);
	return err;
}

static void node_add(struct plan *p, const struct up_options *o, enum vm_kind kind, const char *fmt, unsigned i)
	__attribute__((format(printf, 4, 0)));
static void node_add(struct plan *p, const struct up_options *o, enum vm_kind kind, const char *fmt, unsigned i)
{
	struct vm_node *n = &p->node[p->n];

	*n = (struct vm_node){ .kind = kind, .number = ++p->n, .mem_bytes = o->mem_bytes[kind], .cpus = o->cpus[kind] };
	snprintf(n->name, sizeof(n->name), fmt, i);
}

int up_plan(const struct up_options *o, struct plan *p)
{
	int err;

	*p = (struct plan){ .disk_bytes = o->disk_bytes };
	snprintf(p->name, sizeof(p->name), "%s", o->name);
	snprintf(p->fabric, sizeof(p->fabric), "%s", o->fabric);
	snprintf(p->emulate, sizeof(p->emulate), "%s", o->emulate ? o->emulate : "");
	err = root_check(p, o->root);
	if (err)
		return err;
	node_add(p, o, VM_GMM, "gmm", 0);
	for (unsigned i = 0; i < o->processors; i++)
		node_add(p, o, VM_PROCESSOR, "p%u", i);
	for (unsigned i = 0; i < o->memories; i++)
		node_add(p, o, VM_MEMORY, "m%u", i);
	node_add(p, o, VM_STORAGE, "s0", 0);
	return 0;
}
