/*
 * A program that has gone wild: one wild thing, then honest work, and "right" when that came out right. What it is to
 * do comes as a line on stdin, after it has said "ready":
 *   store ADDRESS BYTES SEED   write BYTES random bytes there
 *   block OFFSET BYTES SEED    the same, to the thread block that GS points to
 *   gs BASE | gs-selector      another GS base
 *   call NAME                  a system call aimed at the dispatcher's memory, descriptors or traps at ADDRESS
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define WORK_BYTES (12UL << 20)

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void store(uint64_t addr, uint64_t bytes, uint64_t seed)
{
	volatile uint8_t *p = (volatile uint8_t *)addr;

	for (uint64_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)mix(seed + i);
}

static void *worker(void *arg)
{
	return arg;
}

/* Memory beyond the budget, a file, a thread. */
static int work(void)
{
	uint64_t *m = mmap(NULL, WORK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char name[] = "wild-XXXXXX", text[64] = "";
	pthread_t t;
	void *ret;
	int fd;

	if (m == MAP_FAILED)
		return 1;
	for (uint64_t i = 0; i < WORK_BYTES / 8; i += 256)
		m[i] = mix(i);
	for (uint64_t i = 0; i < WORK_BYTES / 8; i += 256)
		if (m[i] != mix(i))
			return 2;
	fd = mkstemp(name);
	if (fd < 0 || write(fd, name, sizeof(name)) != sizeof(name) ||
	    pread(fd, text, sizeof(text), 0) != sizeof(name) || strcmp(text, name) != 0 || close(fd) || unlink(name))
		return 3;
	if (pthread_create(&t, NULL, worker, name) || pthread_join(t, &ret) || ret != name)
		return 4;
	return 0;
}

/* ---- calls ---- */

static long self_mem(uint64_t addr)
{
	static const uint64_t junk = ~0ULL;
	int fd = open("/proc/self/mem", O_RDWR);

	return fd < 0 ? -1 : pwrite(fd, &junk, 8, (off_t)addr);
}

static long vm_write(uint64_t addr)
{
	static uint64_t junk = ~0ULL;
	struct iovec from = { &junk, 8 }, to = { (void *)addr, 8 };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

static long read_into(uint64_t addr)
{
	int p[2];

	return pipe(p) || write(p[1], "12345678", 8) != 8 ? -1 : read(p[0], (void *)addr, 8);
}

static long readv_into(uint64_t addr)
{
	struct iovec v = { (void *)addr, 8 };
	int p[2];

	return pipe(p) || write(p[1], "12345678", 8) != 8 ? -1 : readv(p[0], &v, 1);
}

/* A fault, or a system call, that never was: Linux lets a process say so to itself. */
static long forge(int sig, int code, uint64_t addr)
{
	siginfo_t info = { .si_signo = sig, .si_code = code };

	info.si_addr = (void *)addr;
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), (int)syscall(SYS_gettid), sig, &info);
}

static long forge_sigsys(uint64_t addr)
{
	siginfo_t info = { .si_signo = SIGSYS, .si_code = 2 };

	info.si_syscall = SYS_exit_group;
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), (int)syscall(SYS_gettid), SIGSYS, &info);
}

static long descriptors(uint64_t addr)
{
	for (int fd = 3; fd < 70000; fd++)
		close(fd);
	for (int fd = 300; fd < 1100; fd++)
		dup2(0, fd);
	for (int fd = 300; fd < 1100; fd++)
		close(fd);
	return syscall(SYS_close_range, 3, ~0u, 0);
}

static long filter_of_ours(uint64_t addr)
{
	struct sock_filter f = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { 1, &f };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, 2, &prog) & syscall(SYS_seccomp, 1, 0, &prog);
}

static void nothing(int sig)
{
}

static long altstack_there(uint64_t addr)
{
	stack_t ss = { .ss_sp = (void *)(addr & ~4095UL), .ss_size = 65536 };
	struct sigaction sa = { .sa_flags = SA_ONSTACK };

	sigaltstack(&ss, NULL);
	sa.sa_handler = nothing;
	sigaction(SIGUSR1, &sa, NULL);
	return raise(SIGUSR1);
}

static long limits(uint64_t addr)
{
	struct rlimit r = { 3, 3 };

	setrlimit(RLIMIT_NOFILE, &r);
	r = (struct rlimit){ 1 << 20, RLIM_INFINITY };
	return setrlimit(RLIMIT_AS, &r);
}

