/*
 * wildcalls SEED SECONDS: processes that make random system calls with random arguments: numbers, addresses that are good,
 * bad, huge, or its own code. Each is watched and ended after a while. Prints how many there were and how they ended. Signals
 * to others are left out: who may send them may end whom he likes.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 3000
#define CHILD_MS 1500
#define AREA (64 * 4096UL)

static uint64_t state;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* What would reach others, or the watcher itself, or stay on the machine. */
static int left_out(long nr)
{
	static const long out[] = { SYS_kill,
				    SYS_tkill,
				    SYS_tgkill,
				    SYS_rt_sigqueueinfo,
				    SYS_rt_tgsigqueueinfo,
				    SYS_setpgid,
				    SYS_setsid,
				    SYS_prlimit64,
				    SYS_setrlimit,
				    SYS_process_vm_writev,
				    SYS_ptrace,
				    SYS_reboot,
				    SYS_pidfd_send_signal,
				    SYS_setpriority,
				    SYS_sched_setscheduler,
				    SYS_fchmodat,
				    SYS_chmod,
				    SYS_fchmod,
				    SYS_sched_setattr,
				    SYS_sched_setparam,
				    SYS_sched_setaffinity,
				    SYS_shmget,
				    SYS_semget,
				    SYS_msgget,
				    SYS_mq_open };

	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		if (out[i] == nr)
			return 1;
	return 0;
}

static uint64_t argument(char *area)
{
	switch (next() % 12) {
	case 0:
		return next() % 24; /* a descriptor, a flag */
	case 1:
		return (uint64_t)-1 - next() % 4;
	case 2:
		return next() % 70000;
	case 3:
		return next();
	case 4:
		return (uint64_t)area + next() % AREA;
	case 5:
		return (uint64_t)area + AREA - next() % 64; /* over the end */
	case 6:
		return (uint64_t)&argument + next() % 4096;
	case 7:
		return 0x700000000000UL + (next() << 12) % (1UL << 46); /* not the program's */
	case 8:
		return 1UL << next() % 64;
	case 9:
		return (uint64_t)&state & ~4095UL;
	case 10:
		return (uint64_t)area + next() % 32 * 8;
	default:
		return 0;
	}
}

static void child(uint64_t seed)
{
	char *area = mmap(NULL, AREA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit files = { 256, 256 }, size = { 1 << 20, 1 << 20 }, processes = { 400, 400 };
	pid_t self = getpid();

	state = seed;
	munmap(area + AREA, 4096);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_NPROC, &processes);
	for (size_t i = 0; i < AREA; i += 8)
		*(uint64_t *)(area + i) = next() % 3 ? next() % 64 : (uint64_t)area + next() % AREA;
	strcpy(area, "wild/name");
	for (int i = 0; i < CALLS; i++) {
		long nr = (long)(next() % 470);
		uint64_t a[6];

		for (int k = 0; k < 6; k++)
			a[k] = argument(area);
		if (left_out(nr))
			continue;
		syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (getpid() != self)
			_exit(0); /* one that a call has made */
	}
	_exit(0);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	int64_t end = now_ms() + 1000 * (argc > 2 ? atoi(argv[2]) : 5), stop;
	unsigned long n = 0, killed = 0, exited = 0;
	int status;

	signal(SIGHUP, SIG_IGN);
	while (now_ms() < end) {
		pid_t pid = fork(), got;

		if (pid < 0) {
			usleep(10000);
			continue;
		}
		if (!pid)
			child(seed + n * 0x9e3779b97f4a7c15ULL + 1);
		n++;
		stop = now_ms() + CHILD_MS;
		while (!(got = waitpid(pid, &status, WNOHANG)) && now_ms() < stop)
			usleep(500);
		if (!got) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (WIFSIGNALED(status))
			killed++;
		else
			exited++;
	}
	printf("processes %lu exited %lu killed %lu\n", n, exited, killed);
	return n == 0;
}
