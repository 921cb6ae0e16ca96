/* The one form of --json: see json_print.h. */
#include <stdio.h>
#include <stdlib.h>
#include "cli/cli.h"
#include "cli/json_print.h"

int json_print(json_t *all)
{
	char *text = json_dumps(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	if (text)
		puts(text);
	free(text);
	json_decref(all);
	return text ? 0 : cli_error("out of memory");
}
