// also: ofi
/* What a fork does with memory: DONTFORK, WIPEONFORK, locks, protection, and writes after it on either side. */
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define PAGES 16

static char *filled(char c)
{
	char *p = abi_map(PAGES * PAGE);

	memset(p, c, PAGES * PAGE);
	return p;
}

static bool all(const char *p, char c)
{
	for (size_t i = 0; i < PAGES * PAGE; i++)
		if (p[i] != c)
			return false;
	return true;
}

int main(void)
{
	char *gone = filled('g'), *wiped = filled('w'), *kept = filled('k'), *locked = filled('l'), *none = filled('n');
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char vec[PAGES];
	int status, to_child[2];
	char byte;
	pid_t pid;

	MUST(shared != MAP_FAILED && pipe(to_child) == 0);
	CHECK(madvise(gone, PAGES * PAGE, MADV_DONTFORK) == 0 && madvise(wiped, PAGES * PAGE, MADV_WIPEONFORK) == 0);
	CHECK(madvise(kept, PAGES * PAGE, MADV_WIPEONFORK) == 0 && madvise(kept, PAGES * PAGE, MADV_KEEPONFORK) == 0);
	CHECK(mlock(locked, PAGES * PAGE) == 0 && mprotect(none, PAGES * PAGE, PROT_NONE) == 0);
	abi_press();
	fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		MUST(read(to_child[0], &byte, 1) == 1);
		CHECK_FAULT(gone, ABI_READ, SIGSEGV, SEGV_MAPERR);
		CHECK_FAULT(gone + (PAGES - 1) * PAGE, ABI_WRITE, SIGSEGV, SEGV_MAPERR);
		CHECK(all(wiped, 0) && all(kept, 'k') && all(locked, 'l'));
		CHECK_FAULT(none, ABI_READ, SIGSEGV, SEGV_ACCERR);
		CHECK(madvise(locked, PAGE, MADV_DONTNEED) == 0 && locked[0] == 0); /* no lock of its own */
		memset(wiped, 'c', PAGES * PAGE);
		memset(kept, 'c', PAGES * PAGE);
		shared[0] = 'c';
		abi_press();
		CHECK(all(wiped, 'c') && all(kept, 'c') && locked[PAGE] == 'l');
		CHECK(mprotect(none, PAGES * PAGE, PROT_READ) == 0 && all(none, 'n'));
		puts("child");
		_exit(abi_result());
	}
	memset(kept, 'p', PAGES * PAGE);
	abi_press();
	MUST(write(to_child[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(all(gone, 'g') && all(wiped, 'w') && all(kept, 'p') && all(locked, 'l') && shared[0] == 'c');
	abi_press();
	CHECK(mincore(locked, PAGES * PAGE, vec) == 0);
	for (int i = 0; i < PAGES; i++)
		CHECK(vec[i] & 1);
	CHECK(mprotect(none, PAGES * PAGE, PROT_READ) == 0 && all(none, 'n'));
	puts("parent");
	return abi_result();
}
