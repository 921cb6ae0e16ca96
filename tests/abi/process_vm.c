// also: 6.1
/* process_vm_readv and process_vm_writev on the process itself: pieces, faults half way, who is meant. */
#include <limits.h>
#include <sys/uio.h>
#include "tests/abi/abi.h"

#define LONG (40 * PAGE)

static long to_there(pid_t pid, struct iovec *local, unsigned long n, struct iovec *remote, unsigned long m)
{
	abi_press();
	return process_vm_writev(pid, local, n, remote, m, 0);
}

static void pieces(void)
{
	char *from = abi_map(LONG), *to = abi_map(LONG);
	struct iovec one = { from, LONG }, three[3] = { { to, 1 }, { to + 1, PAGE }, { to + PAGE + 1, LONG } };

	for (unsigned long i = 0; i < LONG; i++)
		from[i] = (char)(i * 7);
	CHECK(to_there(getpid(), &one, 1, three, 3) == (long)LONG);
	CHECK(!memcmp(from, to, LONG));
	memset(to, 0, LONG);
	abi_press();
	three[0].iov_base = from, three[1].iov_base = from + 1;
	three[2] = (struct iovec){ from + PAGE + 1, LONG - PAGE - 1 };
	one.iov_base = to;
	CHECK(process_vm_readv(gettid(), &one, 1, three, 3, 0) == (long)LONG);
	CHECK(!memcmp(from, to, LONG));
	munmap(from, LONG);
	munmap(to, LONG);
}

static void faults(void)
{
	char *m = abi_map(4 * PAGE), *text = abi_map(PAGE);
	struct iovec local = { text, 3 * PAGE }, remote = { m + PAGE, 3 * PAGE };

	mprotect(m + 2 * PAGE, PAGE, PROT_NONE);
	local.iov_len = PAGE;
	remote.iov_base = m + PAGE + PAGE / 2;
	printf("half: %ld\n", to_there(getpid(), &local, 1, &remote, 1));
	remote.iov_base = m + 2 * PAGE;
	CHECK_ERR(to_there(getpid(), &local, 1, &remote, 1), EFAULT);
	mprotect(m + 2 * PAGE, PAGE, PROT_READ);
	CHECK_ERR(to_there(getpid(), &local, 1, &remote, 1), EFAULT);
	CHECK(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (long)PAGE);
	remote.iov_base = (void *)-PAGE;
	CHECK_ERR(to_there(getpid(), &local, 1, &remote, 1), EFAULT);
	local.iov_base = (void *)8;
	remote.iov_base = m;
	CHECK_ERR(to_there(getpid(), &local, 1, &remote, 1), EFAULT);
}

static void refused(void)
{
	char *m = abi_map(PAGE);
	struct iovec v = { m, 16 }, long_one = { m, (size_t)SSIZE_MAX + 1 }, none = { m, 0 };

	CHECK_ERR(process_vm_readv(getpid(), &v, 1, &v, 1, 1), EINVAL);
	CHECK_ERR(process_vm_readv(getpid(), &v, IOV_MAX + 1, &v, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(getpid(), &v, 1, &v, IOV_MAX + 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(getpid(), &long_one, 1, &v, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(0x3ffffff, &v, 1, &v, 1, 0), ESRCH);
	CHECK_ERR(process_vm_readv(-1, &v, 1, &v, 1, 0), ESRCH);
	CHECK_ERR(process_vm_readv(getpid(), (struct iovec *)8, 1, &v, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(getpid(), &v, 1, (struct iovec *)8, 1, 0), EFAULT);
	CHECK(process_vm_readv(getpid(), &none, 1, &v, 1, 0) == 0);
	CHECK(process_vm_readv(getpid(), &v, 1, &v, 0, 0) == 0);
}

int main(void)
{
	pieces();
	faults();
	refused();
	puts("process_vm");
	return abi_result();
}
