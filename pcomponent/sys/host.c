/*
 * Calls that the host kernel serves. It never gets an address of program memory: arguments are copied to local memory as
 * the call's row says, and back. What the host kernel may wait for runs in entry_stub, the one place where program
 * signals get in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/held.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/stop.h"
#include "pcomponent/trap/trap.h"

long host_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	register uint64_t r10 __asm__("r10") = a3;
	register uint64_t r8 __asm__("r8") = a4;
	register uint64_t r9 __asm__("r9") = a5;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

long host_block(struct thread *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	/* Neither miss nor trap can come in the stub, so the mask may hold our own signals there. */
	uint64_t mask = signal_mask(t) | signal_ours_ignored(), all = SIGS_ALL_BLOCKED;
	long ret;

	if (t->pending)
		return -SYS_RESTART;
	stop_enter_host(t);
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
	if (held_any())
		sent_give_back(t);
	ret = entry_stub(a0, a1, a2, a3, a4, a5, nr);
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
	stop_leave_host(t);
	return ret;
}

void *sys_scratch(struct thread *t, uint64_t bytes)
{
	void *p;
	int i;

	if (bytes > SYS_SCRATCH_MAX)
		return NULL;
	bytes = (bytes + 15) & ~15UL;
	if (bytes <= THREAD_SCRATCH_BYTES - t->scratch_used) {
		p = t->scratch + t->scratch_used;
		t->scratch_used += bytes;
		return p;
	}
	for (i = 0; i < THREAD_SCRATCH_EXTRA; i++)
		if (!t->scratch_extra[i])
			return t->scratch_extra[i] = malloc(bytes);
	return NULL;
}

void sys_scratch_reset(struct thread *t)
{
	int i;

	t->scratch_used = 0;
	for (i = 0; i < THREAD_SCRATCH_EXTRA && t->scratch_extra[i]; i++) {
		free(t->scratch_extra[i]);
		t->scratch_extra[i] = NULL;
	}
}

/* Room and contents of one argument; *local stays NULL for a NULL address. */
struct copied {
	void *local;
	uint64_t bytes;
};

static long arg_bytes(const struct arg_desc *d, const uint64_t a[6])
{
	uint32_t len;

	switch (d->kind) {
	case ARG_IN:
	case ARG_OUT:
	case ARG_IO:
		return d->bytes;
	case ARG_OUT_L:
		if (uaccess_load32(&len, a[d->len]))
			return -EFAULT;
		if ((int32_t)len < 0)
			return -EINVAL;
		return len < SYS_PIECE_BYTES ? len : SYS_PIECE_BYTES;
	case ARG_STR:
		return 4096;
	default: /* counts are ints or size_t; too large is refused by the scratch bound */
		return a[d->len] > SYS_SCRATCH_MAX ? SYS_SCRATCH_MAX + 1 : (long)(a[d->len] * d->bytes);
	}
}

static bool arg_reads(uint8_t kind)
{
	return kind == ARG_IN || kind == ARG_IO || kind == ARG_IN_N || kind == ARG_IO_N;
}

static int arg_in(struct thread *t, const struct arg_desc *d, const uint64_t a[6], uint64_t addr, struct copied *c)
{
	long len = arg_bytes(d, a);

	if (len < 0)
		return (int)len;
	c->bytes = (uint64_t)len;
	/* The call may return less than asked */
	if (d->kind == ARG_OUT_R && c->bytes > SYS_PIECE_BYTES)
		c->bytes = SYS_PIECE_BYTES;
	c->local = sys_scratch(t, c->bytes ? c->bytes : 1);
	if (!c->local)
		return -ENOMEM;
	if (d->kind == ARG_STR) {
		len = uaccess_str(c->local, addr, c->bytes);
		return len < 0 ? (int)len : 0;
	}
	if (arg_reads(d->kind))
		return uaccess_in(c->local, addr, c->bytes);
	memset(c->local, 0, c->bytes);
	return 0;
}

