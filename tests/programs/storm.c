/*
 * storm MB SIGNALS: timers fire as fast as they can while two threads write and check more memory than is local; the
 * handler does so too. Ends when SIGNALS were handled; nothing may be lost, nothing may be wrong.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>
#include "tests/programs/say.h"

static atomic_ulong handled, wrong;
static uint64_t *memory;
static uint64_t pages, wanted;

static void on_alarm(int sig)
{
	unsigned long n = atomic_fetch_add(&handled, 1);
	uint64_t page = 2 * (pages / 3) + n % (pages / 3); /* the handler's third is read only */

	atomic_fetch_add(&wrong, page_wrong(memory + page * WORDS_PER_PAGE, page, 1));
}

static void *work(void *arg)
{
	uint64_t first = (uintptr_t)arg * (pages / 3), n = pages / 3, version = 1;

	do {
		for (uint64_t page = first; page < first + n; page++) {
			atomic_fetch_add(&wrong, page_wrong(memory + page * WORDS_PER_PAGE, page, version));
			page_fill(memory + page * WORDS_PER_PAGE, page, version + 1);
		}
		version++;
	} while (atomic_load(&handled) < wanted);
	return NULL;
}

int main(int argc, char **argv)
{
	struct itimerval every = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	struct sigaction a = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	pthread_t t;

	pages = (argc > 1 ? strtoull(argv[1], NULL, 0) : 6) * 256 / 3 * 3;
	wanted = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000;
	memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(memory != MAP_FAILED);
	for (uint64_t page = 0; page < pages; page++)
		page_fill(memory + page * WORDS_PER_PAGE, page, 1);
	sigaction(SIGALRM, &a, NULL);
	sigaction(SIGVTALRM, &a, NULL);
	sigaction(SIGPROF, &a, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	setitimer(ITIMER_VIRTUAL, &every, NULL);
	setitimer(ITIMER_PROF, &every, NULL);
	MUST(!pthread_create(&t, NULL, work, (void *)1));
	work(NULL);
	pthread_join(t, NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	setitimer(ITIMER_VIRTUAL, &off, NULL);
	setitimer(ITIMER_PROF, &off, NULL);
	printf("%s, wrong words %lu\n", atomic_load(&handled) >= wanted ? "enough signals" : "too few",
	       atomic_load(&wrong));
	return atomic_load(&wrong) != 0;
}
