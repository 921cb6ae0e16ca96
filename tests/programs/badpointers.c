/*
 * badpointers: many calls, each with pointers that lead nowhere: EFAULT, and never more than that. The same list natively
 * tells what each call answers.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/programs/say.h"

static int fd_file, fd_pipe[2], fd_pair[2], fd_epoll, fd_dir, fd_tcp;

/* Where the bad pointer stands among the arguments. */
struct call {
	const char *name;
	long nr;
	int at;	  /* argument that is bad */
	bool out; /* the kernel writes there: read-only memory is bad as well */
	long arg[6];
};

static char good[65536];
static struct iovec iov_good = { good, 16 };
static struct timespec no_time;

#define G ((long)good)

static void refill(void)
{
	char byte[16] = "0123456789abcde";
	int n = 0;

	ioctl(fd_pipe[0], FIONREAD, &n);
	if (n < 64)
		MUST(write(fd_pipe[1], byte, 16) == 16);
	ioctl(fd_pair[0], FIONREAD, &n);
	if (n < 64)
		MUST(write(fd_pair[1], byte, 16) == 16);
	lseek(fd_file, 0, SEEK_SET);
	lseek(fd_dir, 0, SEEK_SET);
}

static void run(const struct call *c, const char *kind, void *bad)
{
	long a[6], ret;

	memcpy(a, c->arg, sizeof(a));
	a[c->at] = (long)bad;
	refill();
	errno = 0;
	ret = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	printf("%s, argument %d %s: %s\n", c->name, c->at, kind, ret < 0 ? error_name(errno) : "accepted");
}

