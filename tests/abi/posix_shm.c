/* shm_open: memory by name, that two descriptors and mappings share, and that outlives the name. */
#include <fcntl.h>
#include "tests/abi/abi.h"

#define RW (PROT_READ | PROT_WRITE)

int main(void)
{
	char name[64], *p, *q;
	int fd, other;

	snprintf(name, sizeof(name), "/abi-posix-shm-%d", getpid());
	fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	MUST(fd >= 0 && ftruncate(fd, 16 * PAGE) == 0);
	CHECK_ERR(shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	other = shm_open(name, O_RDONLY, 0);
	MUST(other >= 0);
	p = mmap(NULL, 16 * PAGE, RW, MAP_SHARED, fd, 0);
	q = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, other, 0);
	MUST(p != MAP_FAILED && q != MAP_FAILED);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, other, 0), EACCES);
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
	for (long i = 0; i < 16; i++)
		p[i * (long)PAGE] = (char)(i + 1);
	CHECK(close(fd) == 0 && close(other) == 0 && shm_unlink(name) == 0);
	CHECK_ERR(shm_unlink(name), ENOENT);
	abi_press();
	for (long i = 0; i < 16; i++)
		CHECK(q[i * (long)PAGE] == i + 1);
	CHECK(munmap(p, 16 * PAGE) == 0 && q[15 * PAGE] == 16 && munmap(q, 16 * PAGE) == 0);
	puts("by name");
	return abi_result();
}
