/*
 * sendmsg and recvmsg: address, control data and pieces are gathered into local memory, one piece for the data, so that a
 * datagram is never lost to a page that is not there.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include "ashlar/base/clock.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/pass.h"
#include "pcomponent/fs/uiter.h"
#include "pcomponent/sys/calls.h"
#include "pcomponent/sys/sock.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

#define CONTROL_MAX (1u << 20)
#define TIMEOUT_S_MAX (1u << 30)

struct gathered {
	struct msghdr user, local; /* as the program has it; as the host kernel gets it */
	struct uiter it;	   /* the program's buffers */
	struct iovec one;
};

/*
 * Room for the data: all of it, but a stream may be given less than was asked for, and no message is longer than
 * SYS_SCRATCH_MAX.
 */
static uint64_t data_room(const struct gathered *g, uint64_t fd, bool recv, uint64_t flags)
{
	uint64_t most = recv && !(flags & MSG_WAITALL) ? SYS_PIECE_BYTES : SYS_SCRATCH_MAX - 1;

	if (g->it.left <= most)
		return g->it.left;
	if (sock_is_stream((int)fd))
		return most;
	most = SYS_SCRATCH_MAX - 1;
	return recv && g->it.left > most ? most : g->it.left;
}

static long gather(struct thread *t, uint64_t fd, uint64_t addr, struct gathered *g, bool recv, uint64_t flags)
{
	long err;

	if (uaccess_in(&g->user, addr, sizeof(g->user)))
		return -EFAULT;
	if (g->user.msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	if ((int)g->user.msg_namelen < 0)
		return -EINVAL;
	if (g->user.msg_namelen > SOCK_NAME_BYTES)
		g->user.msg_namelen = SOCK_NAME_BYTES;
	if (g->user.msg_controllen > CONTROL_MAX)
		return -ENOBUFS;
	if ((err = uiter_vec(t, &g->it, (uint64_t)g->user.msg_iov, g->user.msg_iovlen)))
		return err;
	g->one.iov_len = data_room(g, fd, recv, flags);
	if (g->one.iov_len >= SYS_SCRATCH_MAX)
		return -EMSGSIZE;
	g->one.iov_base = sys_scratch(t, g->one.iov_len + 1);
	g->local = g->user;
	g->local.msg_iov = &g->one;
	g->local.msg_iovlen = 1;
	if (g->user.msg_name)
		g->local.msg_name = sys_scratch(t, SOCK_NAME_BYTES);
	if (g->user.msg_control)
		g->local.msg_control = sys_scratch(t, g->user.msg_controllen + 1);
	if (!g->one.iov_base || (g->user.msg_name && !g->local.msg_name) ||
	    (g->user.msg_control && !g->local.msg_control))
		return -ENOMEM;
	return 0;
}

static long send_in(struct gathered *g)
{
	int fault;
	long err;

	if (uiter_in(&g->it, g->one.iov_base, g->one.iov_len, &fault) < g->one.iov_len)
		return -EFAULT;
	if (g->user.msg_name &&
	    (err = sock_name_in(g->local.msg_name, (uint64_t)g->user.msg_name, g->user.msg_namelen)))
		return err;
	if (g->user.msg_control &&
	    uaccess_in(g->local.msg_control, (uint64_t)g->user.msg_control, g->user.msg_controllen))
		return -EFAULT;
	return 0;
}

static long recv_out(struct gathered *g, uint64_t addr, uint64_t bytes)
{
	struct msghdr out = g->user;
	uint64_t n;
	int fault;

	if (bytes > g->one.iov_len) /* MSG_TRUNC tells the real length */
		bytes = g->one.iov_len;
	if (uiter_out(&g->it, g->one.iov_base, bytes, &fault) < bytes)
		return -EFAULT;
	n = g->local.msg_namelen < g->user.msg_namelen ? g->local.msg_namelen : g->user.msg_namelen;
	if (g->user.msg_name && uaccess_out((uint64_t)g->user.msg_name, g->local.msg_name, n))
		return -EFAULT;
	if (g->user.msg_control &&
	    uaccess_out((uint64_t)g->user.msg_control, g->local.msg_control, g->local.msg_controllen))
		return -EFAULT;
	out.msg_namelen = g->local.msg_namelen;
	out.msg_controllen = g->local.msg_controllen;
	out.msg_flags = g->local.msg_flags;
	return uaccess_out(addr, &out, sizeof(out));
}

static long send_one(struct thread *t, uint64_t fd, uint64_t addr, uint64_t flags)
{
	struct passing p = { 0 };
	struct gathered g;
	long ret;

	if (fd_hidden((int)fd))
		return -EBADF;
	if ((ret = gather(t, fd, addr, &g, false, flags)) || (ret = send_in(&g)))
		return ret;
	if (g.user.msg_control)
		ret = pass_begin(&p, &g.local);
	if (!ret)
		ret = host_block(t, SYS_sendmsg, fd, (uint64_t)&g.local, flags, 0, 0, 0);
	pass_end(&p, ret >= 0);
	return ret;
}

static long recv_one(struct thread *t, uint64_t fd, uint64_t addr, uint64_t flags)
{
	struct gathered g;
	long ret, err;

	if (fd_hidden((int)fd))
		return -EBADF;
	if ((ret = gather(t, fd, addr, &g, true, flags)))
		return ret;
	memset(g.one.iov_base, 0, flags & MSG_TRUNC ? g.one.iov_len : 0);
	ret = host_block(t, SYS_recvmsg, fd, (uint64_t)&g.local, flags, 0, 0, 0);
	if (ret < 0)
		return ret;
	if (g.user.msg_control)
		pass_receive(&g.local, flags & MSG_PEEK);
	err = recv_out(&g, addr, (uint64_t)ret);
	return err ? err : ret;
}

long sys_sendmsg(struct thread *t, const uint64_t a[6])
{
	return send_one(t, a[0], a[1], a[2]);
}

long sys_recvmsg(struct thread *t, const uint64_t a[6])
{
	return recv_one(t, a[0], a[1], a[2]);
}

/* Several messages: one by one, the scratch memory of each given back before the next; none after until (clock_ns). */
static long many(struct thread *t, const uint64_t a[6], long (*one)(struct thread *, uint64_t, uint64_t, uint64_t),
		 uint64_t rest_flags, uint64_t until)
{
	uint64_t flags = a[3], done;
	long ret = 0;

	for (done = 0; done < a[2] && done < IOV_MAX; done++) {
		uint64_t at = a[1] + done * sizeof(struct mmsghdr);

		ret = one(t, a[0], at, flags);
		sys_scratch_reset(t);
		if (ret < 0)
			break;
		if (uaccess_store32(at + offsetof(struct mmsghdr, msg_len), (uint32_t)ret))
			return -EFAULT;
		flags |= rest_flags;
		if (clock_ns() >= until) {
			done++;
			break;
		}
	}
	return done ? (long)done : ret;
}

long sys_sendmmsg(struct thread *t, const uint64_t a[6])
{
	return many(t, a, send_one, 0, UINT64_MAX);
}

long sys_recvmmsg(struct thread *t, const uint64_t a[6])
{
	const uint64_t b[6] = { a[0], a[1], a[2], a[3] & ~(uint64_t)MSG_WAITFORONE };

	uint64_t until = UINT64_MAX, left;
	struct timespec ts;
	long ret;

	if (a[4] && uaccess_in(&ts, a[4], sizeof(ts)))
		return -EFAULT;
	if (a[4] && (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (long)NS_PER_S))
		return -EINVAL;
	if (a[4] && (uint64_t)ts.tv_sec < TIMEOUT_S_MAX)
		until = clock_ns() + (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	ret = many(t, b, recv_one, a[3] & MSG_WAITFORONE ? MSG_DONTWAIT : 0, until);
	if (ret <= 0 || until == UINT64_MAX)
		return ret;
	/* As Linux does it: looked at between messages, what is left is told where some came */
	left = clock_ns();
	left = left < until ? until - left : 0;
	ts = (struct timespec){ .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	return uaccess_out(a[4], &ts, sizeof(ts)) ? -EFAULT : ret;
}
