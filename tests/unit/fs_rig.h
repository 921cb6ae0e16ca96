/*
 * For tests of the dispatcher's files: fs/ with stand-ins for traps and program memory, against a storage monitor in a
 * child process that exports /. As root the test becomes another user first, so that rights count.
 */
#ifndef ASHLAR_TESTS_FS_RIG_H
#define ASHLAR_TESTS_FS_RIG_H
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "pcomponent/fs/calls.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/signalfd.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/sock.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/kept.h"
#include "scomponent/scomponent.h"

#define NOBODY 65534u
#define FD_FLOOR 900

/* ---- stand-ins for what is not fs/ ---- */

static __thread struct thread fs_thread;
static unsigned fs_said; /* lines for the user */

long host_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	long ret = syscall(nr, a0, a1, a2, a3, a4, a5);

	return ret < 0 ? -errno : ret;
}

/* What host_block answers instead of calling, once: a signal that came first. */
static long fs_block_answer;

long host_block(struct thread *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	long answer = fs_block_answer;

	fs_block_answer = 0;
	return answer ? answer : host_call(nr, a0, a1, a2, a3, a4, a5);
}

uint64_t signalfd_meant(struct thread *t, int fd, void *buf, uint64_t bytes)
{
	return bytes;
}

/* Freed by fs_call after the handler, as the dispatcher does. Of one thread only. */
static __thread void *fs_scratch[16];
static __thread unsigned fs_scratches;

void *sys_scratch(struct thread *t, uint64_t bytes)
{
	if (bytes > SYS_SCRATCH_MAX || fs_scratches == 16)
		return NULL;
	return fs_scratch[fs_scratches++] = malloc(bytes ? bytes : 1);
}

long sock_ifconf(struct thread *t, int fd, uint64_t arg)
{
	return -ENOTTY; /* not asked for here */
}

void sys_message(const char *fmt, ...)
{
	__atomic_fetch_add(&fs_said, 1, __ATOMIC_RELAXED);
}

/* The host kernel copies, so that bad addresses give EFAULT here too. */
static inline int copy_by_kernel(long nr, void *local, uint64_t addr, size_t n)
{
	struct iovec l = { local, n }, r = { (void *)addr, n };

	return !n || syscall(nr, getpid(), &l, 1, &r, 1, 0) == (long)n ? 0 : -EFAULT;
}

int uaccess_in(void *dst, uint64_t src, size_t n)
{
	return copy_by_kernel(SYS_process_vm_readv, dst, src, n);
}

int uaccess_out(uint64_t dst, const void *src, size_t n)
{
	return copy_by_kernel(SYS_process_vm_writev, (void *)(uintptr_t)src, dst, n);
}

long uaccess_str(char *dst, uint64_t src, size_t max)
{
	size_t i;

	for (i = 0; i < max; i++) {
		if (uaccess_in(dst + i, src + i, 1))
			return -EFAULT;
		if (!dst[i])
			return (long)i;
	}
	return -ENAMETOOLONG;
}

int uaccess_touch(uint64_t addr, int write)
{
	char byte;

	if (uaccess_in(&byte, addr, 1))
		return -EFAULT;
	return write ? uaccess_out(addr, &byte, 1) : 0;
}

char *vm_maps_text(bool smaps, size_t *len)
{
	*len = 5;
	return strdup("maps\n");
}

/* No file is a keeper's */
bool kept_file(int fd)
{
	(void)fd;
	return false;
}
int kept_hold(int fd, uint64_t off, uint64_t *n, bool write)
{
	(void)fd, (void)off, (void)n, (void)write;
	return -EIO;
}
void kept_release(int fd, uint64_t off, uint64_t n)
{
	(void)fd, (void)off, (void)n;
}
void kept_discarded(int fd, uint64_t off, uint64_t bytes)
{
	(void)fd, (void)off, (void)bytes;
}
void kept_cut_begin(int fd, uint64_t off, uint64_t bytes, struct kept_cut *c)
{
	(void)fd, (void)off, (void)bytes;
	*c = (struct kept_cut){ 0 };
}
void kept_cut_end(int fd, const struct kept_cut *c, bool ok)
{
	(void)fd, (void)c, (void)ok;
}
void vm_file_reads(struct fs_image *image)
{
}

