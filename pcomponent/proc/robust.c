/* Robust futexes (robust.h): see the kernel's Documentation/locking/robust-futex-ABI for the list's layout. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/robust.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

#define LIST_MAX 2048 /* the kernel's own bound */

struct robust_head {
	uint64_t next;
	int64_t futex_offset;
	uint64_t pending;
};

/* The owner died: say so in the word and wake one waiter. */
static void owner_died(const struct thread *t, uint64_t word)
{
	uint32_t v;

	if ((word & 3) || uaccess_load32(&v, word) || (v & FUTEX_TID_MASK) != (uint32_t)t->tid)
		return;
	if (uaccess_store32(word, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
		return;
	if (v & FUTEX_WAITERS) {
		host3(SYS_futex, word, FUTEX_WAKE, 1);
		host3(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	}
}

void robust_exit(struct thread *t)
{
	struct robust_head head;
	uint64_t entry;
	int n;

	if (!t->robust_list || uaccess_in(&head, t->robust_list, sizeof(head)))
		return;
	for (n = 0, entry = head.next; n < LIST_MAX && entry != t->robust_list; n++) {
		uint64_t next;

		if (uaccess_in(&next, entry & ~1UL, 8))
			return;
		if (entry != head.pending)
			owner_died(t, (entry & ~1UL) + (uint64_t)head.futex_offset);
		entry = next;
	}
	if (head.pending)
		owner_died(t, (head.pending & ~1UL) + (uint64_t)head.futex_offset);
}

long sys_set_robust_list(struct thread *t, const uint64_t a[6])
{
	if (a[1] != sizeof(struct robust_head))
		return -EINVAL;
	t->robust_list = a[0];
	t->robust_len = a[1];
	return 0;
}

long sys_get_robust_list(struct thread *t, const uint64_t a[6])
{
	if (a[0] && (int)a[0] != t->tid)
		return -EPERM;
	if (uaccess_out(a[1], &t->robust_list, 8) || uaccess_out(a[2], &t->robust_len, 8))
		return -EFAULT;
	return 0;
}

long sys_set_tid_address(struct thread *t, const uint64_t a[6])
{
	t->clear_child_tid = a[0];
	return t->tid;
}
