/*
 * ioctl. Requests on host objects need a known shape (how many bytes, which way), as the argument goes through local
 * memory: from the table below, or from the request's own encoding. Others answer ENOTTY and are counted, and so do those
 * known to write or read beyond the size that they encode.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sock.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/uaccess.h"

enum { NUMBER = 0, IN = 1, OUT = 2, IO = 3 };

struct ioctl_shape {
	uint32_t request;
	uint8_t way, bytes;
};

#define TERMIOS_BYTES 36 /* the host kernel's struct termios */
#define TERMIO_BYTES 18
#define IFREQ_BYTES 40

static const struct ioctl_shape shapes[] = {
	{ TCGETS, OUT, TERMIOS_BYTES },
	{ TCSETS, IN, TERMIOS_BYTES },
	{ TCSETSW, IN, TERMIOS_BYTES },
	{ TCSETSF, IN, TERMIOS_BYTES },
	{ TCGETA, OUT, TERMIO_BYTES },
	{ TCSETA, IN, TERMIO_BYTES },
	{ TCSETAW, IN, TERMIO_BYTES },
	{ TCSETAF, IN, TERMIO_BYTES },
	{ TIOCGLCKTRMIOS, OUT, TERMIOS_BYTES },
	{ TIOCSLCKTRMIOS, IN, TERMIOS_BYTES },
	{ TCSBRK, NUMBER, 0 },
	{ TCSBRKP, NUMBER, 0 },
	{ TCXONC, NUMBER, 0 },
	{ TCFLSH, NUMBER, 0 },
	{ TIOCSBRK, NUMBER, 0 },
	{ TIOCCBRK, NUMBER, 0 },
	{ TIOCEXCL, NUMBER, 0 },
	{ TIOCNXCL, NUMBER, 0 },
	{ TIOCSCTTY, NUMBER, 0 },
	{ TIOCNOTTY, NUMBER, 0 },
	{ TIOCVHANGUP, NUMBER, 0 },
	{ TIOCGPTPEER, NUMBER, 0 },
	{ TIOCGWINSZ, OUT, 8 },
	{ TIOCSWINSZ, IN, 8 },
	{ TIOCGPGRP, OUT, 4 },
	{ TIOCSPGRP, IN, 4 },
	{ TIOCGSID, OUT, 4 },
	{ TIOCOUTQ, OUT, 4 },
	{ TIOCSTI, IN, 1 },
	{ TIOCMGET, OUT, 4 },
	{ TIOCMSET, IN, 4 },
	{ TIOCMBIS, IN, 4 },
	{ TIOCMBIC, IN, 4 },
	{ TIOCGETD, OUT, 4 },
	{ TIOCSETD, IN, 4 },
	{ TIOCPKT, IN, 4 },
	{ TIOCGSOFTCAR, OUT, 4 },
	{ TIOCSSOFTCAR, IN, 4 },
	{ FIONREAD, OUT, 4 },
	{ FIONBIO, IN, 4 },
	{ FIOASYNC, IN, 4 },
	{ FIOCLEX, NUMBER, 0 },
	{ FIONCLEX, NUMBER, 0 },
	{ FIOQSIZE, OUT, 8 },
	{ FIGETBSZ, OUT, 4 },
	{ FIFREEZE, NUMBER, 0 },
	{ FITHAW, NUMBER, 0 },
	{ SIOCATMARK, OUT, 4 },
	{ FIOSETOWN, IN, 4 },
	{ SIOCSPGRP, IN, 4 },
	{ FIOGETOWN, OUT, 4 },
	{ SIOCGPGRP, OUT, 4 },
	{ SIOCGSTAMP_OLD, OUT, 16 },
	{ SIOCGSTAMPNS_OLD, OUT, 16 },
	{ SIOCGIFNAME, IO, IFREQ_BYTES },
	{ SIOCGIFFLAGS, IO, IFREQ_BYTES },
	{ SIOCGIFADDR, IO, IFREQ_BYTES },
	{ SIOCGIFDSTADDR, IO, IFREQ_BYTES },
	{ SIOCGIFBRDADDR, IO, IFREQ_BYTES },
	{ SIOCGIFNETMASK, IO, IFREQ_BYTES },
	{ SIOCGIFMETRIC, IO, IFREQ_BYTES },
	{ SIOCGIFMTU, IO, IFREQ_BYTES },
	{ SIOCGIFHWADDR, IO, IFREQ_BYTES },
	{ SIOCGIFINDEX, IO, IFREQ_BYTES },
	{ SIOCGIFTXQLEN, IO, IFREQ_BYTES },
	{ IOCTL_VM_SOCKETS_GET_LOCAL_CID, OUT, 4 },
};

