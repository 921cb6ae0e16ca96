/* ashlar vm: looks at the word behind it, and hands over. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "vm/host/host.h"

void vm_usage(void)
{
	fputs("Usage: ashlar vm up [options]\n"
	      "       ashlar vm run [options] [--] PROGRAM [ARGS...]\n"
	      "       ashlar vm exec NODE COMMAND [ARGS...]\n"
	      "       ashlar vm status [--json]\n"
	      "       ashlar vm console NODE [--follow]\n"
	      "       ashlar vm kill|restart|pause|resume NODE\n"
	      "       ashlar vm link NODE up|down\n"
	      "       ashlar vm down\n"
	      "A rack of virtual machines of this host, joined by soft-RoCE: start it, run programs on it, look\n"
	      "into it, end it. Needs no privileges. Nodes are gmm, p0 (processor), m0, m1 (memory), s0 (storage).\n"
	      "\n"
	      "Options:\n"
	      "  --name NAME         which VM rack (default: rack)\n"
	      "  --help              print this and exit\n"
	      "of up:\n"
	      "  --processors N      processor nodes (default: 1)\n"
	      "  --memories N        memory nodes (default: 2)\n"
	      "  --mem [KIND=]SIZE   memory of each machine, or of those of a kind (gmm, processor, memory,\n"
	      "                      storage), e.g. memory=1G\n"
	      "  --cpus [KIND=]N     processors of each machine, or of those of a kind (default: 1)\n"
	      "  --root DIR|IMAGE    what programs find as / : a folder, or an image of ext4 or squashfs; it is\n"
	      "                      never written, what programs write ends with the rack (default: /)\n"
	      "  --disk SIZE         room for what programs write (default: 16G, taken as it is used)\n"
	      "  --fabric NAME       fabric between the machines (default: verbs)\n"
	      "  --emulate KEY=V,... slower links, as of ashlar run, for all components\n"
	      "  --accel kvm|tcg     how QEMU runs the machines (default: kvm where it works)\n"
	      "of run:\n"
	      "  --node NODE         the processor node on which the program is started (default: p0)\n"
	      "  --excache SIZE, --weight N, --stats FILE, --storage-wait S, --log LEVEL\n"
	      "                      as of ashlar run\n"
	      "of status:\n"
	      "  --json              JSON instead of a table, with what the switch counted\n"
	      "of console:\n"
	      "  --follow            go on until the machine ends\n"
	      "\n"
	      "Exit status: as of ashlar run; of exec, that of the command.\n",
	      stdout);
}

struct words {
	const char *name;
	bool json, follow, help;
	char **word; /* behind the verb */
	int n;
};

static int words_take(int argc, char **argv, struct words *w)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "follow", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*w = (struct words){ .name = VM_NAME_DEFAULT };
	opterr = 0;
	optind = 0; /* GNU: start afresh */
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == ':')
			return cli_error("%s needs a value (try ashlar vm --help)", argv[optind - 1]);
		if (c == '?')
			return cli_error("unknown option %s (try ashlar vm --help)", argv[optind - 1]);
		if (c == 'n')
			w->name = optarg;
		w->json |= c == 'j';
		w->follow |= c == 'f';
		w->help |= c == 'h';
	}
	w->word = argv + optind;
	w->n = argc - optind;
	return 0;
}

static const struct verb {
	const char *name;
	int words; /* behind it */
	bool json, follow;
} verbs[] = {
	{ "status", 0, true, false },	{ "console", 1, false, true }, { "kill", 1, false, false },
	{ "restart", 1, false, false }, { "pause", 1, false, false },  { "resume", 1, false, false },
	{ "link", 2, false, false },	{ "down", 0, false, false },
};

static int verb_run(const struct verb *v, const struct words *w)
{
	if (w->n != v->words)
		return cli_error("vm %s takes %d word%s (try ashlar vm --help)", v->name, v->words,
				 v->words == 1 ? "" : "s");
	if ((w->json && !v->json) || (w->follow && !v->follow))
		return cli_error("--%s is not for vm %s", w->json ? "json" : "follow", v->name);
	if (strcmp(v->name, "status") == 0)
		return vm_status(w->name, w->json);
	if (strcmp(v->name, "console") == 0)
		return vm_console(w->name, w->word[0], w->follow);
	if (strcmp(v->name, "down") == 0)
		return vm_down(w->name);
	return vm_control(w->name, v->name, w->word[0], v->words > 1 ? w->word[1] : NULL);
}

int cmd_vm(int argc, char **argv)
{
	struct words w;
	int err;

	if (argc > 1 && strcmp(argv[1], "up") == 0)
		return vm_up(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return vm_run(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "exec") == 0)
		return vm_exec(argc - 1, argv + 1);
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0) {
			err = words_take(argc - 1, argv + 1, &w);
			if (!err && w.help)
				vm_usage();
			return err || w.help ? err : verb_run(&verbs[i], &w);
		}
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		vm_usage();
		return 0;
	}
	return argc > 1 ? cli_error("unknown command: vm %s (try ashlar vm --help)", argv[1])
			: cli_error("what about the VM rack? (try ashlar vm --help)");
}
