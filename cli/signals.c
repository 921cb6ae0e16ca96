/*
 * Signals of the command. It shares the foreground process group with the program, so what the terminal sends (Ctrl-C,
 * Ctrl-Z, hang-up, window size) reaches both: the command takes it and leaves the rest to the program. What somebody
 * sends to the command alone is passed on. All of them are blocked and read from a descriptor; dispositions stay as they
 * were inherited, and so does what the program inherits.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "cli/run.h"

static void taken_set(sigset_t *set)
{
	/* Not these: they are about us, or cannot be taken. */
	static const int ours[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGKILL, SIGSTOP };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigdelset(set, ours[i]);
}

int signals_open(struct signals *s)
{
	sigset_t set;

	taken_set(&set);
	sigprocmask(SIG_BLOCK, &set, &s->original);
	s->fd = fd_high(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	return s->fd < 0 ? cli_error("cannot watch signals: %s", cli_why(errno)) : 0;
}

bool signals_take(struct signals *s, struct signal_seen *seen)
{
	struct signalfd_siginfo info;

	if (read(s->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return false;
	seen->number = (int)info.ssi_signo;
	seen->terminal = info.ssi_code == SI_KERNEL || (pid_t)info.ssi_pid == getpid();
	return true;
}

bool signal_ends(int number)
{
	struct sigaction action;

	if (number != SIGINT && number != SIGTERM && number != SIGHUP && number != SIGQUIT)
		return false;
	return sigaction(number, NULL, &action) || action.sa_handler != SIG_IGN;
}

int signals_ending(struct signals *s)
{
	struct signal_seen seen;

	while (signals_take(s, &seen))
		if (signal_ends(seen.number))
			return seen.number;
	return 0;
}

void signals_open_door(const struct signals *s)
{
	sigprocmask(SIG_SETMASK, &s->original, NULL);
}

void signals_close_door(void)
{
	sigset_t set;

	taken_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void signals_stop_like(int stop_signal)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, old;
	sigset_t one;

	if (stop_signal == SIGSTOP) {
		raise(SIGSTOP);
		return;
	}
	/* The same signal, so that the shell shows why; the terminal's own copy, if it waits still, merges with it. */
	sigemptyset(&one);
	sigaddset(&one, stop_signal);
	sigaction(stop_signal, &action, &old);
	raise(stop_signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL); /* stops here */
	sigprocmask(SIG_BLOCK, &one, NULL);
	sigaction(stop_signal, &old, NULL);
}
