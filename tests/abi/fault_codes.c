// also: ofi
/* si_code and si_addr of wild accesses: null, code, the kernel's half, no address at all; and calls given such pointers. */
#include <fcntl.h>
#include <sys/uio.h>
#include "tests/abi/abi.h"

static const char constant[PAGE] = "constant";

int main(void)
{
	char *p = abi_map(3 * PAGE), *wild = (char *)0x4141414141414141, *kernel = (char *)0xffffffff81000000;
	struct abi_fault f;
	struct iovec iov[2];
	int ends[2];

	CHECK_FAULT((char *)NULL, ABI_READ, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT((char *)8, ABI_WRITE, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT((char *)16, ABI_CALL, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT((char *)&constant[100], ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT((char *)main, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT(p, ABI_CALL, SIGSEGV, SEGV_ACCERR);
	f = abi_touch(wild, ABI_READ); /* not an address: the processor says nothing of it */
	CHECK(f.sig == SIGSEGV && f.code == SI_KERNEL && f.addr == NULL);
	f = abi_touch(wild, ABI_CALL);
	CHECK(f.sig == SIGSEGV && f.code == SI_KERNEL && f.addr == NULL);
	CHECK_FAULT(kernel, ABI_READ, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT(kernel, ABI_WRITE, SIGSEGV, SEGV_MAPERR);
	/* Writing over a border: the page that is not there is named */
	CHECK(munmap(p + 2 * PAGE, PAGE) == 0 && mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	abi_press();
	CHECK_FAULT(p + PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT(p + 2 * PAGE, ABI_WRITE, SIGSEGV, SEGV_MAPERR);
	MUST(pipe(ends) == 0 && write(ends[1], "0123456789", 10) == 10);
	CHECK_ERR(read(ends[0], wild, 4), EFAULT);
	CHECK_ERR(read(ends[0], kernel, 4), EFAULT);
	CHECK_ERR(read(ends[0], p + PAGE, 4), EFAULT); /* may not be written */
	CHECK_ERR(write(ends[1], p + 2 * PAGE, 4), EFAULT);
	CHECK_ERR(open(wild, O_RDONLY), EFAULT);
	CHECK_ERR(open(p + 2 * PAGE, O_RDONLY), EFAULT);
	iov[0] = (struct iovec){ p, 2 };
	iov[1] = (struct iovec){ p + PAGE, 2 };
	CHECK(read(ends[0], p, 1) == 1);
	CHECK_ERR(readv(ends[0], (struct iovec *)(p + 2 * PAGE), 1), EFAULT);
	CHECK(readv(ends[0], iov, 1) == 2);
	puts("told");
	return abi_result();
}
