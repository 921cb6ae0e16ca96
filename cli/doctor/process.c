/* Checks of what ashlar does with processes and system calls, and of limits. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "ashlar/base/size.h"
#include "cli/doctor/doctor.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef SYSCALL_DISPATCH_FILTER_ALLOW
#define SYSCALL_DISPATCH_FILTER_ALLOW 0
#define SYSCALL_DISPATCH_FILTER_BLOCK 1
#endif
#define SUD_ON 1
#define HWCAP2_FSGSBASE_BIT 2u
#define NOFILE_LEAST 64u   /* fewer, and a private rack does not start */
#define NOFILE_USUAL 1024u /* what Linux gives a user */
#define NPROC_LEAST 16u
#define NPROC_USUAL 256u
#define MEMLOCK_USUAL (64UL << 20)

static volatile char sud_selector;
static volatile sig_atomic_t sud_caught;

static void on_sigsys(int sig)
{
	(void)sig;
	sud_selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	sud_caught = 1;
}

/* Arm it and see a system call caught. */
static int sud_use(void *arg)
{
	(void)arg;
	signal(SIGSYS, on_sigsys);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, SUD_ON, 0, 0, &sud_selector))
		return errno;
	sud_selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	(void)syscall(SYS_getppid);
	return sud_caught ? 0 : EIO;
}

void check_sud(struct doctor_finding *f)
{
	int err = doctor_in_child(sud_use, NULL);

	if (!err) {
		doctor_found(f, DOCTOR_OK, "armed in a child, it caught a call");
		return;
	}
	doctor_denied(f, DOCTOR_MISSING, "prctl(PR_SET_SYSCALL_USER_DISPATCH)", err, "5.11");
	doctor_means(f, "no system call can be caught: programs do not start");
}

void check_fsgsbase(struct doctor_finding *f)
{
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) {
		doctor_found(f, DOCTOR_OK, "user space may use it");
		return;
	}
	doctor_found(f, DOCTOR_MISSING, "user space may not use it");
	doctor_means(f, "the dispatcher dies of an illegal instruction: programs do not start");
	doctor_fix(f,
		   "a processor from 2012 on and a kernel from 5.9 on without nofsgsbase; QEMU: -cpu max or -cpu host");
}

static int pidfd_use(void *arg)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	(void)arg;
	if (fd < 0 || poll(&p, 1, 0) < 0 || syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0)
		return errno;
	return p.revents ? EIO : 0;
}

void check_pidfd(struct doctor_finding *f)
{
	int err = doctor_in_child(pidfd_use, NULL);

	if (!err) {
		doctor_found(f, DOCTOR_OK, "pidfd_open, pidfd_send_signal");
		return;
	}
	doctor_denied(f, DOCTOR_MISSING, "pidfd_open", err, "5.3");
	doctor_means(f, "the node daemon cannot see a program's end: programs do not start");
}

static int readv_use(void *arg)
{
	char from = 'x', to = 0;
	struct iovec local = { .iov_base = &to, .iov_len = 1 }, remote = { .iov_base = &from, .iov_len = 1 };

	(void)arg;
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1 && to == 'x' ? 0 : errno;
}

void check_vm_readv(struct doctor_finding *f)
{
	int err = doctor_in_child(readv_use, NULL);
	long scope = 0;

	if (!err) {
		if (doctor_read_number("/proc/sys/kernel/yama/ptrace_scope", &scope))
			doctor_found(f, DOCTOR_OK, "of oneself (kernel.yama.ptrace_scope %ld does not matter)", scope);
		else
			doctor_found(f, DOCTOR_OK, "of oneself");
		return;
	}
	doctor_denied(f, DOCTOR_LIMITED, "process_vm_readv of oneself", err, "3.2");
	doctor_means(f, "pages are read through /proc/self/mem instead, one by one");
}

void check_cores(struct doctor_finding *f)
{
	long machine = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	int here = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : (int)machine;

	doctor_found(f, here < 2 ? DOCTOR_LIMITED : DOCTOR_OK, "%d of %ld", here, machine);
	if (here < 2) {
		doctor_means(f, "everything works, but program and monitors wait for each other");
		doctor_fix(f, machine > 1
				      ? "taskset -c 0,1 ashlar run ..., for a container: docker run --cpuset-cpus=0,1"
				      : "a machine with two cores or more");
	}
}

/* A limit against what is the least and what is usual. The hard limit counts: the dispatcher raises the soft one. */
static void limit_look(struct doctor_finding *f, int which, uint64_t least, uint64_t usual, const char *means,
		       const char *fix)
{
	struct rlimit r;
	char soft[32] = "no limit", hard[32] = "none";

	if (getrlimit((__rlimit_resource_t)which, &r)) {
		doctor_found(f, DOCTOR_LIMITED, "cannot be read: %s", strerror(errno));
		return;
	}
	if (r.rlim_cur != RLIM_INFINITY)
		snprintf(soft, sizeof(soft), "%lu", (unsigned long)r.rlim_cur);
	if (r.rlim_max != RLIM_INFINITY)
		snprintf(hard, sizeof(hard), "%lu", (unsigned long)r.rlim_max);
	doctor_found(f,
		     r.rlim_cur < least	  ? DOCTOR_MISSING
		     : r.rlim_cur < usual ? DOCTOR_LIMITED
					  : DOCTOR_OK,
		     "%s (hard limit: %s)", soft, hard);
	if (f->state == DOCTOR_OK)
		return;
	doctor_means(f, means);
	doctor_fix(f, fix);
}

void check_nofile(struct doctor_finding *f)
{
	limit_look(f, RLIMIT_NOFILE, NOFILE_LEAST, NOFILE_USUAL,
		   "a private rack needs 64 descriptors, programs the rest",
		   "ulimit -n 1024 (and a line in /etc/security/limits.conf where that is refused)");
}

void check_nproc(struct doctor_finding *f)
{
	limit_look(f, RLIMIT_NPROC, NPROC_LEAST, NPROC_USUAL,
		   "a private rack is six processes, each program thread is one more",
		   "ulimit -u 1024 (and a line in /etc/security/limits.conf where that is refused)");
}

void check_memlock(struct doctor_finding *f)
{
	limit_look(f, RLIMIT_MEMLOCK, 0, MEMLOCK_USUAL, "of concern to RDMA devices only: that much can be registered",
		   "ulimit -l unlimited (and a line in /etc/security/limits.conf where that is refused)");
}

void check_as(struct doctor_finding *f)
{
	limit_look(f, RLIMIT_AS, 0, UINT64_MAX >> 1, "programs get ENOMEM before their memory is used up",
		   "ulimit -v unlimited");
	if (f->state == DOCTOR_OK)
		doctor_found(f, DOCTOR_OK, "no limit");
}