static int arg_out(const struct arg_desc *d, uint64_t addr, long ret, const struct copied *c, const struct copied *all)
{
	uint64_t n = c->bytes;

	if (ret < 0 && d->kind != ARG_IO)
		return 0;
	switch (d->kind) {
	case ARG_OUT_R:
		n = (uint64_t)ret * d->bytes;
		break;
	case ARG_OUT_L:
		n = all[d->len].local ? *(uint32_t *)all[d->len].local : 0;
		break;
	case ARG_OUT:
	case ARG_IO:
	case ARG_OUT_N:
	case ARG_IO_N:
		break;
	default:
		return 0;
	}
	return uaccess_out(addr, c->local, n < c->bytes ? n : c->bytes);
}

/* What to do with the descriptors that a call has made: 0 or more, or -errno after closing them. */
typedef long made_fn(long ret, const struct copied c[6]);

static long made_one(long ret, const struct copied c[6])
{
	(void)c;
	return fd_adopt(ret);
}

/* pipe and socketpair: the pair of numbers is the one argument of 8 bytes that was copied out. */
static long made_two(long ret, const struct copied c[6])
{
	const int *fds = NULL;
	long second;
	int i;

	(void)ret;
	for (i = 0; i < 6; i++)
		if (c[i].local)
			fds = c[i].local;
	if (!fds)
		return 0;
	second = fd_adopt(fds[1]);
	if (fd_adopt(fds[0]) < 0) {
		if (second >= 0)
			host1(SYS_close, fds[1]);
		return -EMFILE;
	}
	if (second < 0)
		host1(SYS_close, fds[0]);
	return second;
}

static void out_l_bound(const struct copied *c, uint32_t *len)
{
	if (*len > c->bytes)
		*len = (uint32_t)c->bytes;
}

static long host_row(struct thread *t, const uint64_t a[6], bool block, made_fn *made)
{
	const struct call_desc *row = call_desc((uint64_t)t->call_nr);
	struct copied c[6] = { 0 };
	uint64_t h[6];
	long ret, err;
	int i;

	memcpy(h, a, sizeof(h));
	for (i = 0; i < 6; i++) {
		if (row->arg[i].kind == ARG_FD && fd_hidden((int)a[i]))
			return -EBADF;
		if (row->arg[i].kind <= ARG_FD || !a[i])
			continue;
		if ((err = arg_in(t, &row->arg[i], a, a[i], &c[i])))
			return err;
		h[i] = (uint64_t)c[i].local;
		if (row->arg[i].kind == ARG_OUT_R)
			h[row->arg[i].len] = c[i].bytes;
	}
	/* The length may be another by now than when the room was made */
	for (i = 0; i < 6; i++)
		if (c[i].local && row->arg[i].kind == ARG_OUT_L && c[row->arg[i].len].local)
			out_l_bound(&c[i], c[row->arg[i].len].local);
	ret = block ? host_block(t, t->call_nr, h[0], h[1], h[2], h[3], h[4], h[5])
		    : host_call(t->call_nr, h[0], h[1], h[2], h[3], h[4], h[5]);
	if (ret < 0 && ret != -EINTR)
		return ret;
	if (made && (err = made(ret, c)) < 0)
		return err;
	for (i = 0; i < 6; i++)
		if (c[i].local && arg_out(&row->arg[i], a[i], ret, &c[i], c))
			return -EFAULT;
	return ret;
}

long sys_host(struct thread *t, const uint64_t a[6])
{
	return host_row(t, a, false, NULL);
}

long sys_hostb(struct thread *t, const uint64_t a[6])
{
	return host_row(t, a, true, NULL);
}

long sys_hostfd(struct thread *t, const uint64_t a[6])
{
	return host_row(t, a, true, made_one);
}

long sys_hostfd2(struct thread *t, const uint64_t a[6])
{
	return host_row(t, a, false, made_two);
}

long sys_nosys(struct thread *t, const uint64_t a[6])
{
	(void)t, (void)a;
	return -ENOSYS;
}

long sys_perm(struct thread *t, const uint64_t a[6])
{
	(void)t, (void)a;
	return -EPERM;
}

long sys_inval(struct thread *t, const uint64_t a[6])
{
	(void)t, (void)a;
	return -EINVAL;
}

long sys_zero(struct thread *t, const uint64_t a[6])
{
	(void)t, (void)a;
	return 0;
}
