/*
 * New memory touched in a row across the border of two mappings that the program sees as one and the host kernel keeps
 * apart: the one below was moved there by mremap. Filling zeros ahead must stop there.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, ANON, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int main(void)
{
	char *all = map(4096), *area = map(400), *moved = map(50);

	if (!all || !area || !moved)
		return 1;
	memset(all, 1, 4096 * PAGE); /* more than any budget of this test */
	munmap(area, 200 * PAGE);
	moved = mremap(moved, 50 * PAGE, 100 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 100 * PAGE);
	if (moved == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < 300; i++)
		moved[i * PAGE] = 1;
	puts("ok");
	return 0;
}
