/* Shared memory over fork and between generations: anonymous, memfd, POSIX, System V. */
#include <fcntl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include "tests/abi/abi.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 8

static char *kinds[4];
static int id;

static char *posix(void)
{
	char name[64];
	int fd;
	char *p;

	snprintf(name, sizeof(name), "/abi-fork-shared-%d", getpid());
	fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	MUST(fd >= 0 && shm_unlink(name) == 0 && ftruncate(fd, PAGES * PAGE) == 0);
	p = mmap(NULL, PAGES * PAGE, RW, MAP_SHARED, fd, 0);
	close(fd);
	return p;
}

/* Each process adds one to each page of each kind, first its children, then itself */
static void generation(int left)
{
	int status;
	pid_t pid;

	for (int n = 0; left && n < 2; n++) {
		pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			generation(left - 1);
			_exit(abi_result());
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	for (int k = 0; k < 4; k++)
		for (int i = 0; i < PAGES; i++)
			kinds[k][i * PAGE]++;
}

int main(void)
{
	int mem = memfd_create("abi", 0);
	struct shmid_ds ds;

	MUST(mem >= 0 && ftruncate(mem, PAGES * PAGE) == 0);
	kinds[0] = mmap(NULL, PAGES * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	kinds[1] = mmap(NULL, PAGES * PAGE, RW, MAP_SHARED, mem, 0);
	kinds[2] = posix();
	id = shmget(IPC_PRIVATE, PAGES * PAGE, IPC_CREAT | 0600);
	kinds[3] = shmat(id, NULL, 0);
	for (int k = 0; k < 4; k++)
		MUST(kinds[k] != MAP_FAILED);
	generation(2);
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 1);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	abi_press();
	for (int k = 0; k < 4; k++)
		for (int i = 0; i < PAGES; i++)
			CHECK(kinds[k][i * PAGE] == 7);
	printf("%d %d %d %d\n", kinds[0][0], kinds[1][PAGE], kinds[2][2 * PAGE], kinds[3][3 * PAGE]);
	return abi_result();
}
