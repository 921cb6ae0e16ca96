// also: 6.1
/* Robust locks: their owner ends, the next one is told; lists on pages that are not resident. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

#define LOCKS 40
static pthread_mutex_t *lock[LOCKS];
static volatile int stage;

static void make(int shared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
	for (int i = 0; i < LOCKS; i++)
		MUST(pthread_mutex_init(lock[i], &attr) == 0);
}

static void *takes_all(void *arg)
{
	for (int i = 0; i < LOCKS; i++)
		CHECK(pthread_mutex_lock(lock[i]) == 0);
	stage = 1;
	abi_press();
	while (stage < 2)
		usleep(1000);
	abi_press();
	if (arg)
		syscall(SYS_exit, 0);
	return NULL;
}

static void *waits(void *arg)
{
	int err = pthread_mutex_lock(lock[7]);

	CHECK(err == EOWNERDEAD);
	pthread_mutex_consistent(lock[7]);
	pthread_mutex_unlock(lock[7]);
	return NULL;
}

static void owner_ends(bool suddenly)
{
	pthread_t owner, waiter;

	stage = 0;
	pthread_create(&owner, NULL, takes_all, suddenly ? "" : NULL);
	while (stage < 1)
		usleep(1000);
	pthread_create(&waiter, NULL, waits, NULL);
	usleep(20000);
	stage = 2;
	pthread_join(waiter, NULL);
	pthread_join(owner, NULL);
	for (int i = 0; i < LOCKS; i++) {
		if (i == 7)
			continue;
		CHECK(pthread_mutex_trylock(lock[i]) == EOWNERDEAD);
		if (i % 2)
			CHECK(pthread_mutex_consistent(lock[i]) == 0);
		CHECK(pthread_mutex_unlock(lock[i]) == 0);
		CHECK(pthread_mutex_lock(lock[i]) == (i % 2 ? 0 : ENOTRECOVERABLE));
		if (i % 2)
			CHECK(pthread_mutex_unlock(lock[i]) == 0);
	}
}

/* The lists themselves: those of other threads can be asked for. */
static struct robust_list_head *seen_self;
static volatile int other_tid;

static void *tells(void *arg)
{
	size_t len = 0;

	CHECK(syscall(SYS_get_robust_list, 0, &seen_self, &len) == 0 && len == sizeof(struct robust_list_head));
	other_tid = (int)syscall(SYS_gettid);
	while (stage < 9)
		usleep(1000);
	return NULL;
}

static void lists(void)
{
	struct robust_list_head *head = NULL, mine = { .list.next = &mine.list };
	size_t len = 0;
	pthread_t id;

	stage = 8;
	pthread_create(&id, NULL, tells, NULL);
	while (!other_tid)
		usleep(1000);
	CHECK(syscall(SYS_get_robust_list, other_tid, &head, &len) == 0);
	CHECK(head == seen_self && len == sizeof(*head));
	CHECK(syscall(SYS_get_robust_list, syscall(SYS_gettid), &head, &len) == 0);
	CHECK_ERR(syscall(SYS_get_robust_list, 0x3fffff, &head, &len), ESRCH);
	CHECK_ERR(syscall(SYS_set_robust_list, &mine, sizeof(mine) - 1), EINVAL);
	CHECK(syscall(SYS_set_robust_list, &mine, sizeof(mine)) == 0);
	CHECK(syscall(SYS_get_robust_list, 0, &mine.list_op_pending, &len) == 0 &&
	      (void *)mine.list_op_pending == (void *)&mine);
	mine.list_op_pending = NULL;
	CHECK(syscall(SYS_set_robust_list, head, sizeof(mine)) == 0);
	stage = 9;
	pthread_join(id, NULL);
}

/* A list that loops, and one that leads nowhere: the thread ends all the same. */
static void *bad_list(void *arg)
{
	static struct robust_list loop[2] = { { &loop[1] }, { &loop[0] } };
	static struct robust_list_head head = { .futex_offset = 8 };

	head.list.next = arg ? (struct robust_list *)16 : &loop[0];
	syscall(SYS_set_robust_list, &head, sizeof(head));
	syscall(SYS_exit, 0);
	return NULL;
}

int main(void)
{
	pthread_t id;

	for (int i = 0; i < LOCKS; i++)
		lock[i] = (pthread_mutex_t *)(abi_map(2 * PAGE) + 64 * i);
	for (int shared = 0; shared < 2; shared++)
		for (int suddenly = 0; suddenly < 2; suddenly++) {
			make(shared);
			owner_ends(suddenly);
		}
	puts("owners ended");
	lists();
	for (int i = 0; i < 2; i++) {
		pthread_create(&id, NULL, bad_list, i ? "" : NULL);
		pthread_join(id, NULL);
	}
	puts("lists");
	return abi_result();
}
