/* ashlar doctor [--json]: runs all checks, tells what they found. Exit status 0 if the local mode works, 1 if not. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/cli.h"
#include "cli/doctor/doctor.h"

void doctor_usage(void)
{
	printf("Usage: ashlar doctor [options]\n"
	       "Check whether this machine has what ashlar needs, and say how to mend what is missing.\n"
	       "Exit status: 0 if programs can run on a rack of this machine, 1 if not.\n"
	       "\n"
	       "Options:\n"
	       "  --json  print JSON instead of text\n"
	       "  --help  print this and exit\n");
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct doctor_finding *found = calloc(doctor_checks_n, sizeof(*found));
	struct doctor_mode modes[DOCTOR_MODES];
	bool json = false;
	int c, err = 0;

	if (!found)
		return cli_error("out of memory");
	opterr = 0;
	optind = 0; /* GNU: start afresh */
	while (!err && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			doctor_usage();
			free(found);
			return 0;
		}
		json = true;
		if (c != 'j')
			err = cli_error("unknown option %s (try ashlar doctor --help)", argv[optind - 1]);
	}
	if (!err && optind < argc)
		err = cli_error("ashlar doctor takes no argument, as %s", argv[optind]);
	if (!err) {
		for (unsigned i = 0; i < doctor_checks_n; i++)
			doctor_checks[i].look(&found[i]);
		doctor_modes(found, modes, true);
		if (json)
			err = doctor_print_json(found, modes);
		else
			doctor_print(found, modes);
		if (!err)
			err = modes[0].works ? 0 : 1;
	}
	free(found);
	return err;
}
