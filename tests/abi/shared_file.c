// also: ofi
/* Shared writable mappings of a file: read and write see them and are seen, msync, a child, the end of the file. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 40

static char name[] = "shared_file-XXXXXX";

/* What the file holds, by an opening of its own */
static char byte_at(off_t off)
{
	int fd = open(name, O_RDONLY);
	char c = 0;

	CHECK(pread(fd, &c, 1, off) == 1);
	close(fd);
	return c;
}

static void errors(int fd)
{
	int ro = open(name, O_RDONLY), wo = open(name, O_WRONLY);
	char *p;

	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, wo, 0), EACCES);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	MUST(p != MAP_FAILED);
	CHECK_ERR(mprotect(p, PAGE, RW), EACCES);
	CHECK(p[0] == 'a' && munmap(p, PAGE) == 0 && close(ro) == 0 && close(wo) == 0);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_FAULT(p, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(mprotect(p, PAGE, RW) == 0);
	CHECK_TOUCH(p, ABI_WRITE);
	CHECK(munmap(p, PAGE) == 0);
}

int main(void)
{
	int fd = mkstemp(name), status;
	char *p, *q, text[8], *r;
	struct stat st;
	pid_t pid;

	MUST(fd >= 0);
	for (int i = 0; i < PAGES; i++) {
		char page[PAGE];

		memset(page, 'a' + i % 26, PAGE);
		MUST(write(fd, page, PAGE) == (ssize_t)PAGE);
	}
	MUST(write(fd, "end", 3) == 3);
	errors(fd);
	p = mmap(NULL, (PAGES + 4) * PAGE, RW, MAP_SHARED, fd, 0);
	q = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 8 * PAGE);
	MUST(p != MAP_FAILED && q != MAP_FAILED);
	CHECK(p[0] == 'a' && p[PAGES * PAGE] == 'e' && p[PAGES * PAGE + 3] == 0 && q[0] == 'i');
	memcpy(p + 9 * PAGE + 5, "mapped", 6);
	CHECK(!memcmp(q + PAGE + 5, "mapped", 6)); /* two mappings, one page */
	CHECK(pread(fd, text, 6, 9 * PAGE + 5) == 6 && !memcmp(text, "mapped", 6));
	CHECK(pwrite(fd, "written", 7, 9 * PAGE + 8) == 7);
	CHECK(!memcmp(q + PAGE + 5, "mapwritten", 10) && p[9 * PAGE] == 'j');
	p[20 * PAGE] = 'M';
	CHECK(msync(p + 20 * PAGE, PAGE, MS_SYNC) == 0 && byte_at(20 * PAGE) == 'M');
	p[20 * PAGE] = 'N'; /* again, after it was clean */
	CHECK(msync(p, PAGES * PAGE, MS_SYNC) == 0 && byte_at(20 * PAGE) == 'N' && byte_at(21 * PAGE) == 'v');
	CHECK_FAULT(p + (PAGES + 1) * PAGE, ABI_READ, SIGBUS, BUS_ADRERR);
	p[PAGES * PAGE + 100] = 'x'; /* behind the end, in its page: not the file's */
	CHECK(msync(p, (PAGES + 1) * PAGE, MS_SYNC) == 0 && fstat(fd, &st) == 0 &&
	      st.st_size == PAGES * (off_t)PAGE + 3);
	CHECK(ftruncate(fd, (PAGES + 3) * PAGE) == 0);
	p[(PAGES + 2) * PAGE] = 'g';
	CHECK(msync(p, (PAGES + 3) * PAGE, MS_SYNC) == 0 && byte_at((PAGES + 2) * PAGE) == 'g');
	abi_press();
	fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		CHECK(p[20 * PAGE] == 'N');
		p[21 * PAGE] = 'c';
		p[22 * PAGE] = 'c';
		_exit(abi_result());
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(p[21 * PAGE] == 'c' && pread(fd, text, 1, 22 * PAGE) == 1 && text[0] == 'c');
	p[23 * PAGE] = 'u';
	r = mremap(p, (PAGES + 4) * PAGE, (PAGES + 4) * PAGE, MREMAP_MAYMOVE);
	CHECK(r != MAP_FAILED && r[23 * PAGE] == 'u');
	r[24 * PAGE] = 'v';
	CHECK(mprotect(r, 30 * PAGE, PROT_READ) == 0);
	CHECK_FAULT(r + 24 * PAGE, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(r[24 * PAGE] == 'v' && mprotect(r, 30 * PAGE, RW) == 0);
	r[25 * PAGE] = 'w';
	CHECK(munmap(r, (PAGES + 4) * PAGE) == 0 && munmap(q, 4 * PAGE) == 0);
	CHECK(byte_at(23 * PAGE) == 'u' && byte_at(24 * PAGE) == 'v' && byte_at(25 * PAGE) == 'w' &&
	      byte_at(26 * PAGE) == 'a');
	p = mmap(NULL, PAGES * PAGE, RW, MAP_SHARED, fd, 0);
	MUST(p != MAP_FAILED && close(fd) == 0);
	CHECK(p[9 * PAGE + 8] == 'w' && p[20 * PAGE] == 'N');
	for (int i = 0; i < PAGES; i++)
		p[i * PAGE] = 'z';
	pid = fork(); /* a child that only ends writes its pages back, too */
	MUST(pid >= 0);
	if (pid == 0) {
		p[1] = 'y';
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(byte_at(0) == 'z' && byte_at(1) == 'y' && byte_at(39 * PAGE) == 'z');
	CHECK(unlink(name) == 0);
	p[5] = '5';
	CHECK(p[5] == '5' && munmap(p, PAGES * PAGE) == 0);
	puts("shared");
	return abi_result();
}
