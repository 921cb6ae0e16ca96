/* Children that have not said hello yet (newborn.h). */
#include "pcomponent/proc/newborn.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "ashlar/proto/lists.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/fork.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/sys/dispatch.h"

/*
 * A page that a process shares with its children, made at its first fork. A slot is the member's number, and above it the
 * pid as soon as that is known; 0: free. Numbers are never used twice, so a slot that has not changed is the same child's.
 */
#define SLOTS (PAGE_BYTES / sizeof(uint64_t))
#define PID_SHIFT 32
static uint64_t *slots; /* NULL: no child was made yet */

static bool slot_turn(uint64_t *slot, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(slot, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static uint64_t *slots_get(void)
{
	uint64_t *have = __atomic_load_n(&slots, __ATOMIC_ACQUIRE), *made;

	if (have)
		return have;
	made = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return NULL;
	if (__atomic_compare_exchange_n(&slots, &have, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return made;
	munmap(made, PAGE_BYTES); /* another thread forks as well */
	return have;
}

int newborn_named(uint32_t member)
{
	uint64_t *s = slots_get();

	for (unsigned i = 0; s && i < SLOTS; i++)
		if (slot_turn(&s[i], 0, member))
			return (int)i;
	return -1;
}

void newborn_forked(int slot, uint32_t member, int32_t pid)
{
	if (slot >= 0)
		(void)slot_turn(&slots[slot], member, pid ? member | (uint64_t)pid << PID_SHIFT : 0);
}

void newborn_came(int slot)
{
	if (slot >= 0)
		__atomic_store_n(&slots[slot], 0, __ATOMIC_RELEASE);
	if (slots)
		munmap(slots, PAGE_BYTES);
	slots = NULL;
}

/* Our child of that pid, or one that nobody has to wait for any more. */
static bool ended(int32_t pid)
{
	siginfo_t info = { 0 };
	long err = host4(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);

	return err == -ECHILD || (!err && info.si_pid == pid);
}

bool newborn_look(void)
{
	uint64_t *s = __atomic_load_n(&slots, __ATOMIC_ACQUIRE), slot;
	bool any = false;

	for (unsigned i = 0; s && i < SLOTS; i++) {
		slot = __atomic_load_n(&s[i], __ATOMIC_ACQUIRE);
		if (!(slot >> PID_SHIFT) || !ended((int32_t)(slot >> PID_SHIFT)) || !slot_turn(&s[i], slot, 0))
			continue;
		member_drop(&(struct member){ .id = (uint32_t)slot });
		any = true;
	}
	return any;
}

long sys_wait4(struct thread *t, const uint64_t a[6])
{
	long ret = sys_hostb(t, a);

	if (ret > 0)
		(void)newborn_look();
	return ret;
}

long sys_waitid(struct thread *t, const uint64_t a[6])
{
	long ret = sys_hostb(t, a);

	if (!ret)
		(void)newborn_look();
	return ret;
}
