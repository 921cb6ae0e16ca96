/*
 * Locks: flock and fcntl on remote files. The storage component never waits for a lock, so we do: ask again, in growing
 * steps. Nothing may be lost by that but time and the order of those who wait; signals get in while we sleep. (A reply that
 * comes when the lock is free would need a reader: the connection is all threads', for one request after the other, and
 * nobody looks at it between them; and locks of the machine's own programs, which flock heeds, tell nobody of their end.)
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/lock.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/trap.h"

#define WAIT_MIN_NS 500000L
#define WAIT_MAX_NS 20000000L

/*
 * 0: ask again; or what the signal that came makes of the call. The host kernel never begins this sleep again where a
 * handler ran, but it would a wait for a lock.
 */
static long lock_pause(struct thread *t, struct timespec *ts)
{
	long ret = host_block(t, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (uint64_t)ts, 0, 0, 0);

	if (ts->tv_nsec < WAIT_MAX_NS)
		ts->tv_nsec *= 2;
	return ret == -EINTR && signal_restarts(t) ? -SYS_RESTART : ret;
}

long flock_remote(struct thread *t, struct file *f, uint64_t op)
{
	struct p2s_flock_req req = { .handle = f->handle, .op = (uint32_t)op & ~(uint32_t)LOCK_NB };
	struct timespec ts = { .tv_nsec = WAIT_MIN_NS };
	struct p2s_flock_rep rep;
	long ret;

	if (req.op != LOCK_SH && req.op != LOCK_EX && req.op != LOCK_UN)
		return -EINVAL;
	for (;;) {
		ret = client_call(P2S_FLOCK, &req, NULL, 0, &rep, NULL, NULL);
		if (ret != -EWOULDBLOCK || op & LOCK_NB)
			return ret;
		ret = lock_pause(t, &ts);
		if (ret)
			return ret;
	}
}

/* ---- fcntl ---- */

/* From where a range counts. 0 or -errno. */
static long base_of(struct file *f, const struct flock *fl, int64_t *base)
{
	struct wire_stat st;
	uint64_t pos;
	long err = 0;

	*base = 0;
	switch (fl->l_whence) {
	case SEEK_SET:
		return 0;
	case SEEK_CUR:
		err = file_pos_get(f, &pos);
		*base = err ? 0 : (int64_t)pos;
		return err;
	case SEEK_END:
		err = remote_stat_file(f, &st);
		*base = err ? 0 : (int64_t)st.size;
		return err;
	default:
		return -EINVAL;
	}
}

static long range_of(struct file *f, const struct flock *fl, struct p2s_lock_req *req)
{
	int64_t start, end = INT64_MAX;
	long err = base_of(f, fl, &start);

	if (err)
		return err;
	if (__builtin_add_overflow(start, fl->l_start, &start))
		return -EOVERFLOW;
	if (fl->l_len > 0 && __builtin_add_overflow(start, fl->l_len - 1, &end))
		return -EOVERFLOW;
	if (fl->l_len < 0) {
		end = start - 1;
		start += fl->l_len;
	}
	if (start < 0 || end < start)
		return -EINVAL;
	req->start = (uint64_t)start;
	req->end = (uint64_t)end;
	return 0;
}

static long set(struct thread *t, struct p2s_lock_req *req)
{
	struct timespec ts = { .tv_nsec = WAIT_MIN_NS };
	struct p2s_lock_rep rep;
	long ret;

	for (;;) {
		ret = client_call(P2S_LOCK, req, NULL, 0, &rep, NULL, NULL);
		if (ret != -EAGAIN || req->op != P2S_LOCK_WAIT)
			return ret;
		ret = lock_pause(t, &ts);
		if (ret)
			return ret;
	}
}

static long get(struct p2s_lock_req *req, struct flock *fl)
{
	struct p2s_lock_rep rep;
	long err = client_call(P2S_LOCK, req, NULL, 0, &rep, NULL, NULL);

	if (err)
		return err;
	fl->l_type = (short)rep.type;
	if (rep.type == F_UNLCK)
		return 0;
	fl->l_whence = SEEK_SET;
	fl->l_start = (int64_t)rep.start;
	fl->l_len = rep.end >= INT64_MAX ? 0 : (int64_t)(rep.end - rep.start + 1);
	fl->l_pid = (pid_t)rep.pid;
	return 0;
}

static long mode_check(const struct file *f, const struct flock *fl)
{
	switch (fl->l_type) {
	case F_RDLCK:
		return file_readable(f) ? 0 : -EBADF;
	case F_WRLCK:
		return file_writable(f) ? 0 : -EBADF;
	case F_UNLCK:
		return 0;
	default:
		return -EINVAL;
	}
}

long lock_remote(struct thread *t, struct file *f, int cmd, uint64_t addr)
{
	bool ask = cmd == F_GETLK || cmd == F_OFD_GETLK, wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	struct p2s_lock_req req = { .handle = f->handle, .pid = (uint32_t)getpid() };
	struct flock fl;
	long err;

	if (uaccess_in(&fl, addr, sizeof(fl)))
		return -EFAULT;
	req.ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	if ((req.ofd && fl.l_pid) || (ask && fl.l_type != F_RDLCK && fl.l_type != F_WRLCK))
		return -EINVAL;
	req.op = ask ? P2S_LOCK_GET : wait ? P2S_LOCK_WAIT : P2S_LOCK_SET;
	req.type = (uint32_t)fl.l_type;
	err = range_of(f, &fl, &req);
	if (!err && !ask)
		err = mode_check(f, &fl);
	if (err)
		return err;
	if (!ask)
		return set(t, &req);
	err = get(&req, &fl);
	return err ? err : uaccess_out(addr, &fl, sizeof(fl)) ? -EFAULT : 0;
}
