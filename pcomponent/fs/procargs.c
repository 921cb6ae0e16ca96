/*
 * Arguments and environment for others: what the host kernel shows in /proc/PID/cmdline and environ is the dispatcher's own
 * start, unless it is told of a better place (prctl(2), PR_SET_MM_MAP; kernels built without checkpointing refuse, and nothing is lost but ps's text).
 */
#include <linux/prctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "pcomponent/fs/procself.h"
#include "pcomponent/sys/sys.h"

enum { STAT_CODE = 26, STAT_DATA = 45, STAT_FIELDS = 51 }; /* of proc(5), counted from 1 */

/* Fields 26 to 51 of /proc/self/stat, at their places. */
static bool stat_read(uint64_t field[STAT_FIELDS + 1])
{
	FILE *in = fopen("/proc/self/stat", "re");
	char line[1024], *at;
	bool ok = in && fgets(line, sizeof(line), in);
	int i;

	if (in)
		fclose(in);
	at = ok ? strrchr(line, ')') : NULL;	   /* the name may hold anything */
	for (i = 3; at && i <= STAT_FIELDS; i++) { /* field 2 ends at the bracket */
		at = strchr(at, ' ');
		if (at)
			field[i] = strtoull(++at, NULL, 10);
	}
	return at != NULL;
}

void procargs_publish(const char *text, size_t args, size_t env)
{
	uint64_t f[STAT_FIELDS + 1] = { 0 };
	struct prctl_mm_map map = { .exe_fd = UINT32_MAX };

	if (!stat_read(f))
		return;
	map.start_code = f[STAT_CODE];
	map.end_code = f[STAT_CODE + 1];
	map.start_stack = f[STAT_CODE + 2];
	map.start_data = f[STAT_DATA];
	map.end_data = f[STAT_DATA + 1];
	map.start_brk = f[STAT_DATA + 2];
	map.brk = (uint64_t)host1(SYS_brk, 0);
	map.arg_start = (uint64_t)text;
	map.arg_end = map.env_start = (uint64_t)text + args;
	map.env_end = map.env_start + env;
	host_call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, (uint64_t)&map, sizeof(map), 0, 0);
}
