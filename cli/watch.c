/*
 * From the start of the program to its end, and that of all processes that it made: signals are passed on, a stop is shared with the shell, and the rack is
 * watched. What ends unexpectedly is named in one line: the program goes on where it can, and ends where its processor
 * component is gone.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/rpc.h"
#include "cli/left.h"

#define DAEMON_FIRST_MS 20

struct watching {
	pid_t child;
	struct signals *signals;
	struct private_rack *rack;
	struct place *place;
	struct ending *ending;
	bool gmm_lost, daemon_lost, ended;
	uint64_t begin_ns;
};

static void child_ended(struct watching *w, int status, const struct rusage *use)
{
	w->ended = true;
	w->ending->wall_ns = clock_ns() - w->begin_ns;
	w->ending->cpu_ns = (uint64_t)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) * NS_PER_S +
			    (uint64_t)(use->ru_utime.tv_usec + use->ru_stime.tv_usec) * 1000;
	w->ending->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (w->daemon_lost)
		w->ending->exit_status = EXIT_ASHLAR;
}

static void child_look(struct watching *w)
{
	struct rusage use;
	int status;

	while (!w->ended && wait4(w->child, &status, WNOHANG | WUNTRACED | WCONTINUED, &use) == w->child) {
		if (WIFSTOPPED(status))
			signals_stop_like(WSTOPSIG(status)); /* the SIGCONT that ends it is passed on as any signal */
		else if (!WIFCONTINUED(status))
			child_ended(w, status, &use);
	}
}

/* The daemon answers for the process; without it nobody would release what it has. */
static void daemon_gone(struct watching *w, const char *how)
{
	if (w->daemon_lost)
		return;
	w->daemon_lost = true;
	cli_error("pcomponent %s %s; the program ends with it", w->place->daemon_name, how);
	kill(w->child, SIGKILL);
}

static void gmm_gone(struct watching *w, const char *how)
{
	if (w->gmm_lost)
		return;
	w->gmm_lost = true;
	cli_error("the gmm at %s %s; the program goes on", w->place->gmm_addr, how);
}

static void rack_look(struct watching *w)
{
	const struct rack_part *part;
	int status;

	while ((part = private_rack_ended(w->rack, &status))) {
		if (strcmp(part->binary, "pcomponent") == 0)
			daemon_gone(w, "ended");
		else if (strcmp(part->binary, "gmm") == 0)
			gmm_gone(w, "ended");
		else
			cli_error("%s %s ended unexpectedly (%s %d)", part->binary, part->name,
				  WIFSIGNALED(status) ? "signal" : "exit status",
				  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
}

static void signals_look(struct watching *w)
{
	struct signal_seen seen;

	while (!w->ended && signals_take(w->signals, &seen)) {
		if (seen.number == SIGCHLD)
			continue; /* children are looked at anyway */
		if (!seen.terminal)
			kill(w->child, seen.number);
	}
}

static void watch_once(struct watching *w)
{
	struct pollfd fds[3];
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ .fd = w->signals->fd, .events = POLLIN };
	/* Only their end counts; nothing is read here. A lost one would be reported for ever, so it is left out. */
	fds[n++] = (struct pollfd){ .fd = w->gmm_lost ? -1 : net_conn_fd(rpc_conn(w->place->gmm)),
				    .events = POLLRDHUP };
	fds[n++] = (struct pollfd){ .fd = w->daemon_lost ? -1 : net_conn_fd(rpc_conn(w->place->daemon)),
				    .events = POLLRDHUP };
	if (poll(fds, n, -1) < 0)
		return;
	signals_look(w);
	child_look(w); /* first: that the program ended explains the rest */
	if (w->ended)
		return;
	rack_look(w);
	left_reap(w->rack, w->child);
	/* Where the gmm is reached by the daemon's relay it seems gone with the daemon: that alone is the news. */
	if (fds[1].revents && w->place->net != w->place->node)
		poll(&fds[2], 1, DAEMON_FIRST_MS);
	if (fds[2].revents)
		daemon_gone(w, "is gone");
	if (fds[1].revents && w->daemon_lost && w->place->net != w->place->node)
		w->gmm_lost = true;
	if (fds[1].revents)
		gmm_gone(w, "is gone");
}

void watch(pid_t child, struct signals *signals, struct private_rack *rack, struct place *place, struct ending *ending)
{
	struct watching w = {
		.child = child,
		.signals = signals,
		.rack = rack,
		.place = place,
		.ending = ending,
		.begin_ns = clock_ns(),
	};

	while (!w.ended)
		watch_once(&w);
	left_wait(rack, signals, place);
}
