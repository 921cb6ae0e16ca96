/* Shared memory larger than a tiny ExCache: its pages go and come back, for all processes and calls that see it. */
// also: ofi
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define PAGES 768UL
#define BYTES (PAGES * PAGE)

static unsigned word(unsigned page, unsigned what)
{
	return page * 2654435761u + what;
}

static void fill(char *m, unsigned from, unsigned to, unsigned what)
{
	for (unsigned i = from; i < to; i++)
		*(volatile unsigned *)(m + i * PAGE + i % 1000 * 4) = word(i, what);
}

/* Pages of [from, to) that do not hold it. */
static unsigned wrong(const char *m, unsigned from, unsigned to, unsigned what)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += *(const volatile unsigned *)(m + i * PAGE + i % 1000 * 4) != word(i, what);
	return n;
}

static int child_ends(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void across_forks(char *m, const char *what)
{
	pid_t pid[3];

	fill(m, 0, PAGES, 1);
	for (unsigned k = 0; k < 3; k++) {
		pid[k] = fork();
		if (pid[k])
			continue;
		/* Each a third: first what the parent wrote, then its own */
		if (wrong(m, 0, PAGES, 1) > 2 * PAGES / 3 + 2)
			_exit(1);
		fill(m, k * PAGES / 3, (k + 1) * PAGES / 3, 10 + k);
		_exit(wrong(m, k * PAGES / 3, (k + 1) * PAGES / 3, 10 + k) != 0);
	}
	for (unsigned k = 0; k < 3; k++)
		CHECK(child_ends(pid[k]) == 0);
	for (unsigned k = 0; k < 3; k++)
		CHECK(wrong(m, k * PAGES / 3, (k + 1) * PAGES / 3, 10 + k) == 0);
	printf("%s: three children\n", what);
}

/* A child that is killed amidst its writes leaves the others what they wrote. */
static void killed(char *m)
{
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid)
		for (unsigned i = 0;; i++)
			m[i % PAGES * PAGE + 4000] = (char)i;
	fill(m, 0, PAGES, 3);
	usleep(20000);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	for (unsigned i = 0; i < PAGES; i++)
		m[i * PAGE + 4000] = 1;
	CHECK(wrong(m, 0, PAGES, 3) == 0);
	printf("a child killed\n");
}

static void remapped(char **m)
{
	char *p = mremap(*m, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, *m - 64 * BYTES), *q;

	MUST(p != MAP_FAILED);
	CHECK(wrong(p, 0, PAGES, 3) == 0);
	q = mremap(p, 0, BYTES, MREMAP_MAYMOVE);
	MUST(q != MAP_FAILED);
	fill(q, 0, PAGES, 4);
	CHECK(wrong(p, 0, PAGES, 4) == 0);
	CHECK(!munmap(q + 100 * PAGE, 200 * PAGE));
	fill(p, 0, PAGES, 5);
	CHECK(wrong(q, 0, 100, 5) == 0 && wrong(q, 300, PAGES, 5) == 0);
	CHECK(!munmap(q, 100 * PAGE) && !munmap(q + 300 * PAGE, BYTES - 300 * PAGE));
	CHECK(!mprotect(p, BYTES, PROT_READ) && wrong(p, 0, PAGES, 5) == 0 &&
	      !mprotect(p, BYTES, PROT_READ | PROT_WRITE));
	CHECK(!madvise(p, BYTES, MADV_DONTNEED) && wrong(p, 0, PAGES, 5) == 0);
	CHECK(!madvise(p + 10 * PAGE, 5 * PAGE, MADV_REMOVE) && p[12 * PAGE + 48] == 0 && wrong(p, 15, PAGES, 5) == 0);
	fill(p, 0, PAGES, 6);
	CHECK(wrong(p, 0, PAGES, 6) == 0);
	*m = p;
	printf("moved, doubled, cut\n");
}

