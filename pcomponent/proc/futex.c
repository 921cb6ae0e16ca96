/*
 * futex(2). The host kernel waits on the program's own addresses (its keys are address and mm), so the words must be
 * resident when it looks at them: they are touched first, and a call that still met an evicted page (EFAULT, which has
 * no effect) is made again.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include "pcomponent/proc/calls.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/window.h"

#define TRIES_MAX 1000

struct futex_kind {
	bool waits, timeout, second, writes;
};

static bool kind_of(int cmd, struct futex_kind *k)
{
	*k = (struct futex_kind){ 0 };
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		k->waits = k->timeout = true;
		return true;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return true;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		k->second = true;
		return true;
	case FUTEX_WAKE_OP:
		k->second = k->writes = true;
		return true;
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		k->waits = k->timeout = k->writes = true;
		return true;
	case FUTEX_UNLOCK_PI:
	case FUTEX_TRYLOCK_PI:
		k->writes = true;
		return true;
	case FUTEX_WAIT_REQUEUE_PI:
		k->waits = k->timeout = k->second = k->writes = true;
		return true;
	case FUTEX_CMP_REQUEUE_PI:
		k->second = k->writes = true;
		return true;
	default:
		return false;
	}
}

long sys_futex(struct thread *t, const uint64_t a[6])
{
	/* For a futex without the private flag the host kernel wants the page writable, whatever it does with it. */
	bool write = !(a[1] & FUTEX_PRIVATE_FLAG);
	struct futex_kind k;
	struct timespec ts;
	uint64_t arg3 = a[3];
	int tries;
	long ret;

	if (!kind_of((int)(a[1] & FUTEX_CMD_MASK), &k))
		return -ENOSYS;
	if (a[0] & 3)
		return -EINVAL;
	if (a[0] >= WINDOW_END || (k.second && a[4] >= WINDOW_END))
		return -EFAULT;
	if (k.timeout && a[3]) {
		if (uaccess_in(&ts, a[3], sizeof(ts)))
			return -EFAULT;
		arg3 = (uint64_t)&ts;
	}
	for (tries = 0;; tries++) {
		ret = k.waits ? host_block(t, SYS_futex, a[0], a[1], a[2], arg3, a[4], a[5])
			      : host_call(SYS_futex, a[0], a[1], a[2], arg3, a[4], a[5]);
		if (ret != -EFAULT || tries == TRIES_MAX)
			return ret;
		if (uaccess_touch(a[0], k.writes || write) || (k.second && uaccess_touch(a[4], k.writes || write)))
			return -EFAULT;
	}
}
