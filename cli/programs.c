/* Where the rack's programs are: beside the command itself, or in the folder that ASHLAR_BIN names (for tests). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/run.h"

int programs_find(struct private_rack *r)
{
	const char *override = getenv("ASHLAR_BIN");
	char path[PATH_MAX];
	char *slash;

	if (override && *override) {
		if (!realpath(override, path))
			return cli_error("cannot use ASHLAR_BIN=%s: %s", override, strerror(errno));
	} else {
		ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

		if (n < 0)
			return cli_error("cannot tell where my own programs are: %s", strerror(errno));
		path[n] = 0;
		slash = strrchr(path, '/');
		if (slash)
			*slash = 0;
	}
	if (snprintf(r->bin, sizeof(r->bin), "%s", path) >= (int)sizeof(r->bin))
		return cli_error("the path of my own programs is too long");
	return 0;
}
