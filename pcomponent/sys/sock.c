/*
 * Sockets: names, and what is sent and received. The data of streams goes in pieces of SYS_PIECE_BYTES, datagrams go
 * whole. sendmsg and the like: msg.c.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/uiter.h"
#include "pcomponent/sys/calls.h"
#include "pcomponent/sys/sock.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"

static bool is_relative_path(const char *name, uint64_t bytes)
{
	struct sockaddr_un un;

	if (bytes <= offsetof(struct sockaddr_un, sun_path))
		return false;
	memcpy(&un, name, offsetof(struct sockaddr_un, sun_path) + 1);
	return un.sun_family == AF_UNIX && un.sun_path[0] && un.sun_path[0] != '/';
}

long sock_name_in(char local[SOCK_NAME_BYTES], uint64_t addr, uint64_t bytes)
{
	if (bytes > SOCK_NAME_BYTES)
		return -EINVAL;
	if (uaccess_in(local, addr, bytes))
		return -EFAULT;
	return is_relative_path(local, bytes) ? cwd_enter_here() : 0;
}

long sock_name_out(uint64_t addr, uint64_t len_at, const char *local, uint32_t bytes)
{
	uint32_t room;

	if (uaccess_load32(&room, len_at))
		return -EFAULT;
	if ((int32_t)room < 0)
		return -EINVAL;
	if (uaccess_out(addr, local, room < bytes ? room : bytes) || uaccess_store32(len_at, bytes))
		return -EFAULT;
	return 0;
}

bool sock_is_stream(int fd)
{
	int type, len = sizeof(type);

	return !host_call(SYS_getsockopt, (uint64_t)fd, SOL_SOCKET, SO_TYPE, (uint64_t)&type, (uint64_t)&len, 0) &&
	       type == SOCK_STREAM;
}

/* bind, connect */
long sys_name_socket(struct thread *t, const uint64_t a[6])
{
	char name[SOCK_NAME_BYTES];
	long err;

	if (fd_hidden((int)a[0]))
		return -EBADF;
	if ((err = sock_name_in(name, a[1], (uint32_t)a[2])))
		return err;
	return host_block(t, t->call_nr, a[0], (uint64_t)name, a[2], 0, 0, 0);
}

/* Room for what goes at once: all of it, or a piece. */
static char *room(struct thread *t, const struct uiter *it, bool pieces, uint64_t *bytes)
{
	*bytes = it->left;
	if (pieces && *bytes > SYS_PIECE_BYTES)
		*bytes = SYS_PIECE_BYTES;
	return sys_scratch(t, *bytes + 1);
}

long sys_sendto(struct thread *t, const uint64_t a[6])
{
	char name[SOCK_NAME_BYTES], *local;
	uint64_t piece, n, total = 0;
	bool stream;
	struct uiter it;
	long put;
	int fault;

	if (fd_hidden((int)a[0]))
		return -EBADF;
	uiter_one(&it, a[1], a[2]);
	stream = it.left > SYS_PIECE_BYTES && sock_is_stream((int)a[0]);
	if (it.left > SYS_SCRATCH_MAX - 1 && !stream)
		return -EMSGSIZE;
	if (a[4] && (put = sock_name_in(name, a[4], (uint32_t)a[5])))
		return put;
	if (!(local = room(t, &it, stream, &piece)))
		return -ENOMEM;
	do {
		uint64_t flags = a[3];

		n = uiter_in(&it, local, piece, &fault);
		if (fault && (!n || !stream))
			return total ? (long)total : -EFAULT;
		if (it.left) /* the urgent byte is the last one */
			flags &= ~(uint64_t)MSG_OOB;
		if (total) /* no signal for a call that did something */
			flags |= MSG_NOSIGNAL;
		put = host_block(t, SYS_sendto, a[0], (uint64_t)local, n, flags, a[4] ? (uint64_t)name : 0, a[5]);
		if (put < 0)
			return total ? (long)total : put;
		total += (uint64_t)put;
	} while (!fault && it.left && (uint64_t)put == n);
	return (long)total;
}

long sys_recvfrom(struct thread *t, const uint64_t a[6])
{
	uint32_t name_len = SOCK_NAME_BYTES;
	char name[SOCK_NAME_BYTES], *local;
	uint64_t piece, n, total = 0;
	bool stream, all;
	struct uiter it;
	long got;
	int fault;

	if (fd_hidden((int)a[0]))
		return -EBADF;
	uiter_one(&it, a[1], a[2]);
	stream = it.left > SYS_PIECE_BYTES && sock_is_stream((int)a[0]);
	all = stream && a[3] & MSG_WAITALL && !(a[3] & (MSG_PEEK | MSG_ERRQUEUE));
	if (it.left > SYS_SCRATCH_MAX - 1) /* no message is that long */
		it.left = all ? it.left : SYS_SCRATCH_MAX - 1;
	if (!(local = room(t, &it, stream && (all || !(a[3] & MSG_WAITALL)), &piece)))
		return -ENOMEM;
	do {
		n = it.left < piece ? it.left : piece;
		/* What a stream gives is gone, also when it cannot be delivered: a bad address comes before it */
		fault = uiter_probe(&it) != 0;
		/* MSG_TRUNC of a TCP socket leaves the buffer as it was */
		if (a[3] & MSG_TRUNC && uaccess_in(local, (uint64_t)it.one.iov_base + it.off, n))
			memset(local, 0, n);
		got = host_block(t, SYS_recvfrom, a[0], (uint64_t)local, fault ? 0 : n, a[3], a[4] ? (uint64_t)name : 0,
				 a[4] ? (uint64_t)&name_len : 0);
		if (got < 0 || fault)
			return total ? (long)total : got < 0 ? got : -EFAULT;
		uiter_out(&it, local, (uint64_t)got < n ? (uint64_t)got : n, &fault);
		if (fault)
			return total ? (long)total : -EFAULT;
		total += (uint64_t)got; /* MSG_TRUNC tells the real length */
	} while (all && it.left && (uint64_t)got == n);
	if (a[4] && (got = sock_name_out(a[4], a[5], name, name_len)))
		return got;
	return (long)total;
}
