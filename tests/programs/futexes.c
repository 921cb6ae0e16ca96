/* futexes: the bare call, on words that may have been evicted meanwhile. argv[1]: MB to walk over between steps. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/programs/say.h"

static size_t walk_bytes = 4 << 20;
static char *walked;
static _Atomic uint32_t *word; /* each on a page of its own */
static atomic_uint asleep;

/* Everything else out of the ExCache */
static void walk(void)
{
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < walk_bytes; i += 4096)
			walked[i]++;
}

static _Atomic uint32_t *word_at(unsigned n)
{
	return word + n * 1024;
}

static long futex(_Atomic uint32_t *at, int op, uint32_t val, const void *timeout_or_val2, _Atomic uint32_t *at2,
		  uint32_t val3)
{
	return syscall(SYS_futex, at, op, val, timeout_or_val2, at2, val3);
}

static void *sleeper(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	long ret;

	atomic_fetch_add(&asleep, 1);
	do
		ret = futex(word_at((unsigned)n & 15), FUTEX_WAIT | (n & 16 ? 0 : FUTEX_PRIVATE_FLAG), 0, NULL, NULL,
			    0);
	while (ret && errno == EINTR);
	return (void *)(uintptr_t)(ret ? errno : 0);
}

/* How many sleep at the word at last: waking says so, and a call that wakes none tells without waking. */
static void woken(const char *what, unsigned flag)
{
	pthread_t t;
	void *back;
	long n = 0;

	atomic_store(&asleep, 0);
	atomic_store(word_at(1), 0);
	MUST(!pthread_create(&t, NULL, sleeper, (void *)(uintptr_t)(1 | flag)));
	while (!atomic_load(&asleep))
		sched_yield();
	walk();
	/* The word stays 0, so it is asleep sooner or later; wake until it was. */
	while (n == 0) {
		n = futex(word_at(1), FUTEX_WAKE | (flag ? 0 : FUTEX_PRIVATE_FLAG), 1, NULL, NULL, 0);
		sched_yield();
	}
	pthread_join(t, &back);
	printf("%s: woke %ld, sleeper got %s\n", what, n, error_name((int)(uintptr_t)back));
}

static void requeued(void)
{
	pthread_t t[3];
	long moved = 0, n, woke = 0;

	atomic_store(&asleep, 0);
	atomic_store(word_at(2), 0);
	for (int i = 0; i < 3; i++)
		MUST(!pthread_create(&t[i], NULL, sleeper, (void *)2));
	while (atomic_load(&asleep) < 3)
		sched_yield();
	walk();
	while (moved < 3) {
		n = futex(word_at(2), FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)3, word_at(3), 0);
		MUST(n >= 0);
		moved += n;
		sched_yield();
	}
	walk();
	while (woke < 3) {
		n = futex(word_at(3), FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0);
		MUST(n >= 0);
		woke += n;
	}
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("requeued %ld, woken %ld\n", moved, woke);
}

static void alone(void)
{
	struct timespec ms = { 0, 5000000 }, past = { 1, 0 }, bad = { 0, 2000000000 };

	atomic_store(word_at(4), 5);
	walk();
	say("value differs", futex(word_at(4), FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0));
	walk();
	say("times out", futex(word_at(4), FUTEX_WAIT_PRIVATE, 5, &ms, NULL, 0));
	say("times out, shared", futex(word_at(4), FUTEX_WAIT, 5, &ms, NULL, 0));
	say("deadline passed", futex(word_at(4), FUTEX_WAIT_BITSET_PRIVATE, 5, &past, NULL, FUTEX_BITSET_MATCH_ANY));
	say("deadline of the real time passed", futex(word_at(4), FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 5,
						      &past, NULL, FUTEX_BITSET_MATCH_ANY));
	say("bad time", futex(word_at(4), FUTEX_WAIT_PRIVATE, 5, &bad, NULL, 0));
	say("no bit", futex(word_at(4), FUTEX_WAIT_BITSET_PRIVATE, 5, &past, NULL, 0));
	say("unaligned", syscall(SYS_futex, (char *)word_at(4) + 1, FUTEX_WAIT_PRIVATE, 5, &ms, NULL, 0));
	say("no memory there", futex((void *)4096, FUTEX_WAIT_PRIVATE, 5, &ms, NULL, 0));
	say("unknown operation", futex(word_at(4), 99, 5, &ms, NULL, 0));
	printf("nobody to wake: %ld\n", futex(word_at(5), FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0));
	walk();
	printf("nobody to wake, shared: %ld\n", futex(word_at(5), FUTEX_WAKE, 9, NULL, NULL, 0));
	walk();
	printf("wake_op: %ld", futex(word_at(5), FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, word_at(6),
				     FUTEX_OP(FUTEX_OP_ADD, 41, FUTEX_OP_CMP_EQ, 0)));
	printf(", word is %u\n", atomic_load(word_at(6)));
}

static void pi(void)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid);

	atomic_store(word_at(7), 0);
	walk();
	say("lock with inheritance", futex(word_at(7), FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	printf("mine: %d\n", atomic_load(word_at(7)) == tid);
	walk();
	say("lock again", futex(word_at(7), FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say("unlock", futex(word_at(7), FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	printf("free: %d\n", atomic_load(word_at(7)) == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		walk_bytes = strtoull(argv[1], NULL, 0) << 20;
	walked = mmap(NULL, walk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	word = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(walked != MAP_FAILED && word != MAP_FAILED);
	alone();
	for (int i = 0; i < 5; i++)
		woken("private", 0);
	for (int i = 0; i < 5; i++)
		woken("shared", 16);
	for (int i = 0; i < 5; i++)
		requeued();
	pi();
	return 0;
}
