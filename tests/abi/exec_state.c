// also: ofi 6.1
/*
 * What the next program finds of its process after execve: registers, memory, descriptors, signals, timers and names; in a
 * forked child of one thread, of many threads, in one whose memory came and went, and after many programs in a row.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include "abi.h"

#define ROW 120

static char self[4096];

/* ---- the next program ---- */

static uint32_t mxcsr(void)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}

static uint16_t control_word(void)
{
	uint16_t v;

	__asm__ volatile("fnstcw %0" : "=m"(v));
	return v;
}

static void words_are(const char *path, const char *want, size_t n)
{
	char got[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && read(fd, got, sizeof(got)) == (ssize_t)n && !memcmp(got, want, n));
	close(fd);
}

static int next(char **argv)
{
	int sock = atoi(argv[2]), file = atoi(argv[3]), kept = atoi(argv[4]);
	uintptr_t page = strtoul(argv[5], NULL, 16);
	struct itimerval left;
	struct sigaction act;
	sigset_t set;
	stack_t ss;
	char name[17] = "", path[64], want[256];
	size_t n = 0;
	int status;

	CHECK(mxcsr() == 0x1f80 && control_word() == 0x37f);
	CHECK_ERR(fcntl(sock, F_GETFD), EBADF);
	CHECK_ERR(fcntl(file, F_GETFD), EBADF);
	CHECK(fcntl(kept, F_GETFD) == 0);
	CHECK_ERR(msync((void *)page, PAGE, MS_ASYNC), ENOMEM);
	CHECK(sigaltstack(NULL, &ss) == 0 && ss.ss_flags == SS_DISABLE);
	CHECK(sigaction(SIGCHLD, NULL, &act) == 0 && act.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGSEGV, NULL, &act) == 0 && act.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGBUS, NULL, &act) == 0 && act.sa_handler == SIG_IGN);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &set) == 0 && sigismember(&set, SIGUSR2) && sigismember(&set, SIGSEGV));
	CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR2) && !sigismember(&set, SIGUSR1));
	CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_sec > 100);
	CHECK(prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "exec_state"));
	for (int i = 0; argv[i]; i++)
		n += (size_t)sprintf(want + n, "%s", argv[i]) + 1;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", getpid());
	words_are(path, want, n);
	words_are("/proc/self/cmdline", want, n);
	words_are("/proc/self/environ", "WORD=of it\0OTHER=2", sizeof("WORD=of it\0OTHER=2"));
	/* As others see it */
	snprintf(want, sizeof(want), "tr '\\0' ' ' </proc/%d/cmdline | cut -c1-15; tr '\\0' '\\n' </proc/%d/environ",
		 getpid(), getpid());
	CHECK(system(want) == 0);
	/* SIGCHLD's SA_NOCLDWAIT is gone: a child can be waited for */
	if (!fork())
		_exit(3);
	CHECK(wait(&status) > 0 && WEXITSTATUS(status) == 3);
	return abi_result();
}

/* ---- the one before it ---- */

static void handler(int sig)
{
	(void)sig;
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static void prepare(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	struct itimerval later = { .it_value = { .tv_sec = 1000 } };
	const uint32_t rounding = 0x7f80;
	const uint16_t single = 0x7f;
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	sigset_t set;

	__asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(rounding), "m"(single));
	sigaltstack(&ss, NULL);
	sigaction(SIGCHLD, &act, NULL);
	signal(SIGSEGV, handler);
	signal(SIGBUS, SIG_IGN);
	signal(SIGUSR1, handler);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_SETMASK, &set, NULL);
	kill(getpid(), SIGUSR2);
	setitimer(ITIMER_REAL, &later, NULL);
	prctl(PR_SET_NAME, "another");
}

static void become(bool threads)
{
	char a[4][32], name[] = "/tmp/abi-state-XXXXXX";
	char *argv[] = { (char *)"name of it", (char *)"next", a[0], a[1], a[2], a[3], NULL };
	char *envp[] = { (char *)"WORD=of it", (char *)"OTHER=2", NULL };
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pair[2], file = mkostemp(name, O_CLOEXEC), kept = open("/etc/passwd", O_RDONLY), status;
	pthread_t id;

	MUST(file >= 0 && kept >= 0 && page != MAP_FAILED && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	unlink(name);
	snprintf(a[0], sizeof(a[0]), "%d", pair[0]);
	snprintf(a[1], sizeof(a[1]), "%d", file);
	snprintf(a[2], sizeof(a[2]), "%d", kept);
	snprintf(a[3], sizeof(a[3]), "%lx", (unsigned long)page);
	fflush(stdout);
	if (!fork()) {
		prepare();
		if (threads)
			CHECK(pthread_create(&id, NULL, sleeper, NULL) == 0);
		execve(self, argv, envp);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
	close(pair[0]);
	close(pair[1]);
	close(file);
	close(kept);
	munmap(page, PAGE);
}

/* A record lock goes with a descriptor of its file that exec closes, though another stays open. */
static void locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 10 }, seen;
	char name[] = "/tmp/abi-lock-XXXXXX", *argv[] = { (char *)"x", (char *)"wait", NULL };
	int fd = mkstemp(name), in[2], out[2], status;
	char c;

	MUST(fd >= 0 && !pipe(in) && !pipe(out));
	fflush(stdout);
	if (!fork()) {
		int own = open(name, O_RDWR), other = open(name, O_RDWR | O_CLOEXEC);

		CHECK(own >= 0 && other >= 0 && fcntl(own, F_SETLK, &lock) == 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv(self, argv);
		_exit(99);
	}
	CHECK(read(out[0], &c, 1) == 1);
	seen = lock;
	CHECK(fcntl(fd, F_GETLK, &seen) == 0 && seen.l_type == F_UNLCK);
	CHECK(write(in[1], "x", 1) == 1 && wait(&status) > 0 && status == 0);
	unlink(name);
	close(fd);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static int waiting(void)
{
	char c = 'r';

	CHECK(write(1, &c, 1) == 1 && read(0, &c, 1) == 1);
	return abi_result();
}

/* A robust lock in shared memory is given up by its owner's exec; a segment is detached. */
static void shared_things(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600), status;
	char *argv[] = { (char *)"x", (char *)"leave", NULL };
	pthread_mutex_t *m = shmat(id, NULL, 0);
	pthread_mutexattr_t attr;
	struct shmid_ds ds;

	MUST(m != (void *)-1);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	CHECK(pthread_mutex_init(m, &attr) == 0);
	fflush(stdout);
	if (!fork()) {
		pthread_mutex_lock(m);
		execv(self, argv);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 1);
	shmctl(id, IPC_RMID, NULL);
	shmdt(m);
}

/* Programs in a row in one process, each with an environment and memory of its own. */
static int row(int left)
{
	char number[16], *argv[] = { (char *)"x", (char *)"row", number, NULL };
	char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED && !p[5 * PAGE]);
	memset(p, 1, 64 * PAGE);
	if (!left)
		return abi_result();
	snprintf(number, sizeof(number), "%d", left - 1);
	execv(self, argv);
	return 99;
}

