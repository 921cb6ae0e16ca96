/*
 * hog MB [mmap|malloc|brk]: takes memory in pieces of 1 MB and writes all of it, up to MB megabytes. When a piece is
 * refused it says so, with the error, checks what it has, and ends with status 4; else status 0.
 */
#include <sys/mman.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define PIECE (1UL << 20)

static void *take(const char *how)
{
	void *p;

	if (strcmp(how, "brk") == 0)
		p = sbrk(PIECE);
	else if (strcmp(how, "malloc") == 0)
		return malloc(PIECE);
	else
		p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == (void *)-1 ? NULL : p;
}

int main(int argc, char **argv)
{
	unsigned max = argc > 1 ? (unsigned)atoi(argv[1]) : 16;
	const char *how = argc > 2 ? argv[2] : "mmap";
	uint64_t **piece = calloc(max, sizeof(*piece));
	unsigned n, wrong = 0;
	int err = 0;

	MUST(piece);
	for (n = 0; n < max; n++) {
		errno = 0;
		piece[n] = take(how);
		err = errno;
		if (!piece[n])
			break;
		for (unsigned i = 0; i < PIECE / 8; i++)
			piece[n][i] = page_word(n, 1, i);
	}
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < PIECE / 8; i++)
			wrong += piece[k][i] != page_word(k, 1, i);
	if (n < max) {
		fprintf(stderr, "hog: refused after %u MB: %s\n", n, error_name(err));
		printf("refused: %s, wrong words %u\n", error_name(err), wrong);
		return 4;
	}
	printf("%u MB, wrong words %u\n", n, wrong);
	return 0;
}
