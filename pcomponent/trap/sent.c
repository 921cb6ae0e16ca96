/* See sent.h. */
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/held.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/trap.h"

static const int sigs[HELD_SIGNALS] = { SIGSYS, SIGSEGV, SIGBUS };
static struct held process; /* sent to the process, blocked by the thread that took it */

void sent_arrives(struct thread *t, struct trap_frame *f)
{
	bool blocked = t->mask_virtual & SIG_BIT(f->info.si_signo);
	bool others = blocked && f->info.si_code != SI_TKILL;

	held_put(others ? &process : &t->held, &f->info);
	if (!blocked || others)
		(void)__atomic_fetch_or(&t->pending, PENDING_LOOK, __ATOMIC_RELAXED);
}

/* ---- the process's ---- */

struct taker {
	uint64_t bit;
	int tid;
};

static void may_take(struct thread *t, void *arg)
{
	struct taker *k = arg;
	uint64_t mask = t->wait_mask_set ? t->wait_mask : __atomic_load_n(&t->mask_virtual, __ATOMIC_SEQ_CST);

	if (!k->tid && (!(mask & k->bit) || t->wait_set & k->bit))
		k->tid = t->tid;
}

static void offer(int sig)
{
	struct taker k = { SIG_BIT(sig), 0 };
	siginfo_t info;

	threads_each(may_take, &k);
	if (k.tid && held_take(&process, sig, &info) && host4(SYS_rt_tgsigqueueinfo, getpid(), k.tid, sig, &info) < 0)
		held_put(&process, &info); /* that thread has ended */
}

/* ---- the thread's ---- */

void sent_deliver(struct thread *t, struct trap_frame *f)
{
	siginfo_t info;
	unsigned i;

	for (i = 0; i < HELD_SIGNALS && held_any(); i++) {
		if (!(t->mask_virtual & SIG_BIT(sigs[i]))) {
			if (held_take(&t->held, sigs[i], &info) || held_take(&process, sigs[i], &info))
				signal_enter(t, f, &info);
		} else if (held_mask(&process) & SIG_BIT(sigs[i])) {
			offer(sigs[i]);
		}
	}
}

void sent_unblocked(struct thread *t)
{
	if (held_any() && sent_waiting(t) & ~t->mask_virtual)
		(void)__atomic_fetch_or(&t->pending, PENDING_LOOK, __ATOMIC_RELAXED);
}

void sent_give_back(struct thread *t)
{
	/* Other threads do not have them blocked, as the host kernel sees it. */
	bool alone = threads_count() == 1;
	siginfo_t info;
	unsigned i;

	for (i = 0; i < HELD_SIGNALS; i++) {
		if (held_take(&t->held, sigs[i], &info))
			host4(SYS_rt_tgsigqueueinfo, getpid(), t->tid, sigs[i], &info);
		if (!held_take(&process, sigs[i], &info))
			continue;
		if (alone)
			host3(SYS_rt_sigqueueinfo, getpid(), sigs[i], &info);
		else
			host4(SYS_rt_tgsigqueueinfo, getpid(), t->tid, sigs[i], &info);
	}
}

uint64_t sent_waiting(struct thread *t)
{
	return held_any() ? held_mask(&t->held) | held_mask(&process) : 0;
}

static void forget(struct thread *t, void *arg)
{
	siginfo_t info;

	held_take(&t->held, *(int *)arg, &info);
}

void sent_forget(int sig)
{
	siginfo_t info;

	if (!(SIG_BIT(sig) & SIGS_OURS) || !held_any())
		return;
	held_take(&process, sig, &info);
	forget(thread_self(), &sig);
	threads_each(forget, &sig);
}

void sent_thread_ends(struct thread *t)
{
	siginfo_t info;
	unsigned i;

	for (i = 0; i < HELD_SIGNALS && held_any(); i++) {
		if (held_take(&t->held, sigs[i], &info) && info.si_code != SI_TKILL)
			held_put(&process, &info);
		offer(sigs[i]);
	}
}
