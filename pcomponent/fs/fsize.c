/* See fsize.h. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/fsize.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"

bool fsize_limited(void)
{
	return proc_limit(RLIMIT_FSIZE) != RLIM_INFINITY;
}

long fsize_cut(uint64_t off, uint64_t *bytes)
{
	uint64_t limit = proc_limit(RLIMIT_FSIZE);

	if (limit == RLIM_INFINITY || !*bytes)
		return 0;
	if (off >= limit) {
		host3(SYS_tgkill, getpid(), thread_self()->tid, SIGXFSZ);
		return -EFBIG;
	}
	if (*bytes > limit - off)
		*bytes = limit - off;
	return 0;
}