static uint64_t unknown;

uint64_t fs_unknown_ioctls(void)
{
	return __atomic_load_n(&unknown, __ATOMIC_RELAXED);
}

/* Structures with an array behind them, of which the request does not tell. */
static bool encoding_lies(uint32_t request)
{
	return request == FS_IOC_FIEMAP || request == FIDEDUPERANGE || request == RNDADDENTROPY;
}

/* False: not known. */
static bool shape_of(uint32_t request, uint8_t *way, uint32_t *bytes)
{
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].request == request) {
			*way = shapes[i].way;
			*bytes = shapes[i].bytes;
			return true;
		}
	*bytes = _IOC_SIZE(request);
	*way = (_IOC_DIR(request) & _IOC_WRITE ? IN : 0) | (_IOC_DIR(request) & _IOC_READ ? OUT : 0);
	return *way && *bytes && !encoding_lies(request);
}

static long ioctl_host(struct thread *t, int fd, uint32_t request, uint64_t arg)
{
	uint32_t bytes;
	uint8_t way;
	char *local;
	long ret;

	if (request == SIOCGIFCONF)
		return sock_ifconf(t, fd, arg);
	if (!shape_of(request, &way, &bytes)) {
		__atomic_fetch_add(&unknown, 1, __ATOMIC_RELAXED);
		return -ENOTTY;
	}
	if (way == NUMBER) /* one of them makes a descriptor */
		return fd_adopt(host_block(t, SYS_ioctl, (uint64_t)fd, request, arg, 0, 0, 0));
	local = sys_scratch(t, bytes);
	if (!local)
		return -ENOMEM;
	if (way & IN ? uaccess_in(local, arg, bytes) : uaccess_touch(arg, 1))
		return -EFAULT;
	ret = host_block(t, SYS_ioctl, (uint64_t)fd, request, (uint64_t)local, 0, 0, 0);
	if (ret >= 0 && way & OUT && uaccess_out(arg, local, bytes))
		return -EFAULT;
	return ret;
}

static long out_int(uint64_t arg, int value)
{
	return uaccess_out(arg, &value, sizeof(value));
}

static long fionread(struct file *f, uint64_t arg)
{
	struct wire_stat st;
	uint64_t pos;
	long err;

	if (!S_ISREG(f->mode))
		return -ENOTTY;
	err = remote_stat_file(f, &st);
	if (err)
		return err;
	err = file_pos_get(f, &pos);
	if (err)
		return err;
	return out_int(arg, (int)(st.size - pos));
}

static long fionbio(struct file *f, uint64_t arg)
{
	int on;

	if (uaccess_in(&on, arg, sizeof(on)))
		return -EFAULT;
	return file_status_set(f, on ? O_NONBLOCK : 0, O_NONBLOCK);
}

static long ioctl_remote(struct file *f, int fd, uint32_t request, uint64_t arg)
{
	struct wire_stat st;
	long err;

	if (file_flags(f) & O_PATH)
		return -EBADF;
	switch (request) {
	case FIOCLEX:
	case FIONCLEX: /* of the number */
		return host3(SYS_ioctl, fd, request, 0);
	case FIONBIO:
		return fionbio(f, arg);
	case FIONREAD:
		return fionread(f, arg);
	case FIGETBSZ:
		err = remote_stat_file(f, &st);
		return err ? err : out_int(arg, (int)st.blksize);
	case FICLONE:
	case FICLONERANGE:
	case FIDEDUPERANGE:
	case FS_IOC_FIEMAP:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}

long sys_ioctl(struct thread *t, const uint64_t a[6])
{
	int fd = (int)a[0];
	struct file *f;
	long ret;

	if (fd_hidden(fd))
		return -EBADF;
	f = fd_remote(fd);
	if (!f)
		return ioctl_host(t, fd, (uint32_t)a[1], a[2]);
	ret = ioctl_remote(f, fd, (uint32_t)a[1], a[2]);
	file_put(f);
	return ret;
}
