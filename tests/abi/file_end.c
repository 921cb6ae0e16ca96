/* A file mapping beyond its file's end: zeros to the page's end, BUS_ADRERR beyond, and contents once the file has grown. */
#include <fcntl.h>
#include <sys/stat.h>
#include "tests/abi/abi.h"

int main(void)
{
	char name[] = "file_end-XXXXXX";
	int fd = mkstemp(name);
	char *p, *q;

	MUST(fd >= 0 && unlink(name) == 0);
	MUST(write(fd, "contents", 8) == 8);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	q = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	MUST(p != MAP_FAILED && q != MAP_FAILED);
	CHECK(!memcmp(p, "contents", 8) && p[8] == 0 && p[PAGE - 1] == 0);
	CHECK_TOUCH(p + PAGE - 1, ABI_WRITE);
	CHECK_FAULT(p + PAGE, ABI_READ, SIGBUS, BUS_ADRERR);
	CHECK_FAULT(p + 2 * PAGE + 5, ABI_WRITE, SIGBUS, BUS_ADRERR);
	CHECK_FAULT(q + 3 * PAGE, ABI_READ, SIGBUS, BUS_ADRERR);
	CHECK_FAULT(q + 3 * PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(mprotect(p, 4 * PAGE, PROT_READ) == 0);
	CHECK_FAULT(p + PAGE, ABI_READ, SIGBUS, BUS_ADRERR);
	CHECK_FAULT(p + PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_ERR(write(STDOUT_FILENO, p + PAGE, 1), EFAULT);
	MUST(pwrite(fd, "more", 4, 2 * PAGE) == 4);
	CHECK(p[PAGE] == 0 && !memcmp(p + 2 * PAGE, "more", 4) && !memcmp(q + 2 * PAGE, "more", 4));
	CHECK_FAULT(p + 3 * PAGE, ABI_READ, SIGBUS, BUS_ADRERR);
	abi_press();
	CHECK(!memcmp(p, "contents", 8) && !memcmp(p + 2 * PAGE, "more", 4));
	p = mmap(p + PAGE, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK_TOUCH(p + 2 * PAGE, ABI_WRITE);
	puts("to the end");
	return abi_result();
}
