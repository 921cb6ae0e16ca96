/* memfd: two mappings of one are one memory, read and write see it too, its end is BUS_ADRERR, seals hold. */
#include <fcntl.h>
#include "tests/abi/abi.h"

#define RW (PROT_READ | PROT_WRITE)

int main(void)
{
	int fd = memfd_create("abi", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *p, *q, *priv, text[4];

	MUST(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	priv = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	MUST(p != MAP_FAILED && q != MAP_FAILED && priv != MAP_FAILED);
	strcpy(p + PAGE, "one");
	CHECK(!strcmp(q, "one") && !strcmp(priv + PAGE, "one"));
	strcpy(priv + PAGE, "own");
	CHECK(!strcmp(q, "one"));
	CHECK(pwrite(fd, "two", 4, PAGE) == 4 && !strcmp(q, "two") && !strcmp(priv + PAGE, "own"));
	abi_press();
	CHECK(pread(fd, text, 4, PAGE) == 4 && !strcmp(text, "two") && !strcmp(priv + PAGE, "own"));
	CHECK_FAULT(p + 2 * PAGE, ABI_WRITE, SIGBUS, BUS_ADRERR);
	CHECK_ERR(read(fd, p + 3 * PAGE, 1), EFAULT);
	CHECK_FAULT(q, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(ftruncate(fd, 3 * PAGE) == 0);
	CHECK_TOUCH(p + 2 * PAGE, ABI_WRITE);
	CHECK(ftruncate(fd, PAGE) == 0);
	CHECK_FAULT(q, ABI_READ, SIGBUS, BUS_ADRERR);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK(munmap(p, 4 * PAGE) == 0 && munmap(priv, 2 * PAGE) == 0 && munmap(q, PAGE) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && close(fd) == 0 && p[0] == 0);
	puts("mapped");
	return abi_result();
}
