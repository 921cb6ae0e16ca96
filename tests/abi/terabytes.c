/* Reservations of terabytes, as the run times of Go and Java make them, with a little of them used. */
#include "tests/abi/abi.h"

#define TB (1UL << 40)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

int main(void)
{
	char *none = mmap(NULL, 8 * TB, PROT_NONE, ANON, -1, 0),
	     *rw = mmap(NULL, 2 * TB, PROT_READ | PROT_WRITE, ANON, -1, 0);
	uint64_t at = 12345, i;

	MUST(none != MAP_FAILED && rw != MAP_FAILED);
	for (i = 0; i < 600; i++) {
		at = (at * 6364136223846793005UL + 1442695040888963407UL);
		*(uint64_t *)(rw + (at >> 8) % (2 * TB / PAGE) * PAGE) = at;
	}
	abi_press();
	for (at = 12345, i = 0; i < 600; i++) {
		at = (at * 6364136223846793005UL + 1442695040888963407UL);
		CHECK(*(uint64_t *)(rw + (at >> 8) % (2 * TB / PAGE) * PAGE) == at);
	}
	for (i = 0; i < 64; i++) {
		char *heap = none + i * (8 * TB / 64);

		CHECK(mprotect(heap, 16 * PAGE, PROT_READ | PROT_WRITE) == 0);
		memset(heap, (int)i + 1, 16 * PAGE);
	}
	abi_press();
	for (i = 0; i < 64; i++)
		CHECK(none[i * (8 * TB / 64) + 16 * PAGE - 1] == (char)(i + 1));
	CHECK_FAULT(none + 16 * PAGE, ABI_READ, SIGSEGV, SEGV_ACCERR);
	CHECK(madvise(rw, 2 * TB, MADV_DONTNEED) == 0);
	CHECK(*(uint64_t *)(rw + (at >> 8) % (2 * TB / PAGE) * PAGE) == 0);
	CHECK(mmap(none + TB, TB, PROT_NONE, ANON | MAP_FIXED, -1, 0) == none + TB);
	CHECK(munmap(none, 8 * TB) == 0 && munmap(rw, 2 * TB) == 0);
	puts("vast");
	return abi_result();
}
