/* mlock and its family: what counts against RLIMIT_MEMLOCK without CAP_IPC_LOCK, and their errors. */
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

#define LIMIT (64 * PAGE)

static void without_right(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	struct rlimit r = { LIMIT, LIMIT };

	MUST(syscall(SYS_capget, &h, d) == 0);
	d[0].effective &= ~(1u << CAP_IPC_LOCK);
	MUST(syscall(SYS_capset, &h, d) == 0);
	MUST(setrlimit(RLIMIT_MEMLOCK, &r) == 0);
}

int main(void)
{
	char *p = abi_map(128 * PAGE), *q;
	struct rlimit none = { 0, 0 };

	memset(p, 'l', 128 * PAGE);
	without_right();
	CHECK(mlock(p, LIMIT) == 0);
	CHECK_ERR(mlock(p + LIMIT, PAGE), ENOMEM);
	CHECK(mlock(p + PAGE, PAGE) == 0); /* locks do not nest, nor count twice */
	CHECK_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	CHECK(munlock(p, PAGE) == 0);
	CHECK(mlock(p + LIMIT, PAGE) == 0);
	CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0);
	CHECK(munlock(p, 128 * PAGE) == 0);
	CHECK(mlock(p + 100, 1) == 0); /* whole pages */
	CHECK(mlock(p + LIMIT, LIMIT - PAGE) == 0);
	CHECK_ERR(mlock(p + 2 * PAGE, 1), ENOMEM);
	CHECK(munmap(p, PAGE) == 0); /* gives back */
	CHECK(mlock(p + 2 * PAGE, 1) == 0);
	CHECK(munlock(p + PAGE, 127 * PAGE) == 0);
	CHECK_ERR(mlock(p, 2 * PAGE), ENOMEM); /* a hole */
	CHECK(munlock(p + PAGE, PAGE) == 0);
	CHECK_ERR(munlock(p, PAGE), ENOMEM);
	CHECK(mlock(p + PAGE, 0) == 0);
	CHECK_ERR(syscall(SYS_mlock2, p + PAGE, PAGE, 8), EINVAL);
	CHECK(syscall(SYS_mlock2, p + PAGE, PAGE, 1 /* MLOCK_ONFAULT */) == 0);
	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_ERR(mlockall(64), EINVAL);
	CHECK_ERR(mlockall(MCL_ONFAULT), EINVAL);
	CHECK_ERR(mlockall(MCL_CURRENT), ENOMEM);
	CHECK(munlockall() == 0);
	q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	CHECK(q != MAP_FAILED);
	CHECK_ERR(mmap(NULL, LIMIT, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK(munmap(q, PAGE) == 0);
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	CHECK_ERR(mlock(p + PAGE, PAGE), ENOMEM);
	CHECK(munlock(p + PAGE, PAGE) == 0);
	MUST(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	CHECK_ERR(mlock(p + 2 * PAGE, PAGE), EPERM);
	CHECK_ERR(mlockall(MCL_CURRENT), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EPERM);
	CHECK(munlockall() == 0);
	CHECK(p[PAGE * 3] == 'l' && p[128 * PAGE - 1] == 'l');
	puts("locked");
	return abi_result();
}
