/* Calls on ranges at the end of the address space and behind it; all memory taken away at once. */
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define HIGH ((char *)0x700000001000)	    /* nothing of a program is there */
#define BEHIND ((char *)0x7ffffffff000)	    /* the end of what user space may have */
#define KERNEL ((char *)0xffff880000000000) /* the kernel's */

static void refused(char *at, int unmap_error)
{
	unsigned char vec;

	if (unmap_error)
		CHECK_ERR(munmap(at, PAGE), unmap_error);
	else
		CHECK(munmap(at, PAGE) == 0);
	CHECK_ERR(mprotect(at, PAGE, PROT_READ), ENOMEM);
	CHECK_ERR(madvise(at, PAGE, MADV_DONTNEED), ENOMEM);
	CHECK_ERR(madvise(at, PAGE, MADV_WILLNEED), ENOMEM);
	CHECK_ERR(msync(at, PAGE, MS_SYNC), ENOMEM);
	CHECK_ERR(mincore(at, PAGE, &vec), ENOMEM);
	CHECK_ERR(mlock(at, PAGE), ENOMEM);
	CHECK_ERR(munlock(at, PAGE), ENOMEM);
	CHECK_ERR(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERR(munmap(at, 0), EINVAL);
	CHECK_ERR(munmap(at + 1, PAGE), EINVAL);
	CHECK(madvise(at, 0, MADV_DONTNEED) == 0 && mprotect(at, 0, PROT_READ) == 0 && msync(at, 0, MS_SYNC) == 0);
	CHECK_ERR(madvise(at, (size_t)-PAGE + 1, MADV_DONTNEED), EINVAL);
	CHECK_ERR(mprotect(at, (size_t)-PAGE, PROT_READ), ENOMEM);
}

/* The program's own code and stack go with it; the signal is blocked, and kills. */
static void all_gone(unsigned long bytes)
{
	sigset_t set;
	int status;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		sigemptyset(&set);
		sigaddset(&set, SIGSEGV);
		sigprocmask(SIG_BLOCK, &set, NULL);
		munmap(NULL, bytes);
		_exit(1);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

int main(void)
{
	refused(HIGH, 0);
	refused(BEHIND, EINVAL);
	refused(KERNEL, EINVAL);
	CHECK_ERR(munmap(NULL, (size_t)BEHIND + PAGE), EINVAL);
	CHECK_ERR(munmap((void *)PAGE, (size_t)BEHIND), EINVAL);
	CHECK_ERR(munmap(NULL, 1UL << 63), EINVAL);
	all_gone((size_t)BEHIND);
	all_gone((size_t)HIGH);
	puts("ranges");
	return abi_result();
}
