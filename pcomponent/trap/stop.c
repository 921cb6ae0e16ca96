/*
 * See stop.h. A thread that enters the stub says so and then looks whether a stop is wanted only when it is back; who
 * stops says that it is wanted and then looks who is in the stub: one of them sees the other.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/stop.h"
#include "pcomponent/trap/trap.h"

#define LOOK_US 500u
#define FETCH_LOOKS 10u /* until then threads that make calls or miss come by themselves */

#define WANTED 0x504f5453u /* no small number: a program's wild store shall not make its threads stand for ever */

static uint32_t stop;

static bool wanted(void)
{
	return __atomic_load_n(&stop, __ATOMIC_SEQ_CST) == WANTED;
}

static void stand(void)
{
	while (wanted())
		host4(SYS_futex, &stop, FUTEX_WAIT_PRIVATE, WANTED, 0);
}

void stop_here(struct thread *t, struct trap_frame *f, const uint64_t *fs)
{
	if (!wanted())
		return;
	t->stop_fs = *fs;
	__atomic_store_n(&t->stop_frame, f, __ATOMIC_SEQ_CST);
	stand();
	__atomic_store_n(&t->stop_frame, NULL, __ATOMIC_SEQ_CST);
}

void stop_enter_host(struct thread *t)
{
	__atomic_store_n(&t->in_host, 1, __ATOMIC_SEQ_CST);
}

void stop_leave_host(struct thread *t)
{
	if (wanted())
		stand();
	__atomic_store_n(&t->in_host, 0, __ATOMIC_SEQ_CST);
	/* What was wanted meanwhile did not count with us */
	if (wanted())
		(void)__atomic_fetch_or(&t->pending, PENDING_STOP, __ATOMIC_RELAXED);
}

const struct trap_frame *stop_frame(const struct thread *t, uint64_t *fs)
{
	const struct trap_frame *f = __atomic_load_n(&t->stop_frame, __ATOMIC_SEQ_CST);

	*fs = t->stop_fs;
	if (f || !__atomic_load_n(&t->in_host, __ATOMIC_SEQ_CST))
		return f;
	*fs = *t->fs;
	return t->frame;
}

struct look {
	bool fetch;
	unsigned running;
};

static void look(struct thread *t, void *arg)
{
	siginfo_t info = { .si_signo = SIGSYS, .si_code = STOP_CODE };
	struct look *l = arg;

	if (__atomic_load_n(&t->stop_frame, __ATOMIC_SEQ_CST) || __atomic_load_n(&t->in_host, __ATOMIC_SEQ_CST))
		return;
	l->running++;
	(void)__atomic_fetch_or(&t->pending, PENDING_STOP, __ATOMIC_RELAXED);
	if (l->fetch)
		host4(SYS_rt_tgsigqueueinfo, getpid(), t->tid, SIGSYS, &info);
}

int stop_begin(unsigned timeout_ms)
{
	unsigned n, looks = timeout_ms * 1000 / LOOK_US;
	struct look l;

	__atomic_store_n(&stop, WANTED, __ATOMIC_SEQ_CST);
	for (n = 0; n < looks; n++) {
		l = (struct look){ .fetch = n >= FETCH_LOOKS };
		threads_each(look, &l);
		if (!l.running)
			return 0;
		usleep(LOOK_US);
	}
	stop_end();
	return -ETIMEDOUT;
}

void stop_end(void)
{
	__atomic_store_n(&stop, 0, __ATOMIC_SEQ_CST);
	host3(SYS_futex, &stop, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

void stop_forked(struct thread *t)
{
	stop = 0;
	t->stop_frame = NULL;
	t->in_host = 0;
}
