/* For tests/e2e/core.sh: memory in a list that is larger than its ExCache, threads that compute, sleep, miss and wait. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct node {
	struct node *next;
	int value;
	char text[5000];
};
static struct node *list;
volatile double number = 3.25;
char *hidden;

static __attribute__((noinline)) void computing(int depth, volatile unsigned long *n)
{
	if (depth)
		computing(depth - 1, n);
	while (*n < ~0UL)
		++*n;
}

static void *computes(void *arg)
{
	volatile unsigned long n = 0;

	(void)arg;
	computing(5, &n);
	return NULL;
}

static void *sleeps(void *arg)
{
	return arg ? arg : (void *)(unsigned long)sleep(1000);
}

static void *misses(void *arg)
{
	volatile char *p = arg;

	while (p)
		for (size_t i = 0; i < 4u << 20; i += 4096)
			p[i]++;
	return NULL;
}

int main(void)
{
	pthread_t id;
	char c;

	for (int i = 0; i < 2000; i++) {
		struct node *n = calloc(1, sizeof(*n));

		if (!n)
			return 1;
		n->value = i;
		memset(n->text, 'a' + i % 26, sizeof(n->text));
		n->next = list;
		list = n;
	}
	hidden = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (hidden == MAP_FAILED)
		return 1;
	strcpy(hidden, "behind PROT_NONE");
	mprotect(hidden, 8192, PROT_NONE);
	if (mmap(NULL, 1UL << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
	    MAP_FAILED)
		return 1;
	pthread_create(&id, NULL, computes, NULL);
	pthread_create(&id, NULL, sleeps, NULL);
	pthread_create(&id, NULL, misses, malloc(4u << 20));
	puts("ready");
	fflush(stdout);
	if (read(0, &c, 1) != 1)
		return 2;
	for (struct node *n = list; n; n = n->next)
		if (n->text[4999] != 'a' + n->value % 26)
			return 3;
	puts("whole");
	return 0;
}
