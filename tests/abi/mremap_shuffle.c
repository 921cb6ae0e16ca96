/* Pages that change places by mremap, next to pages that stay: nothing is lost, whatever moves beside what. */
#include "tests/abi/abi.h"

#define PAGES 600UL

static long *page(char *at, size_t i)
{
	return (long *)(at + i * PAGE);
}

static char *move(char *from, char *to)
{
	char *at = mremap(from, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, to);

	MUST(at == to);
	return at;
}

/* Each page is exchanged with the next, by way of one behind the last: the first goes all the way down. */
static void rotate(char *at, size_t pages)
{
	char *hole = at + pages * PAGE;

	for (size_t i = 0; i + 1 < pages; i++) {
		move(at + i * PAGE, hole);
		move(at + (i + 1) * PAGE, at + i * PAGE);
		move(hole, at + (i + 1) * PAGE);
	}
}

/* Larger pieces change places, which lie between others */
static void exchange(char *at, size_t i, size_t k, size_t n)
{
	char *hole = mmap(NULL, n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(hole != MAP_FAILED);
	MUST(mremap(at + i * PAGE, n * PAGE, n * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, hole) == hole);
	MUST(mremap(at + k * PAGE, n * PAGE, n * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, at + i * PAGE) == at + i * PAGE);
	MUST(mremap(hole, n * PAGE, n * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, at + k * PAGE) == at + k * PAGE);
}

static size_t lost(char *at, size_t shift)
{
	size_t n = 0;

	for (size_t i = 0; i < PAGES; i++)
		n += *page(at, i) != (long)((i + shift) % PAGES);
	return n;
}

int main(void)
{
	char *at = abi_map((PAGES + 1) * PAGE);

	MUST(munmap(at + PAGES * PAGE, PAGE) == 0);
	for (size_t i = 0; i < PAGES; i++)
		*page(at, i) = (long)i;
	for (size_t round = 1; round <= 3; round++) {
		rotate(at, PAGES);
		CHECK(lost(at, round) == 0);
	}
	abi_press();
	exchange(at, 50, 300, 40);
	exchange(at, 49, 90, 1);
	exchange(at, 340, 299, 1);
	abi_press();
	exchange(at, 340, 299, 1);
	exchange(at, 49, 90, 1);
	exchange(at, 50, 300, 40);
	CHECK(lost(at, 3) == 0);
	puts("shuffled");
	return abi_result();
}
