/*
 * pinned lock KB ROUNDS: locks so much, and uses it after a walk over more memory than a small ExCache holds. share KB ROUNDS:
 * the same with shared memory, and one more walk. Says the error where that is refused.
 */
#include <stdbool.h>
#include <sys/mman.h>
#include "tests/programs/say.h"

#define PAGE 4096UL

static char *map(size_t bytes, int flags)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) << 10 : 0, i;
	bool lock = argc > 1 && !strcmp(argv[1], "lock");
	long rounds = argc > 3 ? atol(argv[3]) : 1;
	volatile char *p = map(bytes, lock ? MAP_PRIVATE : MAP_SHARED), *walked = map(6UL << 20, MAP_PRIVATE);

	if (say("mapped", p == MAP_FAILED ? -1 : 0) || (lock && say("locked", mlock((void *)p, bytes))))
		return 0;
	for (i = 0; i < 6UL << 20; i += PAGE)
		walked[i]++;
	for (long n = 0; n < rounds; n++)
		for (i = 0; i < bytes; i += PAGE)
			p[i]++;
	for (i = 0; !lock && i < 6UL << 20; i += PAGE)
		walked[i]++;
	return 0;
}
