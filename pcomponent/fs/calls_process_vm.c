/* process_vm_readv and process_vm_writev: of the process itself. Another's memory is behind its own ExCache. */
#include <errno.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/uiter.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"

/* Is pid this process, or a thread of it? 0 or -errno. */
static long is_self(long pid)
{
	long self = host0(SYS_getpid), err;

	if (pid == self || (pid > 0 && !host3(SYS_tgkill, self, pid, 0)))
		return 0;
	err = host2(SYS_kill, pid, 0);
	return pid <= 0 || err == -ESRCH ? -ESRCH : -EPERM;
}

static long copy_all(struct thread *t, struct uiter *from, struct uiter *to)
{
	uint64_t left = from->left < to->left ? from->left : to->left, size, n, got;
	int in_fault = 0, out_fault = 0;
	long done = 0;
	char *piece;

	size = left < SYS_PIECE_BYTES ? left : SYS_PIECE_BYTES;
	piece = sys_scratch(t, size + 1);
	if (!piece)
		return -ENOMEM;
	while (left && !in_fault && !out_fault) {
		n = uiter_in(from, piece, left < size ? left : size, &in_fault);
		got = uiter_out(to, piece, n, &out_fault);
		done += (long)got;
		left -= got;
	}
	return done || !left ? done : -EFAULT;
}

long sys_process_vm(struct thread *t, const uint64_t a[6])
{
	struct uiter local, remote;
	long err;

	if (a[5])
		return -EINVAL;
	if ((err = uiter_vec(t, &local, a[1], a[2])))
		return err;
	if (!local.left)
		return 0;
	if ((err = uiter_vec(t, &remote, a[3], a[4])) || (err = is_self((int)a[0])))
		return err;
	return t->call_nr == SYS_process_vm_readv ? copy_all(t, &remote, &local) : copy_all(t, &local, &remote);
}