/* A word on a page that goes away while somebody waits on it. */
static void woken(char *m)
{
	unsigned *f = (unsigned *)(m + 5 * PAGE);
	pid_t pid;

	*f = 0;
	pid = fork();
	if (!pid) {
		while (*(volatile unsigned *)f == 0)
			syscall(SYS_futex, f, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(7);
	}
	usleep(30000);
	fill(m, 10, PAGES, 8);
	CHECK(wrong(m, 10, PAGES, 8) == 0);
	*(volatile unsigned *)f = 1;
	CHECK(syscall(SYS_futex, f, FUTEX_WAKE, 9, NULL, NULL, 0) >= 0);
	CHECK(child_ends(pid) == 7);
	printf("woken\n");
}

static void by_calls(char *m, int fd)
{
	static unsigned buf[64 * PAGE / 4];
	int out[2], copy = memfd_create("copy", 0);
	off_t off = 7 * (off_t)PAGE;
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *own, byte;

	fill(m, 0, PAGES, 20);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	for (unsigned at = 0; at < PAGES; at += 64) {
		CHECK(read(fd, buf, sizeof(buf)) == sizeof(buf));
		for (unsigned i = 0; i < 64; i++)
			if (buf[i * PAGE / 4 + (at + i) % 1000] != word(at + i, 20))
				CHECK(!"what read gives");
	}
	for (unsigned i = 0; i < 64; i++)
		buf[i * PAGE / 4 + (i + 100) % 1000] = word(i + 100, 21);
	CHECK(pwrite(fd, buf, sizeof(buf), 100 * PAGE) == sizeof(buf));
	CHECK(wrong(m, 0, 100, 20) == 0 && wrong(m, 100, 164, 21) == 0 && wrong(m, 164, PAGES, 20) == 0);
	/* Parts of pages */
	CHECK(pwrite(fd, "x", 1, 300 * PAGE + 4095) == 1 && m[300 * PAGE + 4095] == 'x' && wrong(m, 300, 301, 20) == 0);
	CHECK(pread(fd, &byte, 1, 300 * PAGE + 4095) == 1 && byte == 'x');
	MUST(!pipe(out));
	CHECK(sendfile(out[1], fd, &off, 3000) == 3000 && read(out[0], buf, 3000) == 3000);
	CHECK(buf[7] == word(7, 20) && off == 7 * (off_t)PAGE + 3000);
	CHECK(sendfile(copy, fd, NULL, PAGE) >= 0);
	/* Locks of a program end before what is ours */
	CHECK(!fcntl(fd, F_OFD_SETLK, &all));
	all.l_type = F_UNLCK;
	CHECK(!fcntl(fd, F_OFD_SETLK, &all));
	own = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	MUST(own != MAP_FAILED);
	CHECK(wrong(own, 164, PAGES, 20) == 0);
	fill(own, 200, 300, 22);
	CHECK(wrong(m, 200, 300, 20) == 0 && wrong(own, 200, 300, 22) == 0);
	CHECK(!munmap(own, BYTES));
	CHECK(lseek(fd, 5 * PAGE, SEEK_DATA) == 5 * PAGE && lseek(fd, 0, SEEK_HOLE) == BYTES);
	close(out[0]);
	close(out[1]);
	close(copy);
	printf("read, written, sent\n");
}

static void cut(char *m, int fd)
{
	fill(m, 0, PAGES, 30);
	CHECK(!fallocate(fd, 0, 0, BYTES) && wrong(m, 0, PAGES, 30) == 0);
	CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 400 * PAGE + 100, 9 * PAGE));
	CHECK(m[400 * PAGE + 1600] == 0 && m[404 * PAGE + 4 * 404] == 0 && wrong(m, 0, 400, 30) == 0);
	CHECK(wrong(m, 409, PAGES, 30) == 0);
	CHECK(!ftruncate(fd, 500 * PAGE + 1000) && !ftruncate(fd, BYTES));
	CHECK(wrong(m, 409, 500, 30) == 0 && m[500 * PAGE + 2000] == 0);
	for (unsigned i = 501; i < PAGES; i++)
		CHECK(m[i * PAGE + i % 1000 * 4] == 0);
	fill(m, 0, PAGES, 31);
	CHECK(wrong(m, 0, PAGES, 31) == 0);
	printf("cut and grown\n");
}

static void system_v(void)
{
	int id = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	char *m = shmat(id, NULL, 0), *second;
	struct shmid_ds ds;

	MUST(id >= 0 && m != (void *)-1);
	across_forks(m, "System V");
	CHECK(!shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 1 && ds.shm_segsz == BYTES);
	second = shmat(id, NULL, SHM_RDONLY);
	MUST(second != (void *)-1);
	fill(m, 0, PAGES, 40);
	CHECK(wrong(second, 0, PAGES, 40) == 0);
	CHECK_FAULT(second, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	CHECK(!shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 2);
	CHECK(!shmdt(second) && !shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 1);
	/* Nobody has it attached: it still has its contents */
	CHECK(!shmdt(m) && !shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 0);
	m = shmat(id, NULL, 0);
	MUST(m != (void *)-1);
	CHECK(wrong(m, 0, PAGES, 40) == 0);
	CHECK(!munmap(m, BYTES) && !shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 0);
	m = shmat(id, NULL, 0);
	MUST(m != (void *)-1);
	CHECK(!shmctl(id, IPC_RMID, NULL) && wrong(m, 0, PAGES, 40) == 0);
	fill(m, 0, PAGES, 41);
	CHECK(wrong(m, 0, PAGES, 41) == 0);
	CHECK(!shmdt(m));
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	printf("attached and detached\n");
}

int main(int argc, char **argv)
{
	char name[32], number[16];
	char *m;
	int fd;

	if (argc > 1) { /* the program that exec made of a child */
		m = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[1]), 0);
		if (m == MAP_FAILED || wrong(m, 0, PAGES, 31))
			return 3;
		fill(m, 0, PAGES, 32);
		return 0;
	}
	m = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(m != MAP_FAILED);
	across_forks(m, "anonymous");
	killed(m);
	remapped(&m);
	woken(m);
	CHECK(!munmap(m, BYTES));

	fd = memfd_create("large", 0);
	MUST(fd >= 0 && !ftruncate(fd, BYTES));
	m = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(m != MAP_FAILED);
	across_forks(m, "memfd");
	by_calls(m, fd);
	cut(m, fd);
	snprintf(number, sizeof(number), "%d", fd);
	pid_t pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "shared_large", number, NULL);
		_exit(9);
	}
	CHECK(child_ends(pid) == 0 && wrong(m, 0, PAGES, 32) == 0);
	/* Nobody maps it: the descriptor still has it */
	CHECK(!munmap(m, BYTES));
	m = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	MUST(m != MAP_FAILED);
	CHECK(wrong(m, 0, PAGES, 32) == 0);
	CHECK(!munmap(m, BYTES) && !close(fd));
	printf("exec\n");

	snprintf(name, sizeof(name), "/shared_large.%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0 && !ftruncate(fd, BYTES));
	m = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(m != MAP_FAILED);
	across_forks(m, "named");
	close(fd);
	fd = shm_open(name, O_RDWR, 0);
	by_calls(m, fd);
	CHECK(!shm_unlink(name) && !munmap(m, BYTES));
	system_v();
	return abi_result();
}
