/* SIGSEGV, SIGBUS and SIGSYS that are blocked and sent, read from a signalfd by a thread that is not the first. */
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

static sigset_t set;

static void expect(int fd, const char *what, int sig, int value)
{
	struct signalfd_siginfo s[2];

	CHECK(read(fd, s, sizeof(s)) == sizeof(s[0]));
	CHECK((int)s[0].ssi_signo == sig && (pid_t)s[0].ssi_pid == getpid() && s[0].ssi_uid == getuid());
	CHECK(s[0].ssi_int == value);
	printf("%s: signal %u code %d\n", what, s[0].ssi_signo, s[0].ssi_code);
}

static void *reader(void *arg)
{
	int fd = signalfd(-1, &set, SFD_NONBLOCK);
	struct signalfd_siginfo s;

	(void)arg;
	MUST(fd >= 0);
	for (int i = 0; i < 50; i++)
		CHECK(getppid() > 0);
	syscall(SYS_tgkill, getpid(), gettid(), SIGSEGV);
	abi_press();
	expect(fd, "to the thread", SIGSEGV, 0);
	kill(getpid(), SIGBUS);
	abi_press();
	expect(fd, "to the process", SIGBUS, 0);
	sigqueue(getpid(), SIGSYS, (union sigval){ .sival_int = 77 });
	abi_press();
	expect(fd, "with a value", SIGSYS, 77);
	pthread_sigqueue(pthread_self(), SIGSEGV, (union sigval){ .sival_int = 78 });
	abi_press();
	expect(fd, "with a value to the thread", SIGSEGV, 78);
	CHECK_ERR(read(fd, &s, sizeof(s)), EAGAIN);
	close(fd);
	return NULL;
}

int main(void)
{
	pthread_t t;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGBUS);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	MUST(pthread_create(&t, NULL, reader, NULL) == 0 && pthread_join(t, NULL) == 0);
	return abi_result();
}
