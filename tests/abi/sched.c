/* sched_*, priorities, affinity, getcpu. */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

int main(void)
{
	struct sched_param *p = (struct sched_param *)abi_map(PAGE), low = { 0 };
	struct attr *a = (struct attr *)abi_map(PAGE);
	cpu_set_t *set = (cpu_set_t *)abi_map(PAGE), all;
	unsigned *cpu = (unsigned *)abi_map(PAGE), node = 99;
	struct timespec *ts = (struct timespec *)abi_map(PAGE);
	int err;

	abi_press();
	CHECK(sched_getscheduler(0) == SCHED_OTHER);
	CHECK(sched_getparam(0, p) == 0 && p->sched_priority == 0);
	CHECK(sched_setscheduler(0, SCHED_BATCH, &low) == 0 && sched_getscheduler(0) == SCHED_BATCH);
	CHECK(sched_setscheduler(0, SCHED_OTHER, &low) == 0);
	low.sched_priority = 5;
	CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &low), EINVAL);
	CHECK_ERR(sched_setscheduler(0, 77, &low), EINVAL);
	CHECK_ERR(sched_setparam(0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getparam, 0, 8), EFAULT);
	CHECK_ERR(sched_getscheduler(0x3ffff0), ESRCH);
	err = sched_setscheduler(0, SCHED_FIFO, &low) ? errno : 0;
	printf("fifo: %d\n", err);
	if (!err) {
		CHECK(sched_getparam(0, p) == 0 && p->sched_priority == 5);
		low.sched_priority = 0;
		CHECK(sched_setscheduler(0, SCHED_OTHER, &low) == 0);
	}
	printf("%d..%d\n", sched_get_priority_min(SCHED_RR), sched_get_priority_max(SCHED_RR));
	CHECK(sched_rr_get_interval(0, ts) == 0);
	CHECK(syscall(SYS_sched_getattr, 0, a, sizeof(*a), 0) == 0 && a->policy == SCHED_OTHER && a->size >= 48);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, a, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, NULL, 56, 0), EINVAL);
	memset(a, 0, sizeof(*a));
	a->size = 48;
	a->nice = 3;
	CHECK(syscall(SYS_sched_setattr, 0, a, 0) == 0);
	CHECK(getpriority(PRIO_PROCESS, 0) == 3);
	a->size = 4;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, a, 0), E2BIG);
	a->size = 0; /* the first version's */
	CHECK(syscall(SYS_sched_setattr, 0, a, 0) == 0);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0 && getpriority(PRIO_PROCESS, 0) == 5);
	errno = 0;
	CHECK(nice(1) == 6 && errno == 0);
	CHECK_ERR(getpriority(9, 0), EINVAL);
	CHECK(sched_getaffinity(0, sizeof(*set), set) == 0);
	all = *set;
	CHECK(CPU_COUNT(set) >= 1);
	CPU_ZERO(set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, set);
			break;
		}
	abi_press();
	CHECK(sched_setaffinity(0, sizeof(*set), set) == 0);
	CHECK(syscall(SYS_getcpu, cpu, &node, NULL) == 0 && CPU_ISSET((int)*cpu, set) && node < 99);
	CHECK(sched_getcpu() == (int)*cpu);
	CPU_ZERO(set);
	CHECK_ERR(sched_setaffinity(0, sizeof(*set), set), EINVAL);
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 1, set), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 128, 8), EFAULT);
	CHECK(sched_yield() == 0);
	puts("scheduled");
	return abi_result();
}