static void rows(void)
{
	int status;

	fflush(stdout);
	if (!fork())
		_exit(row(ROW));
	CHECK(wait(&status) > 0 && status == 0);
}

/* What a program maps is the file as it is then, whatever the one before it had read of it. */
static int contents(const char *path, const char *want)
{
	int fd = open(path, O_RDONLY);
	const char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED && p[0] == want[0] && p[PAGE] == want[1] && p[2 * PAGE + 5] == want[2]);
	return abi_result();
}

static void contents_ask(const char *path, const char *want)
{
	char *argv[] = { (char *)"x", (char *)"contents", (char *)path, (char *)want, NULL };
	int status;

	fflush(stdout);
	if (!fork()) {
		execv(self, argv);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
}

static void contents_change(void)
{
	char path[] = "/tmp/abi-contents-XXXXXX", other[] = "/tmp/abi-contents-XXXXXX";
	int fd = mkstemp(path), second = mkstemp(other);
	char *p, *q;

	MUST(fd >= 0 && second >= 0 && !ftruncate(fd, 3 * PAGE) && !ftruncate(second, 3 * PAGE));
	CHECK(pwrite(fd, "a", 1, 0) == 1 && pwrite(fd, "b", 1, PAGE) == 1 && pwrite(fd, "c", 1, 2 * PAGE + 5) == 1);
	close(fd);
	fd = open(path, O_RDWR);
	p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	q = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	MUST(p != MAP_FAILED && q != MAP_FAILED);
	CHECK(p[0] == 'a' && p[PAGE] == 'b' && p[2 * PAGE + 5] == 'c');
	q[0] = q[PAGE] = 'q';
	contents_ask(path, "abc");
	CHECK(mprotect(q, 3 * PAGE, PROT_READ) == 0);
	contents_ask(path, "abc");
	usleep(20000); /* older kernels' file times tell no moments that are closer */
	CHECK(pwrite(fd, "X", 1, PAGE) == 1);
	contents_ask(path, "aXc");
	CHECK(pwrite(second, "1", 1, 0) == 1 && pwrite(second, "2", 1, PAGE) == 1);
	CHECK(pwrite(second, "3", 1, 2 * PAGE + 5) == 1 && rename(other, path) == 0);
	contents_ask(path, "123");
	unlink(path);
	munmap(p, 3 * PAGE);
	munmap(q, 3 * PAGE);
	close(fd);
	close(second);
}

static void script_make(char *path, const char *interpreter)
{
	char line[128];
	int fd = mkstemp(path);

	snprintf(line, sizeof(line), "#!%s\n", interpreter);
	CHECK(fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fchmod(fd, 0755) == 0);
	close(fd);
}

/* Scripts whose interpreters are scripts: five in a row, not six. */
static void scripts(void)
{
	char path[6][32], *argv[] = { (char *)"x", NULL };
	int status;

	for (int i = 0; i < 6; i++) {
		strcpy(path[i], "/tmp/abi-deep-XXXXXX");
		script_make(path[i], i ? path[i - 1] : "/bin/true");
	}
	if (!fork()) {
		execv(path[4], argv);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK_ERR(execv(path[5], argv), ELOOP);
	for (int i = 0; i < 6; i++)
		unlink(path[i]);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	MUST(n > 0);
	if (argc > 1 && !strcmp(argv[1], "next"))
		return next(argv);
	if (argc > 1 && !strcmp(argv[1], "wait"))
		return waiting();
	if (argc > 1 && !strcmp(argv[1], "leave"))
		return 0;
	if (argc > 3 && !strcmp(argv[1], "contents"))
		return contents(argv[2], argv[3]);
	if (argc > 2)
		return row(atoi(argv[2]));
	become(false);
	become(true);
	locks();
	shared_things();
	rows();
	scripts();
	contents_change();
	puts("exec");
	return abi_result();
}
