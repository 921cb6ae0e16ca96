/* See sent.h. */
#include <errno.h>
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

bool sent_meant(struct thread *t, siginfo_t *info)
{
	return info->si_code != SENT_KICK || held_take(&t->held, info->si_signo, info);
}

void sent_arrives(struct thread *t, struct trap_frame *f)
{
	siginfo_t info = f->info;
	bool blocked = t->mask_virtual & SIG_BIT(info.si_signo);
	bool others;

	if (!sent_meant(t, &info))
		return;
	others = blocked && info.si_code != SI_TKILL;
	held_put(others ? &process : &t->held, &info);
	if (!blocked || others)
		(void)__atomic_fetch_or(&t->pending, PENDING_LOOK, __ATOMIC_RELAXED);
}

static void kick(const struct thread *t, int sig)
{
	siginfo_t info = { .si_signo = sig, .si_code = SENT_KICK };

	host4(SYS_rt_tgsigqueueinfo, getpid(), t->tid, sig, &info);
}

/* ---- the process's ---- */

struct taker {
	int sig;
	bool taken;
};

/* Under the lock of the list: the thread stays. */
static void may_take(struct thread *t, void *arg)
{
	uint64_t mask = t->wait_mask_set ? t->wait_mask : __atomic_load_n(&t->mask_virtual, __ATOMIC_SEQ_CST);
	struct taker *k = arg;
	siginfo_t info;

	if (k->taken || (mask & ~t->wait_set & SIG_BIT(k->sig)) || !held_take(&process, k->sig, &info))
		return;
	k->taken = true;
	held_put(&t->held, &info);
	(void)__atomic_fetch_or(&t->pending, PENDING_LOOK, __ATOMIC_SEQ_CST);
	kick(t, k->sig);
}

static void offer(int sig)
{
	struct taker k = { sig, false };

	threads_each(may_take, &k);
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

/* Alone: as it came. Else another thread may do the same for this one just now, so that a kick is all that is safe. */
static void give_back(struct thread *t, const siginfo_t *info, bool alone, bool to_process)
{
	long err = -EPERM;

	if (alone && to_process)
		err = host3(SYS_rt_sigqueueinfo, t->tid, info->si_signo, info);
	else if (alone)
		err = host4(SYS_rt_tgsigqueueinfo, t->tid, t->tid, info->si_signo, info);
	if (!err)
		return;
	held_put(&t->held, info);
	kick(t, info->si_signo);
}

void sent_give_back(struct thread *t)
{
	bool alone = t->tid == getpid() && threads_count() == 1;
	siginfo_t info;
	unsigned i;

	for (i = 0; i < HELD_SIGNALS; i++) {
		if (held_take(&t->held, sigs[i], &info))
			give_back(t, &info, alone, false);
		else if (held_take(&process, sigs[i], &info))
			give_back(t, &info, alone, true);
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
		if (held_mask(&process) & SIG_BIT(sigs[i]))
			offer(sigs[i]);
	}
}

void sent_forked(struct thread *t)
{
	held_clear(&t->held);
	held_clear(&process);
	held_none();
	t->wait_set = 0;
}

void sent_exec(struct thread *t)
{
	uint64_t all = ~0UL;

	host4(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
	if (held_any())
		sent_give_back(t);
}

void sent_exec_failed(void)
{
	uint64_t ours = SIGS_ALL_BLOCKED;

	host4(SYS_rt_sigprocmask, SIG_SETMASK, &ours, 0, 8);
}