void vm_file_written(struct fs_image *image, uint64_t off, uint64_t bytes)
{
}

void vm_totals(struct vm_totals *m)
{
	*m = (struct vm_totals){ .size = 123 << 20, .resident = 45 << 20 };
}

uint32_t threads_count(void)
{
	return 3;
}

void signal_defaults_act(void)
{
}

bool signal_restarts(struct thread *t)
{
	(void)t;
	return false;
}

void signal_status(uint64_t *blocked, uint64_t *ignored, uint64_t *caught)
{
	*blocked = 1;
	*ignored = 2;
	*caught = 4;
}

/* ---- the storage monitor's process ---- */

static pid_t sto_process;
static int sto_life; /* closing it ends the monitor */

static inline void sto_hup(void *arg, uint32_t events)
{
	loop_stop(arg);
}

static inline void sto_accept(void *arg, struct net_conn *conn)
{
	scomponent_accepted(arg, conn);
}

static const struct cap fs_cap = { { 0x1234, 0x5678 } };

static inline int sto_serve(const char *root, const char *addr, int life, int ready)
{
	struct g2x_admit_req admit = { .cap = fs_cap, .pid = 7, .uid = geteuid() };
	struct scomponent_config cfg = { .root = root };
	struct net_options options = { 0 };
	struct rpc_counters counters = { 0 };
	struct net_listener *listener;
	struct scomponent *s;
	struct loop *loop;
	struct net *net;

	if (loop_open(&loop))
		return 1;
	options.loop = loop;
	if (net_open("local", &options, &net) || scomponent_open(loop, net, &counters, &cfg, &s) ||
	    scomponent_admit(s, &admit) || net_listen(net, addr, sto_accept, s, &listener) ||
	    loop_fd_add(loop, life, 0, sto_hup, loop))
		return 1;
	dprintf(ready, "%s", net_listener_addr(listener));
	close(ready);
	loop_run(loop);
	loop_fd_del(loop, life);
	net_listener_close(listener);
	scomponent_close(s);
	net_close(net);
	loop_close(loop);
	close(life);
	return 0;
}

/* addr: where it shall be; empty: anywhere, and it is told there. */
static inline void sto_fork(const char *root, char *addr, size_t n)
{
	int life[2], ready[2];
	ssize_t got;

	assert_int_equal(pipe(life) | pipe(ready), 0);
	sto_process = fork();
	if (!sto_process) {
		close(life[1]);
		close(ready[0]);
		exit(sto_serve(root, *addr ? addr : "local:auto", life[0], ready[1]));
	}
	close(life[0]);
	close(ready[1]);
	sto_life = fcntl(life[1], F_DUPFD_CLOEXEC, FD_FLOOR);
	close(life[1]);
	got = read(ready[0], addr, n - 1);
	close(ready[0]);
	assert_true(got > 0);
	addr[got] = 0;
}

/* ---- set-up: one for all tests of a program, as fs/ is one of a process ---- */

static struct net *fs_net;
static char fs_top[64]; /* fs_top/native and fs_top/ours */

static inline long fs_call(sys_fn *fn, long nr, const uint64_t a[6])
{
	long ret;

	fs_thread.call_nr = nr;
	ret = fn(&fs_thread, a);
	while (fs_scratches)
		free(fs_scratch[--fs_scratches]);
	return ret;
}

static inline int fs_user(void)
{
	snprintf(fs_top, sizeof(fs_top), "/tmp/ashlar-fs-XXXXXX");
	if (!mkdtemp(fs_top))
		return -1;
	if (geteuid())
		return 0;
	return chown(fs_top, NOBODY, NOBODY) || setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	       setresuid(NOBODY, NOBODY, NOBODY);
}

static inline char *fs_path(const char *side)
{
	static char path[2][128];
	static int i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", fs_top, side);
	return path[i];
}

static char fs_addr[ADDR_BYTES]; /* of the storage monitor */
static uint32_t fs_wait_s;	 /* for it, when it is gone */

