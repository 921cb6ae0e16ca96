/*
 * The shell's RLIMIT_FSIZE is meant for the program's files. What we and a private rack make are files too (memory of memfds),
 * so it is lifted here and given back to the program, whose dispatcher holds it.
 */
#include <sys/resource.h>
#include "cli/run.h"

static struct rlimit given = { RLIM_INFINITY, RLIM_INFINITY };

void file_limit_lift(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit most;

	if (getrlimit(RLIMIT_FSIZE, &given))
		return;
	most = (struct rlimit){ given.rlim_max, given.rlim_max };
	if (setrlimit(RLIMIT_FSIZE, &none))
		(void)setrlimit(RLIMIT_FSIZE, &most); /* a hard limit stays to an ordinary user */
}

void file_limit_restore(void)
{
	(void)setrlimit(RLIMIT_FSIZE, &given);
}
