/*
 * plain MB NAMES..: only what the smallest C libraries have. Fills MB megabytes of bss, brk and malloc memory with words
 * that tell their place, goes over them three times in two orders, copies the files NAMES to stdout with the sum of their
 * bytes, catches a signal in between, and exits by 7.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS (1u << 17) /* a megabyte */

static unsigned long bss[3 * WORDS];
static int data[3000] = { 1, 2, 3 };
static volatile int caught;

static void on_signal(int sig)
{
	caught += sig;
}

static void fill(unsigned long *at, unsigned long seed)
{
	for (unsigned long i = 0; i < WORDS; i++)
		at[i] = i * 2654435761u + seed;
}

static unsigned long wrong(const unsigned long *at, unsigned long seed)
{
	unsigned long n = 0;

	for (unsigned long i = 0; i < WORDS; i++)
		n += at[i] != i * 2654435761u + seed;
	return n;
}

static unsigned long file_sum(const char *name)
{
	static char buf[10000];
	unsigned long sum = 0;
	int fd = open(name, O_RDONLY), n;

	if (fd < 0)
		return 0;
	while ((n = (int)read(fd, buf, sizeof(buf))) > 0)
		for (int i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)buf[i];
	close(fd);
	return sum;
}

int main(int argc, char **argv)
{
	int mb = argc > 1 ? atoi(argv[1]) : 4;
	unsigned long **part = malloc(sizeof(*part) * (unsigned)(mb + 3)), bad = 0;
	void *low, *high;

	if (!part)
		return 1;
	for (int i = 0; i < mb; i++) /* by turns from the heap and from mappings */
		part[i] = i % 2 ? malloc(sizeof(bss) / 3)
				: mmap(NULL, sizeof(bss) / 3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				       0);
	for (int i = 0; i < 3; i++)
		part[mb + i] = bss + (unsigned)i * WORDS;
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < mb + 3; i++) {
		if (!part[i] || part[i] == MAP_FAILED)
			return 2;
		fill(part[i], (unsigned long)i);
		kill(getpid(), SIGUSR1);
	}
	for (int i = mb + 2; i >= 0; i--)
		bad += wrong(part[i], (unsigned long)i);
	for (int i = 0; i < mb + 3; i++)
		bad += wrong(part[i], (unsigned long)i);
	low = sbrk(0);
	high = sbrk(8192) == low ? sbrk(0) : NULL;
	printf("%d MB, %lu wrong, caught %d, data %d, brk moved %d\n", mb, bad, caught, data[2],
	       high ? (int)((char *)high - (char *)low) : -1);
	for (int i = 2; i < argc; i++)
		printf("%s: %lx\n", argv[i], file_sum(argv[i]));
	return 7;
}
