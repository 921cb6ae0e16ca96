/* System V semaphores and messages, POSIX queues: values, waits, undo, notification, errors, across a fork. */
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include "tests/abi/abi.h"

static char *far; /* not resident when it matters */
static volatile int signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600), status;
	unsigned short *v = (unsigned short *)far;
	struct sembuf *op = (struct sembuf *)(far + 100);
	struct timespec ts = { .tv_nsec = 20000000 };
	struct semid_ds ds;
	pid_t pid;

	MUST(id >= 0);
	v[0] = 1;
	v[1] = 2;
	v[2] = 30000;
	abi_press();
	CHECK(semctl(id, 0, SETALL, v) == 0);
	memset(v, 0, 6);
	abi_press();
	CHECK(semctl(id, 0, GETALL, v) == 0 && v[0] == 1 && v[1] == 2 && v[2] == 30000);
	CHECK(semctl(id, 0, SETVAL, 0) == 0 && semctl(id, 0, GETVAL) == 0);
	CHECK(semctl(id, 0, IPC_STAT, &ds) == 0 && ds.sem_nsems == 3);
	op[0] = (struct sembuf){ 1, -2, 0 };
	op[1] = (struct sembuf){ 2, 1, 0 };
	abi_press();
	CHECK(semop(id, op, 2) == 0 && semctl(id, 1, GETVAL) == 0 && semctl(id, 2, GETVAL) == 30001);
	op[0] = (struct sembuf){ 0, -1, IPC_NOWAIT };
	CHECK_ERR(semop(id, op, 1), EAGAIN);
	op[0].sem_flg = 0;
	CHECK_ERR(semtimedop(id, op, 1, &ts), EAGAIN);
	CHECK_ERR(semop(id, (void *)8, 1), EFAULT);
	CHECK_ERR(semop(id, op, 0), EINVAL);
	CHECK_ERR(semctl(id, 0, SETVAL, 40000), ERANGE);
	pid = fork();
	if (!pid) { /* its undo gives back what it took */
		op[0] = (struct sembuf){ 2, -10000, SEM_UNDO };
		op[1] = (struct sembuf){ 0, 1, 0 };
		_exit(semop(id, op, 2) ? 1 : 0);
	}
	CHECK(semop(id, op, 1) == 0); /* it waits for the child */
	CHECK(waitpid(pid, &status, 0) == pid && status == 0 && semctl(id, 2, GETVAL) == 30001);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	CHECK_ERR(semop(id, op, 1), EINVAL);
}

static void messages(void)
{
	struct {
		long type;
		char text[5000];
	} *m = (void *)far;
	int id = msgget(IPC_PRIVATE, 0600), status;
	struct msqid_ds ds;
	pid_t pid;

	MUST(id >= 0);
	m->type = 7;
	strcpy(m->text, "seven");
	strcpy(m->text + 4000, "far");
	abi_press();
	CHECK(msgsnd(id, m, 5000, 0) == 0);
	m->type = 9;
	strcpy(m->text, "nine");
	CHECK(msgsnd(id, m, 5, 0) == 0);
	CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 2);
	abi_press();
	CHECK(msgrcv(id, m, 5000, 9, 0) == 5 && m->type == 9 && !strcmp(m->text, "nine"));
	CHECK_ERR(msgrcv(id, m, 100, 7, 0), E2BIG);
	CHECK_ERR(msgrcv(id, m, 5000, 9, IPC_NOWAIT), ENOMSG);
	CHECK(msgrcv(id, m, 1UL << 40, 0, 0) == 5000 && m->type == 7 && !strcmp(m->text + 4000, "far"));
	m->type = 0;
	CHECK_ERR(msgsnd(id, m, 5, 0), EINVAL);
	CHECK_ERR(msgsnd(id, m, 1UL << 40, 0), EINVAL);
	CHECK_ERR(msgsnd(id, (void *)8, 5, 0), EFAULT);
	CHECK_ERR(msgrcv(id, m, (size_t)-1, 0, 0), EINVAL);
	pid = fork();
	if (!pid) {
		m->type = 3;
		abi_press();
		_exit(msgsnd(id, m, 100, 0) ? 1 : 0);
	}
	CHECK(msgrcv(id, m, 5000, -5, 0) == 100 && m->type == 3);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERR(msgsnd(id, m, 5, 0), EINVAL);
}

static void queues(void)
{
	struct mq_attr attr = { .mq_maxmsg = 5, .mq_msgsize = 100 }, now;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct timespec soon;
	char name[40];
	unsigned prio;
	mqd_t q;

	snprintf(name, sizeof(name), "/abi-queue-%d", (int)getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (q == (mqd_t)-1 && errno == ENOSYS)
		return;
	MUST(q != (mqd_t)-1);
	CHECK(mq_unlink(name) == 0);
	CHECK_ERR(mq_open(name, O_RDWR), ENOENT);
	signal(SIGUSR1, on_signal);
	CHECK(mq_notify(q, &ev) == 0);
	strcpy(far, "low");
	abi_press();
	CHECK(mq_send(q, far, 4, 1) == 0 && signals == 1);
	strcpy(far, "high");
	CHECK(mq_send(q, far, 5, 8) == 0);
	CHECK(mq_getattr(q, &now) == 0 && now.mq_curmsgs == 2 && now.mq_msgsize == 100);
	abi_press();
	CHECK(mq_receive(q, far, PAGE, &prio) == 5 && prio == 8 && !strcmp(far, "high"));
	CHECK(mq_receive(q, far, 100, NULL) == 4 && !strcmp(far, "low"));
	CHECK_ERR(mq_receive(q, far, 99, NULL), EMSGSIZE);
	clock_gettime(CLOCK_REALTIME, &soon);
	CHECK_ERR(mq_timedreceive(q, far, 100, NULL, &soon), ETIMEDOUT);
	attr.mq_flags = O_NONBLOCK;
	CHECK(mq_setattr(q, &attr, &now) == 0 && now.mq_flags == 0);
	CHECK_ERR(mq_receive(q, far, 100, NULL), EAGAIN);
	CHECK(mq_close(q) == 0);
}

int main(void)
{
	far = abi_map(4 * PAGE);
	semaphores();
	messages();
	queues();
	puts("passed on");
	return abi_result();
}
