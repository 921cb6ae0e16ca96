/*
 * System V semaphores and messages, and the POSIX queues' notification: the machine's, by the host kernel, where the
 * table's row cannot say what an argument points to.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/sys/calls.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

#define MESSAGE_HEAD sizeof(long) /* its type, before its text */
#define COOKIE_BYTES 32		  /* what mq_notify's netlink socket is sent */

/* What a control call points to, and which way it goes. */
struct control {
	bool in, out;
	uint64_t bytes;
};

static long control(struct thread *t, const uint64_t a[6], int at, struct control c)
{
	uint64_t h[6];
	char *local;
	long ret;

	memcpy(h, a, sizeof(h));
	if (c.bytes) {
		if (!(local = sys_scratch(t, c.bytes)))
			return -ENOMEM;
		memset(local, 0, c.bytes);
		if (c.in && uaccess_in(local, a[at], c.bytes))
			return -EFAULT;
		h[at] = (uint64_t)local;
	}
	ret = host_call(t->call_nr, h[0], h[1], h[2], h[3], 0, 0);
	return ret >= 0 && c.out && uaccess_out(a[at], (void *)h[at], c.bytes) ? -EFAULT : ret;
}

/* GETALL, SETALL: as many values as the set has semaphores. */
static long all_values(struct thread *t, const uint64_t a[6], bool set)
{
	struct semid_ds ds;
	long err = host4(SYS_semctl, a[0], 0, IPC_STAT, &ds);

	if (err)
		return err;
	return control(t, a, 3, (struct control){ .in = set, .out = !set, .bytes = ds.sem_nsems * sizeof(short) });
}

long sys_semctl(struct thread *t, const uint64_t a[6])
{
	switch ((int)a[2]) {
	case GETALL:
	case SETALL:
		return all_values(t, a, (int)a[2] == SETALL);
	case IPC_SET:
		return control(t, a, 3, (struct control){ .in = true, .bytes = sizeof(struct semid_ds) });
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return control(t, a, 3, (struct control){ .out = true, .bytes = sizeof(struct semid_ds) });
	case IPC_INFO:
	case SEM_INFO:
		return control(t, a, 3, (struct control){ .out = true, .bytes = sizeof(struct seminfo) });
	default: /* a number or nothing, or unknown to the host kernel as well */
		return control(t, a, 3, (struct control){ .bytes = 0 });
	}
}

long sys_msgctl(struct thread *t, const uint64_t a[6])
{
	switch ((int)a[1]) {
	case IPC_SET:
		return control(t, a, 2, (struct control){ .in = true, .bytes = sizeof(struct msqid_ds) });
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return control(t, a, 2, (struct control){ .out = true, .bytes = sizeof(struct msqid_ds) });
	case IPC_INFO:
	case MSG_INFO:
		return control(t, a, 2, (struct control){ .out = true, .bytes = sizeof(struct msginfo) });
	default:
		return control(t, a, 2, (struct control){ .bytes = 0 });
	}
}

long sys_msgsnd(struct thread *t, const uint64_t a[6])
{
	char *local;

	if (a[2] > SYS_SCRATCH_MAX - MESSAGE_HEAD) /* no message is that long */
		return -EINVAL;
	if (!(local = sys_scratch(t, MESSAGE_HEAD + a[2])))
		return -ENOMEM;
	if (uaccess_in(local, a[1], MESSAGE_HEAD + a[2]))
		return -EFAULT;
	return host_block(t, SYS_msgsnd, a[0], (uint64_t)local, a[2], a[3], 0, 0);
}

long sys_msgrcv(struct thread *t, const uint64_t a[6])
{
	uint64_t room = a[2] < SYS_SCRATCH_MAX - MESSAGE_HEAD ? a[2] : SYS_SCRATCH_MAX - MESSAGE_HEAD;
	char *local;
	long ret;

	if ((int64_t)a[2] < 0)
		return -EINVAL;
	if (!(local = sys_scratch(t, MESSAGE_HEAD + room)))
		return -ENOMEM;
	ret = host_block(t, SYS_msgrcv, a[0], (uint64_t)local, room, a[3], a[4], 0);
	if (ret >= 0 && uaccess_out(a[1], local, MESSAGE_HEAD + (uint64_t)ret))
		return -EFAULT;
	return ret;
}

long sys_mq_notify(struct thread *t, const uint64_t a[6])
{
	char cookie[COOKIE_BYTES];
	struct sigevent ev;

	(void)t;
	if (fd_hidden((int)a[0]))
		return -EBADF;
	if (a[1] && uaccess_in(&ev, a[1], sizeof(ev)))
		return -EFAULT;
	if (a[1] && ev.sigev_notify == SIGEV_THREAD) { /* the C library's way, whose thread waits at a netlink socket */
		if (fd_hidden(ev.sigev_signo))
			return -EBADF;
		if (uaccess_in(cookie, (uint64_t)ev.sigev_value.sival_ptr, sizeof(cookie)))
			return -EFAULT;
		ev.sigev_value.sival_ptr = cookie;
	}
	return host2(SYS_mq_notify, a[0], a[1] ? &ev : NULL);
}
