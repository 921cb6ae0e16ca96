/* Robust futexes (robust.h): see the kernel's Documentation/locking/robust-futex-ABI for the list's layout. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/futex.h"
#include "pcomponent/proc/robust.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

#define THREADS_NOTED 1024
#define LIST_MAX 2048 /* the kernel's own bound */

struct robust_head {
	uint64_t next;
	int64_t futex_offset;
	uint64_t pending;
};

/*
 * The owner died: say so in the word and wake one waiter. (Those of a lock with inheritance are the host kernel's: it
 * gives the lock to the first of them when the thread is gone.) pending: it was about to be taken or given up; if given
 * up already, the one to take it may not have been woken yet.
 */
static void owner_died(int tid, uint64_t entry, int64_t offset, bool pending)
{
	uint64_t word = (entry & ~1UL) + (uint64_t)offset;
	bool inherits = entry & 1, wake;
	uint32_t v;
	int changed;

	if ((word & 3) || uaccess_load32(&v, word))
		return;
	do {
		wake = pending && v == 0;
		if ((v & FUTEX_TID_MASK) != (uint32_t)tid)
			break;
		wake = v & FUTEX_WAITERS;
		changed = uaccess_cas32(word, &v, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
		if (changed < 0)
			return;
	} while (changed);
	if (wake && !inherits) {
		futex_wake_one(word);
		host3(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	}
}

static void list_walk(int tid, uint64_t list)
{
	struct robust_head head;
	uint64_t entry;
	int n;

	if (!list || uaccess_in(&head, list, sizeof(head)))
		return;
	for (n = 0, entry = head.next; n < LIST_MAX && entry != list; n++) {
		uint64_t next;

		if (uaccess_in(&next, entry & ~1UL, 8))
			return;
		if ((entry & ~1UL) != (head.pending & ~1UL))
			owner_died(tid, entry, head.futex_offset, false);
		entry = next;
	}
	if (head.pending)
		owner_died(tid, head.pending, head.futex_offset, true);
}

void robust_exit(struct thread *t)
{
	list_walk(t->tid, t->robust_list);
}

/* Under the lock of the threads' list no program memory is touched: take notes first. */
struct lists {
	struct {
		int tid;
		uint64_t list;
	} of[THREADS_NOTED];
	unsigned n;
};

static void take_note(struct thread *t, void *arg)
{
	struct lists *l = arg;

	if (t->robust_list && l->n < THREADS_NOTED) {
		l->of[l->n].tid = t->tid;
		l->of[l->n++].list = t->robust_list;
	}
}

void robust_exit_all(struct thread *t)
{
	struct lists l = { .n = 0 };
	unsigned i;

	robust_exit(t);
	threads_each(take_note, &l);
	for (i = 0; i < l.n; i++)
		list_walk(l.of[i].tid, l.of[i].list);
}

long sys_set_robust_list(struct thread *t, const uint64_t a[6])
{
	if (a[1] != sizeof(struct robust_head))
		return -EINVAL;
	t->robust_list = a[0];
	t->robust_len = a[1];
	return 0;
}

struct asked {
	int tid;
	bool found;
	uint64_t list, len;
};

static void ask(struct thread *t, void *arg)
{
	struct asked *q = arg;

	if (t->tid != q->tid)
		return;
	q->found = true;
	q->list = t->robust_list;
	q->len = t->robust_len;
}

long sys_get_robust_list(struct thread *t, const uint64_t a[6])
{
	struct asked q = { .tid = a[0] ? (int)a[0] : t->tid };

	ask(t, &q);
	if (!q.found)
		threads_each(ask, &q);
	if (!q.found)
		return host2(SYS_kill, q.tid, 0) == -ESRCH ? -ESRCH : -EPERM;
	if (!q.len)
		q.len = sizeof(struct robust_head); /* as the kernel says before one is set */
	return uaccess_out(a[1], &q.list, 8) || uaccess_out(a[2], &q.len, 8) ? -EFAULT : 0;
}

long sys_set_tid_address(struct thread *t, const uint64_t a[6])
{
	t->clear_child_tid = a[0];
	return t->tid;
}
