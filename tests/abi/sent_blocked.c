// also: 6.1
/* SIGSEGV, SIGBUS and SIGSYS that are sent: blocked they wait, like all others. */
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tests/abi/abi.h"

static const int sigs[] = { SIGSEGV, SIGBUS, SIGSYS };
static volatile sig_atomic_t count, last, code, value;

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	count++;
	last = sig;
	code = info->si_code;
	value = info->si_value.sival_int;
}

static bool waits(int sig)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, sig);
}

static void change(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(how, &set, NULL);
}

static void handled(int sig)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(sig, &act, NULL);
	count = 0;
}

static void waiting_and_delivered(int sig)
{
	handled(sig);
	change(SIG_BLOCK, sig);
	CHECK(kill(getpid(), sig) == 0);
	CHECK(count == 0 && waits(sig));
	CHECK(kill(getpid(), sig) == 0); /* dropped: one waits */
	abi_press();
	CHECK(count == 0 && waits(sig));
	change(SIG_UNBLOCK, sig);
	CHECK(count == 1 && last == sig && code == SI_USER);
	CHECK(!waits(sig));
	/* one for the process and one for the thread */
	change(SIG_BLOCK, sig);
	kill(getpid(), sig);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), sig);
	CHECK(count == 1);
	change(SIG_UNBLOCK, sig);
	CHECK(count == 3);
}

static void ignored(int sig)
{
	struct timespec ts = { 0, 20000000 };

	handled(sig);
	change(SIG_BLOCK, sig);
	raise(sig);
	CHECK(waits(sig));
	signal(sig, SIG_IGN);
	CHECK(!waits(sig));
	raise(sig);
	CHECK(waits(sig)); /* blocked: it may yet be wanted */
	handled(sig);
	CHECK(waits(sig));
	change(SIG_UNBLOCK, sig);
	CHECK(count == 1);
	signal(sig, SIG_IGN);
	raise(sig);
	CHECK(!waits(sig));
	CHECK(nanosleep(&ts, NULL) == 0);
}

static void taken(int sig)
{
	struct timespec ts = { 0, 50000000 };
	struct signalfd_siginfo fi;
	struct pollfd p;
	siginfo_t info;
	sigset_t set;
	int fd;

	handled(sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(sigqueue(getpid(), sig, (union sigval){ .sival_int = 4711 }) == 0);
	CHECK(sigtimedwait(&set, &info, &ts) == sig && info.si_code == SI_QUEUE && info.si_value.sival_int == 4711);
	CHECK(!waits(sig));
	CHECK_ERR(sigtimedwait(&set, &info, &ts), EAGAIN);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK(poll(&p, 1, 0) == 0);
	CHECK_ERR(read(fd, &fi, sizeof(fi)), EAGAIN);
	raise(sig);
	CHECK(poll(&p, 1, 0) == 1);
	CHECK(waits(sig));
	CHECK(read(fd, &fi, sizeof(fi)) == sizeof(fi) && (int)fi.ssi_signo == sig && fi.ssi_code == SI_TKILL);
	CHECK(poll(&p, 1, 0) == 0 && !waits(sig));
	close(fd);
	CHECK(count == 0);
	/* sigsuspend lets in what it does not block */
	raise(sig);
	sigfillset(&set);
	sigdelset(&set, sig);
	CHECK_ERR(sigsuspend(&set), EINTR);
	CHECK(count == 1);
	change(SIG_UNBLOCK, sig);
	CHECK(count == 1);
}

static void sleeping(int sig)
{
	timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig, .sigev_value.sival_int = 77 };
	struct itimerspec it = { .it_value.tv_nsec = 20000000 };
	struct timespec ts = { 0, 60000000 }, left = { 0, 0 };

	handled(sig);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	change(SIG_BLOCK, sig);
	CHECK(timer_settime(timer, 0, &it, NULL) == 0);
	CHECK(nanosleep(&ts, &left) == 0); /* not disturbed */
	CHECK(count == 0 && waits(sig));
	change(SIG_UNBLOCK, sig);
	CHECK(count == 1 && code == SI_TIMER && value == 77);
	CHECK(timer_settime(timer, 0, &it, NULL) == 0);
	CHECK_ERR(nanosleep(&ts, &left), EINTR);
	CHECK(count == 2 && (left.tv_nsec || left.tv_sec) && left.tv_nsec < 60000000);
	timer_delete(timer);
}

static void spinning(int sig)
{
	struct timespec from, now;
	timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig };
	struct itimerspec it = { .it_value.tv_nsec = 5000000, .it_interval.tv_nsec = 500000 };
	volatile unsigned long spins = 0;

	handled(sig);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	CHECK(timer_settime(timer, 0, &it, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	while (count < 200) { /* without a call: it must come by itself */
		spins++;
		if (spins % 100000000 == 0) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			if (now.tv_sec > from.tv_sec + 20)
				break;
		}
	}
	CHECK(count >= 200);
	while (count < 400)
		getppid(); /* in the midst of calls */
	timer_delete(timer);
}

int main(void)
{
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		waiting_and_delivered(sigs[i]);
		ignored(sigs[i]);
		taken(sigs[i]);
		sleeping(sigs[i]);
		spinning(sigs[i]);
		printf("%d as any other\n", sigs[i]);
	}
	return abi_result();
}
