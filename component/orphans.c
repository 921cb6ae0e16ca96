/*
 * A monitor that is the first process of its machine (of a virtual machine, docs/vm.md) gets every process whose parent has
 * ended as a child of its own. Nobody else can wait for them, and without that they would stay in the table for ever. Its
 * own children are left to whoever started them.
 */
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "component/internal.h"

#define AGAIN_MS 1000u

bool orphans_come(void)
{
	return getpid() == 1;
}

/* One that is waited for elsewhere hides those behind it: again in a while. */
void orphans_wait(struct orphans *o)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
			return;
		if (o->own && o->own(o->ctx, info.si_pid))
			break;
		waitpid(info.si_pid, NULL, 0);
	}
	loop_timer_set(o->loop, &o->again, loop_now(o->loop) + AGAIN_MS * NS_PER_MS);
}

static void again(void *arg)
{
	orphans_wait(arg);
}

void orphans_open(struct orphans *o, struct loop *loop, bool (*own)(void *ctx, pid_t pid), void *ctx)
{
	*o = (struct orphans){ .loop = loop, .own = own, .ctx = ctx, .again = { .fn = again, .arg = o } };
}

void orphans_close(struct orphans *o)
{
	loop_timer_del(o->loop, &o->again);
}
