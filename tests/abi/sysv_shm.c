/* shmget, shmat, shmdt, shmctl: attaching twice and read-only, at an address, in place of others, and their errors. */
#include <sys/ipc.h>
#include <sys/shm.h>
#include "tests/abi/abi.h"

int main(void)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE + 1, IPC_CREAT | 0600);
	struct shmid_ds ds;
	char *p, *q, *at, *hole;

	MUST(id >= 0);
	p = shmat(id, NULL, 0);
	q = shmat(id, NULL, SHM_RDONLY);
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_segsz == 3 * PAGE + 1 && ds.shm_nattch == 2);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0); /* at the last detaching */
	MUST(p != (void *)-1 && q != (void *)-1);
	memset(p, 'v', 4 * PAGE);
	CHECK(q[0] == 'v' && q[4 * PAGE - 1] == 'v');
	CHECK_FAULT(q, ABI_WRITE, SIGSEGV, SEGV_ACCERR);
	abi_press();
	CHECK(p[3 * PAGE] == 'v');
	hole = abi_map(8 * PAGE);
	memset(hole, 'h', 8 * PAGE);
	CHECK_ERR(shmat(id, hole + PAGE, 0), EINVAL); /* something is there */
	CHECK_ERR(shmat(id, hole + PAGE + 1, 0), EINVAL);
	at = shmat(id, hole + PAGE + 1, SHM_REMAP | SHM_RND);
	CHECK(at == hole + PAGE && at[0] == 'v' && hole[0] == 'h' && at[4 * PAGE] == 'h');
	CHECK(munmap(at + PAGE, PAGE) == 0);
	CHECK_ERR(shmdt(at + PAGE), EINVAL);
	CHECK(shmdt(at) == 0); /* what is left of it */
	CHECK_FAULT(at, ABI_READ, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT(at + 3 * PAGE, ABI_READ, SIGSEGV, SEGV_MAPERR);
	CHECK(hole[0] == 'h' && at[4 * PAGE] == 'h');
	CHECK_ERR(shmdt(hole), EINVAL);
	CHECK_ERR(shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK(shmdt(p) == 0 && q[PAGE] == 'v' && shmdt(q) == 0);
	CHECK_ERR(shmdt(q), EINVAL);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL); /* gone with the last */
	CHECK_ERR(shmat(id, NULL, 0), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
	puts("attached");
	return abi_result();
}
