/* Calls that a kernel may be built without: each works, or says so in the way that programs expect. */
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

/* Served, or refused by one of the two */
static void either(const char *what, long ret, int one, int other)
{
	int err = errno;

	if (!abi_check(ret >= 0 || err == one || err == other, what, __FILE_NAME__, __LINE__))
		fprintf(stderr, "    errno %d (%s)\n", err, strerror(err));
	if (ret > 2)
		close((int)ret);
}

int main(void)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0), key;

	either("userfaultfd", syscall(SYS_userfaultfd, 0), ENOSYS, EPERM);
	either("memfd_secret", syscall(447 /* memfd_secret */, 0), ENOSYS, ENOSYS);
	key = syscall(SYS_pkey_alloc, 0, 0);
	either("pkey_alloc", key < 0 && errno != ENOSPC ? key : 0, ENOSYS, EINVAL);
	either("seccomp", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(unsigned){ SECCOMP_RET_KILL_THREAD }),
	       EINVAL, ENOSYS);
	either("process_madvise", syscall(SYS_process_madvise, -1, NULL, 0, 0, 0), EPERM, EBADF);
	CHECK(commands >= 0);
	CHECK_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 4, 0), EINVAL);
	if (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
		CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM); /* not registered */
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
	}
	puts("answered");
	return abi_result();
}
