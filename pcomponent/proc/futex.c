/*
 * futex(2) and futex_waitv(2). The host kernel waits on the program's own addresses (its keys are address and mm), so the words must be
 * resident when it looks at them: they are touched first, and a call that still met an evicted page (EFAULT, which has
 * no effect) is made again.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/futex.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/window.h"

#define TRIES_MAX 1000
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

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

void futex_wake_one(uint64_t word)
{
	int tries;

	for (tries = 0; tries < TRIES_MAX; tries++)
		if (host3(SYS_futex, word, FUTEX_WAKE, 1) != -EFAULT || uaccess_touch(word, 1))
			return;
}

/*
 * A lock whose owner died goes to a waiter inside the waiter's own call, which then writes the word; on an evicted page
 * that fails, with the lock taken. If more wait, the next try finds it taken by itself and is content, with the word as it
 * was: it is ours to write. (Who comes meanwhile sees that it is not free and asks the host kernel.)
 */
static void claim(const struct thread *t, uint64_t word)
{
	uint32_t v;

	if (uaccess_load32(&v, word))
		return;
	while (!(v & FUTEX_TID_MASK) && uaccess_cas32(word, &v, v | (uint32_t)t->tid) > 0)
		;
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
		if (!ret && tries > 0 && k.waits && k.writes && !k.second)
			claim(t, a[0]);
		if (ret != -EFAULT || tries == TRIES_MAX)
			return ret;
		if (uaccess_touch(a[0], k.writes || write) || (k.second && uaccess_touch(a[4], k.writes || write)))
			return -EFAULT;
	}
}

/* The kernel's struct futex_waitv. */
struct waitv {
	uint64_t val, addr;
	uint32_t flags, reserved;
};
#define WAITV_MAX 128
#define WAITV_PRIVATE 128u

/* Bring the words in. 0 or -EFAULT. */
static long waitv_touch(const struct waitv *w, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		if (uaccess_touch(w[i].addr, !(w[i].flags & WAITV_PRIVATE)))
			return -EFAULT;
	return 0;
}

long sys_futex_waitv(struct thread *t, const uint64_t a[6])
{
	struct waitv *w;
	struct timespec ts;
	uint64_t i;
	int tries;
	long ret;

	if (a[2] || !a[0] || a[1] < 1 || a[1] > WAITV_MAX)
		return -EINVAL;
	if (!(w = sys_scratch(t, a[1] * sizeof(*w))))
		return -ENOMEM;
	if (a[3] && uaccess_in(&ts, a[3], sizeof(ts)))
		return -EFAULT;
	if (uaccess_in(w, a[0], a[1] * sizeof(*w)))
		return -EFAULT;
	for (i = 0; i < a[1]; i++)
		if (w[i].addr >= WINDOW_END)
			return -EFAULT;
	for (tries = 0;; tries++) {
		ret = host_block(t, SYS_futex_waitv, (uint64_t)w, a[1], 0, a[3] ? (uint64_t)&ts : 0, a[4], 0);
		if (ret != -EFAULT || tries == TRIES_MAX)
			return ret;
		if (waitv_touch(w, a[1]))
			return -EFAULT;
	}
}