int main(void)
{
	char *p = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char name[] = "badpointers-XXXXXX";
	struct {
		const char *kind;
		void *at;
		bool only_out;
	} bad[] = {
		{ "in page zero", (void *)8, false },
		{ "unmapped", p + 2 * 4096, false },
		{ "without access", p + 4 * 4096, false },
		{ "read-only", p + 6 * 4096, true },
		{ "the kernel's", (void *)0xffff888000000000, false },
		{ "not canonical", (void *)0x8000000000001000, false },
		{ "the last byte", (void *)-1L, false },
	};

	MUST(p != MAP_FAILED);
	memset(p, 'x', 8 * 4096);
	munmap(p + 2 * 4096, 4096);
	mprotect(p + 4 * 4096, 4096, PROT_NONE);
	mprotect(p + 6 * 4096, 4096, PROT_READ);
	fd_file = mkstemp(name);
	unlink(name);
	MUST(fd_file >= 0 && write(fd_file, good, 8192) == 8192 && !pipe(fd_pipe));
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd_pair));
	fd_epoll = epoll_create1(0);
	fd_dir = open(".", O_RDONLY | O_DIRECTORY);
	fd_tcp = socket(AF_UNIX, SOCK_STREAM, 0);

	const struct call calls[] = {
		{ "read a file", SYS_read, 1, true, { fd_file, 0, 100 } },
		{ "read a pipe", SYS_read, 1, true, { fd_pipe[0], 0, 10 } },
		{ "read a socket", SYS_read, 1, true, { fd_pair[0], 0, 10 } },
		{ "write a file", SYS_write, 1, false, { fd_file, 0, 100 } },
		{ "write a pipe", SYS_write, 1, false, { fd_pipe[1], 0, 10 } },
		{ "pread", SYS_pread64, 1, true, { fd_file, 0, 100, 0 } },
		{ "pwrite", SYS_pwrite64, 1, false, { fd_file, 0, 100, 0 } },
		{ "readv", SYS_readv, 1, false, { fd_file, 0, 2 } },
		{ "writev", SYS_writev, 1, false, { fd_file, 0, 2 } },
		{ "writev to a pipe", SYS_writev, 1, false, { fd_pipe[1], 0, 2 } },
		{ "open", SYS_open, 0, false, { 0, O_RDONLY } },
		{ "openat", SYS_openat, 1, false, { AT_FDCWD, 0, O_RDONLY } },
		{ "openat by descriptor", SYS_openat, 1, false, { fd_dir, 0, O_RDONLY } },
		{ "stat, path", SYS_stat, 0, false, { 0, G } },
		{ "stat, result", SYS_stat, 1, true, { (long)".", 0 } },
		{ "lstat", SYS_lstat, 1, true, { (long)".", 0 } },
		{ "fstat", SYS_fstat, 1, true, { fd_file, 0 } },
		{ "fstat of a pipe", SYS_fstat, 1, true, { fd_pipe[0], 0 } },
		{ "newfstatat, path", SYS_newfstatat, 1, false, { AT_FDCWD, 0, G, 0 } },
		{ "newfstatat, result", SYS_newfstatat, 2, true, { AT_FDCWD, (long)".", 0, 0 } },
		{ "statx, path", SYS_statx, 1, false, { AT_FDCWD, 0, 0, STATX_BASIC_STATS, G } },
		{ "statx, result", SYS_statx, 4, true, { AT_FDCWD, (long)".", 0, STATX_BASIC_STATS, 0 } },
		{ "statfs", SYS_statfs, 1, true, { (long)".", 0 } },
		{ "access", SYS_access, 0, false, { 0, F_OK } },
		{ "faccessat", SYS_faccessat, 1, false, { AT_FDCWD, 0, F_OK } },
		{ "readlink, path", SYS_readlink, 0, false, { 0, G, 100 } },
		{ "readlink, result", SYS_readlink, 1, true, { (long)"/proc/self/exe", 0, 100 } },
		{ "getcwd", SYS_getcwd, 0, true, { 0, 4096 } },
		{ "chdir", SYS_chdir, 0, false, { 0 } },
		{ "mkdir", SYS_mkdir, 0, false, { 0, 0700 } },
		{ "rmdir", SYS_rmdir, 0, false, { 0 } },
		{ "unlink", SYS_unlink, 0, false, { 0 } },
		{ "rename, from", SYS_rename, 0, false, { 0, (long)"x" } },
		{ "link, to", SYS_link, 1, false, { (long)".", 0 } },
		{ "symlink, to", SYS_symlink, 1, false, { (long)"x", 0 } },
		{ "chmod", SYS_chmod, 0, false, { 0, 0600 } },
		{ "truncate", SYS_truncate, 0, false, { 0, 0 } },
		{ "utimensat, path", SYS_utimensat, 1, false, { AT_FDCWD, 0, 0, 0 } },
		{ "utimensat, times", SYS_utimensat, 2, false, { AT_FDCWD, (long)"absent", 0, 0 } },
		{ "getdents64", SYS_getdents64, 1, true, { fd_dir, 0, 4096 } },
		{ "pipe2", SYS_pipe2, 0, true, { 0, 0 } },
		{ "poll", SYS_poll, 0, false, { 0, 1, 0 } },
		{ "ppoll, time", SYS_ppoll, 2, false, { 0, 0, 0, 0, 8 } },
		{ "ppoll, mask", SYS_ppoll, 3, false, { 0, 0, (long)&no_time, 0, 8 } },
		{ "select, set", SYS_select, 1, false, { 10, 0, 0, 0, (long)good } },
		{ "select, time", SYS_select, 4, false, { 0, 0, 0, 0, 0 } },
		{ "epoll_ctl", SYS_epoll_ctl, 3, false, { fd_epoll, EPOLL_CTL_ADD, fd_pipe[0], 0 } },
		{ "socketpair", SYS_socketpair, 3, true, { AF_UNIX, SOCK_STREAM, 0, 0 } },
		{ "bind", SYS_bind, 1, false, { fd_tcp, 0, sizeof(struct sockaddr_un) } },
		{ "connect", SYS_connect, 1, false, { fd_tcp, 0, sizeof(struct sockaddr_un) } },
		{ "sendto", SYS_sendto, 1, false, { fd_pair[0], 0, 10, 0, 0, 0 } },
		{ "recvfrom", SYS_recvfrom, 1, true, { fd_pair[0], 0, 10, 0, 0, 0 } },
		{ "sendmsg", SYS_sendmsg, 1, false, { fd_pair[0], 0, 0 } },
		{ "recvmsg", SYS_recvmsg, 1, false, { fd_pair[0], 0, 0 } },
		{ "getsockname", SYS_getsockname, 1, true, { fd_pair[0], 0, (long)&(int){ 100 } } },
		{ "getsockname, length", SYS_getsockname, 2, false, { fd_pair[0], G, 0 } },
		{ "getsockopt", SYS_getsockopt, 3, true, { fd_pair[0], SOL_SOCKET, SO_TYPE, 0, (long)&(int){ 4 } } },
		{ "setsockopt", SYS_setsockopt, 3, false, { fd_pair[0], SOL_SOCKET, SO_RCVBUF, 0, 4 } },
		{ "ioctl", SYS_ioctl, 2, true, { fd_pipe[0], FIONREAD, 0 } },
		{ "fcntl lock", SYS_fcntl, 2, false, { fd_pipe[0], F_GETLK, 0 } },
		{ "nanosleep", SYS_nanosleep, 0, false, { 0, 0 } },
		{ "clock_nanosleep", SYS_clock_nanosleep, 2, false, { CLOCK_MONOTONIC, 0, 0, 0 } },
		{ "clock_gettime", SYS_clock_gettime, 1, true, { CLOCK_MONOTONIC, 0 } },
		{ "clock_getres", SYS_clock_getres, 1, true, { CLOCK_MONOTONIC, 0 } },
		{ "gettimeofday", SYS_gettimeofday, 0, true, { 0, 0 } },
		{ "time", SYS_time, 0, true, { 0 } },
		{ "times", SYS_times, 0, true, { 0 } },
		{ "getitimer", SYS_getitimer, 1, true, { 0, 0 } },
		{ "setitimer", SYS_setitimer, 1, false, { 0, 0, 0 } },
		{ "timer_create", SYS_timer_create, 2, true, { CLOCK_MONOTONIC, 0, 0 } },
		{ "rt_sigaction, new", SYS_rt_sigaction, 1, false, { SIGUSR1, 0, 0, 8 } },
		{ "rt_sigaction, old", SYS_rt_sigaction, 2, true, { SIGUSR1, 0, 0, 8 } },
		{ "rt_sigprocmask, new", SYS_rt_sigprocmask, 1, false, { SIG_BLOCK, 0, 0, 8 } },
		{ "rt_sigprocmask, old", SYS_rt_sigprocmask, 2, true, { SIG_BLOCK, 0, 0, 8 } },
		{ "rt_sigpending", SYS_rt_sigpending, 0, true, { 0, 8 } },
		{ "rt_sigtimedwait", SYS_rt_sigtimedwait, 0, false, { 0, 0, (long)&no_time, 8 } },
		{ "rt_sigsuspend", SYS_rt_sigsuspend, 0, false, { 0, 8 } },
		{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, 2, false, { getpid(), SIGUSR1, 0 } },
		{ "sigaltstack, new", SYS_sigaltstack, 0, false, { 0, 0 } },
		{ "sigaltstack, old", SYS_sigaltstack, 1, true, { 0, 0 } },
		{ "uname", SYS_uname, 0, true, { 0 } },
		{ "sysinfo", SYS_sysinfo, 0, true, { 0 } },
		{ "getrusage", SYS_getrusage, 1, true, { RUSAGE_SELF, 0 } },
		{ "getrlimit", SYS_getrlimit, 1, true, { RLIMIT_NOFILE, 0 } },
		{ "setrlimit", SYS_setrlimit, 1, false, { RLIMIT_CORE, 0 } },
		{ "prlimit64, old", SYS_prlimit64, 3, true, { 0, RLIMIT_NOFILE, 0, 0 } },
		{ "getresuid", SYS_getresuid, 0, true, { 0, G, G } },
		{ "getrandom", SYS_getrandom, 0, true, { 0, 16, 0 } },
		{ "sched_getaffinity", SYS_sched_getaffinity, 2, true, { 0, 128, 0 } },
		{ "sched_getparam", SYS_sched_getparam, 1, true, { 0, 0 } },
		{ "getcpu", SYS_getcpu, 0, true, { 0, 0, 0 } },
		{ "futex", SYS_futex, 0, false, { 0, FUTEX_WAIT_PRIVATE, 1, (long)&no_time } },
		{ "futex, time", SYS_futex, 3, false, { G, FUTEX_WAIT_PRIVATE, 0, 0 } },
		{ "prctl get name", SYS_prctl, 1, true, { PR_GET_NAME, 0 } },
		{ "prctl set name", SYS_prctl, 1, false, { PR_SET_NAME, 0 } },
		{ "arch_prctl get fs", SYS_arch_prctl, 1, true, { 0x1003, 0 } },
		{ "memfd_create", SYS_memfd_create, 0, false, { 0, 0 } },
		{ "capget", SYS_capget, 0, false, { 0, G } },
		{ "sendfile, offset", SYS_sendfile, 2, false, { fd_pair[0], fd_file, 0, 10 } },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
			if (calls[i].out || !bad[k].only_out)
				run(&calls[i], bad[k].kind, bad[k].at);

	/* Vectors whose bases are bad, one good before */
	for (size_t k = 0; k < 3; k++) {
		struct iovec v[2] = { { good, 8 }, { bad[k].at, 8 } }, w = { bad[k].at, 8 };
		struct msghdr m = { .msg_iov = &w, .msg_iovlen = 1 };

		refill();
		printf("base %s: readv of one %s;", bad[k].kind, error_name(readv(fd_file, &w, 1) < 0 ? errno : 0));
		printf(" writev of one %s;", error_name(writev(fd_pipe[1], &w, 1) < 0 ? errno : 0));
		printf(" sendmsg %s;", error_name(sendmsg(fd_pair[0], &m, 0) < 0 ? errno : 0));
		printf(" recvmsg %s;", error_name(recvmsg(fd_pair[0], &m, 0) < 0 ? errno : 0));
		printf(" readv of two %ld\n", (long)readv(fd_file, v, 2));
		m.msg_iov = &iov_good;
		m.msg_control = bad[k].at;
		m.msg_controllen = 64;
		printf("control %s: sendmsg %s\n", bad[k].kind, error_name(sendmsg(fd_pair[0], &m, 0) < 0 ? errno : 0));
	}
	/* A buffer that begins well and ends badly */
	refill();
	printf("half bad: read a file %ld", (long)read(fd_file, p + 4096 * 2 - 50, 100));
	printf(", write a file %ld\n", (long)pwrite(fd_file, p + 4096 * 2 - 50, 100, 0));
	printf("path that runs into nothing: ");
	fflush(stdout);
	memset(p + 4096, 'y', 4096);
	say("open", open(p + 4096 * 2 - 50, O_RDONLY));
	printf("alive\n");
	return 0;
}