static long call(const char *name, uint64_t a)
{
	uint64_t page = a & ~4095UL;
	void *p = (void *)page;

	if (!strcmp(name, "munmap"))
		return munmap(p, 1 << 20);
	if (!strcmp(name, "munmap-all"))
		return munmap((void *)0x700000000000, 0x7ffff000000 * 16ULL);
	if (!strcmp(name, "munmap-wrap"))
		return munmap(p, -page);
	if (!strcmp(name, "mprotect"))
		return mprotect(p, 4096, PROT_NONE);
	if (!strcmp(name, "mmap-fixed"))
		return mmap(p, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED;
	if (!strcmp(name, "mremap"))
		return mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x100000000) == MAP_FAILED;
	if (!strcmp(name, "mremap-to")) {
		void *q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		return mremap(q, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, p) == MAP_FAILED;
	}
	if (!strcmp(name, "madvise"))
		return madvise(p, 1 << 20, MADV_DONTNEED);
	if (!strcmp(name, "brk"))
		return syscall(SYS_brk, a);
	if (!strcmp(name, "self-mem"))
		return self_mem(a);
	if (!strcmp(name, "vm-write"))
		return vm_write(a);
	if (!strcmp(name, "read-into"))
		return read_into(a);
	if (!strcmp(name, "readv-into"))
		return readv_into(a);
	if (!strcmp(name, "forge-segv"))
		return forge(SIGSEGV, SEGV_MAPERR, a);
	if (!strcmp(name, "forge-bus"))
		return forge(SIGBUS, BUS_ADRERR, a);
	if (!strcmp(name, "forge-sys"))
		return forge_sigsys(a);
	if (!strcmp(name, "descriptors"))
		return descriptors(a);
	if (!strcmp(name, "seccomp"))
		return filter_of_ours(a);
	if (!strcmp(name, "sud"))
		return prctl(59, 0, 0, 0, 0) & prctl(59, 1, 0, 0, a);
	if (!strcmp(name, "set-gs"))
		return syscall(SYS_arch_prctl, ARCH_SET_GS, a);
	if (!strcmp(name, "set-fs"))
		return syscall(SYS_arch_prctl, ARCH_SET_FS, a);
	if (!strcmp(name, "ldt"))
		return syscall(SYS_modify_ldt, 1, p, 16);
	if (!strcmp(name, "uffd"))
		return syscall(SYS_userfaultfd, 0);
	if (!strcmp(name, "io-uring"))
		return syscall(SYS_io_uring_setup, 8, p);
	if (!strcmp(name, "ptrace"))
		return ptrace(PTRACE_TRACEME, 0, 0, 0);
	if (!strcmp(name, "altstack"))
		return altstack_there(a);
	if (!strcmp(name, "limits"))
		return limits(a);
	if (!strcmp(name, "clear-tid"))
		return syscall(SYS_set_tid_address, a) < 0;
	if (!strcmp(name, "robust"))
		return syscall(SYS_set_robust_list, a, 24);
	fprintf(stderr, "wild: no call %s\n", name);
	exit(99);
}

static void wild(const char *line)
{
	unsigned long a = 0, n = 0, seed = 0, at;
	char name[32];

	if (sscanf(line, "store %lx %lu %lu", &a, &n, &seed) == 3)
		store(a, n, seed);
	else if (sscanf(line, "block %lu %lu %lu", &a, &n, &seed) == 3) {
		__asm__ volatile("rdgsbase %0" : "=r"(at));
		store(at + a, n, seed);
	} else if (sscanf(line, "gs %lx", &a) == 1)
		__asm__ volatile("wrgsbase %0" ::"r"(a));
	else if (strncmp(line, "gs-selector", 11) == 0)
		__asm__ volatile("mov %0, %%gs" ::"r"(0));
	else if (sscanf(line, "call %31s %lx", name, &a) >= 1)
		fprintf(stderr, "%s: %ld\n", name, call(name, a));
	else if (strncmp(line, "nothing", 7) != 0)
		exit(99);
}

int main(void)
{
	char line[256];
	ssize_t n;
	int err;

	if (work())
		return 98;
	if (write(1, "ready\n", 6) != 6 || (n = read(0, line, sizeof(line) - 1)) <= 0)
		return 98;
	line[n] = 0;
	wild(line);
	err = work();
	if (!err && write(1, "right\n", 6) != 6)
		return 98;
	return err;
}