static inline int fs_net_open(void)
{
	struct net_options options = { .fd_floor = FD_FLOOR };

	return net_open("local", &options, &fs_net);
}

static inline int fs_start(void **state)
{
	struct fs_config cfg = {
		.s_name = "s0", .cap = fs_cap, .pid = 7, .umask = 022, .fd_floor = FD_FLOOR, .wait_s = fs_wait_s
	};

	log_open("test", LOG_ERROR);
	if (fs_user() || mkdir(fs_path("native"), 0755) || mkdir(fs_path("ours"), 0755))
		return -1;
	umask(022);
	sto_fork("/", fs_addr, sizeof(fs_addr));
	if (fs_net_open() || chdir(fs_path("native")))
		return -1;
	cfg.net = fs_net;
	cfg.s_addr = fs_addr;
	cfg.cwd = fs_path("ours");
	return fs_open(&cfg);
}

static inline int fs_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	chmod(path, 0755);
	return remove(path);
}

/* The monitor must have ended well: its sanitizer has looked at it. */
static inline int fs_stop(void **state)
{
	int status;

	close(sto_life);
	if (chdir("/") || waitpid(sto_process, &status, 0) != sto_process || status)
		return -1;
	nftw(fs_top, fs_remove, 16, FTW_PHYS);
	nftw(fs_top, fs_remove, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* ---- calls ---- */

struct handler {
	long nr;
	sys_fn *fn;
};
#define H(name)                        \
	{                              \
		SYS_##name, sys_##name \
	}
static const struct handler handlers[] = {
	H(read),
	H(write),
	H(readv),
	H(writev),
	H(pread64),
	H(pwrite64),
	H(preadv),
	H(pwritev),
	H(preadv2),
	H(pwritev2),
	H(open),
	H(openat),
	H(creat),
	H(close),
	H(close_range),
	H(dup),
	H(dup2),
	H(dup3),
	H(fcntl),
	H(lseek),
	H(flock),
	H(fsync),
	H(fdatasync),
	H(syncfs),
	H(sync_file_range),
	H(fadvise64),
	H(readahead),
	H(fallocate),
	H(stat),
	H(fstat),
	H(lstat),
	H(newfstatat),
	H(statx),
	H(statfs),
	H(fstatfs),
	H(access),
	H(faccessat),
	H(getdents),
	H(getdents64),
	H(getcwd),
	H(chdir),
	H(fchdir),
	H(umask),
	H(rename),
	H(renameat),
	H(renameat2),
	H(mkdir),
	H(mkdirat),
	H(rmdir),
	H(link),
	H(linkat),
	H(unlink),
	H(unlinkat),
	H(symlink),
	H(symlinkat),
	H(readlink),
	H(readlinkat),
	H(mknod),
	H(mknodat),
	H(truncate),
	H(ftruncate),
	H(chmod),
	H(fchmod),
	H(fchmodat),
	H(chown),
	H(fchown),
	H(lchown),
	H(fchownat),
	H(utime),
	H(utimes),
	H(futimesat),
	H(utimensat),
	H(ioctl),
	H(sendfile),
	H(copy_file_range),
	H(splice),
	H(setxattr),
	H(fsetxattr),
	H(getxattr),
	H(fgetxattr),
	H(listxattr),
	H(flistxattr),
	{ SYS_lgetxattr, sys_getxattr },
	{ SYS_llistxattr, sys_listxattr },
	{ 439, sys_faccessat2 },
	{ 452, sys_fchmodat2 },
};
#undef H

static inline sys_fn *handler(long nr)
{
	size_t i;

	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].nr == nr)
			return handlers[i].fn;
	fail_msg("no handler for %ld", nr);
	return NULL;
}

#define S(text) ((uint64_t)(uintptr_t)(text))
#define ARGS(...) ((const uint64_t[6]){ __VA_ARGS__ })

/* A call by way of fs/. */
#define ours(name, ...) fs_call(handler(SYS_##name), SYS_##name, ARGS(__VA_ARGS__))

#endif
