/*
 * A command inside a machine as if it were here: stdin, stdout, stderr, terminal, signals and exit status. One loop, in
 * which nothing waits: so signals are always heard, and the end of a machine is told at once.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/terminal.h"
#include "vm/host/host.h"
#include "vm/wire.h"

#define OPEN_MS 30000
#define MACHINE_FIRST_MS 2000
#define WRITE_MAX 4096u /* a pipe that is ready has room for so much */

struct attached {
	const struct standing *rack;
	const struct plan *plan;
	const struct vm_node *node;
	struct signals *signals;
	struct session session;
	bool terminal, started, over;
	int status;
	struct {
		uint32_t outstanding; /* bytes that the agent has not said to be taken */
		bool ended, paused;
	} in;
	struct {
		int fd; /* of ours; -1: nobody reads it any more */
		uint32_t n, done;
		char data[VM_PAYLOAD_MAX];
	} out;
	struct pollfd machine[VM_NODES_MAX]; /* pidfds */
};

static void finish(struct attached *a, int status)
{
	if (!a->over)
		a->status = status;
	a->over = true;
}

/* ---- what comes ---- */

static void frame_take(struct attached *a, const struct vm_frame *f, const char *payload)
{
	struct vm_number number = { 0 };

	if (f->type == VM_OUTPUT || f->type == VM_ERRORS) {
		a->out.fd = f->type == VM_OUTPUT ? STDOUT_FILENO : STDERR_FILENO;
		memcpy(a->out.data, payload, f->bytes);
		a->out.n = f->bytes;
		a->out.done = 0;
		return;
	}
	if (f->bytes != sizeof(number)) {
		finish(a, cli_error("the agent of %s breaks the rules", a->node->name));
		return;
	}
	memcpy(&number, payload, sizeof(number));
	if (f->type == VM_STARTED && number.value) {
		finish(a, cli_error("%s cannot start the command: %s", a->node->name, strerror((int)number.value)));
	} else if (f->type == VM_STARTED) {
		a->started = true;
		if (a->terminal)
			terminal_raw();
	} else if (f->type == VM_TAKEN && number.value <= a->in.outstanding) {
		a->in.outstanding -= number.value;
	} else if (f->type == VM_ENDED) {
		int status = (int)number.value;

		finish(a, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	} else {
		finish(a, cli_error("the agent of %s breaks the rules", a->node->name));
	}
}

/* Frames as long as what they bring is written. */
static void frames_take(struct attached *a)
{
	const char *payload;
	struct vm_frame f;
	int ret = 0;

	while (!a->over && a->out.done == a->out.n && (ret = session_frame(&a->session, &f, &payload)) > 0)
		frame_take(a, &f, payload);
	if (ret < 0)
		finish(a, cli_error("the agent of %s breaks the rules", a->node->name));
}

static void out_write(struct attached *a)
{
	uint32_t left = a->out.n - a->out.done;
	ssize_t n = write(a->out.fd, a->out.data + a->out.done, left < WRITE_MAX ? left : WRITE_MAX);

	if (n > 0)
		a->out.done += (uint32_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		a->out.done = a->out.n; /* nobody reads it; a program that reads from a pipe of ours ends by itself */
}

/* ---- what goes ---- */

static void number_send(struct attached *a, uint32_t type, uint32_t value)
{
	struct vm_number number = { value };

	session_send(&a->session, type, &number, sizeof(number));
}

static bool in_wanted(const struct attached *a)
{
	return a->started && !a->in.ended && !a->in.paused && a->in.outstanding + VM_PAYLOAD_MAX <= VM_WINDOW_BYTES;
}

static void in_read(struct attached *a)
{
	char data[VM_PAYLOAD_MAX];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0 && errno == EIO && isatty(STDIN_FILENO)) {
		a->in.paused = true; /* a background job: until it is in the foreground again */
		return;
	}
	n = n > 0 ? n : 0;
	a->in.ended = n == 0;
	a->in.outstanding += (uint32_t)n;
	session_send(&a->session, VM_INPUT, data, (uint32_t)n);
}

static void window_send(struct attached *a)
{
	struct window w;

	terminal_window(&w);
	session_send(&a->session, VM_WINDOW, &w, sizeof(w));
}

/* The shell wants its terminal: we stop; the command goes on until what it writes has no room any more. */
static void stop(struct attached *a, int number)
{
	terminal_restore();
	signals_stop_like(number);
	if (a->terminal && a->started)
		terminal_raw();
	window_send(a);
	a->in.paused = false;
}

static void signals_look(struct attached *a)
{
	struct signal_seen seen;

	while (!a->over && signals_take(a->signals, &seen)) {
		int number = seen.number;

		if (number == SIGCHLD || (number == SIGPIPE && seen.terminal))
			continue; /* SIGPIPE: of our own writing */
		if (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
			stop(a, number);
		else if (number == SIGWINCH)
			window_send(a);
		else
			number_send(a, VM_SIGNAL, (uint32_t)number);
	}
}

/* ---- machines that end ---- */

static void machines_open(struct attached *a)
{
	for (unsigned i = 0; i < a->plan->n; i++)
		a->machine[i] = (struct pollfd){ .fd = pid_file_open(a->rack, a->plan->node[i].name),
						 .events = POLLIN };
}

static void machines_look(struct attached *a)
{
	for (unsigned i = 0; i < a->plan->n; i++) {
		const struct vm_node *node = &a->plan->node[i];

		if (a->machine[i].fd < 0 || !a->machine[i].revents)
			continue;
		close(a->machine[i].fd);
		a->machine[i].fd = -1;
		terminal_restore();
		cli_error("the machine of %s (%s) has ended; its console ends:", node->name, vm_kind_names[node->kind]);
		console_tail(a->rack, node->name);
		if (a->terminal && a->started)
			terminal_raw();
	}
}

static void machines_close(struct attached *a)
{
	for (unsigned i = 0; i < a->plan->n; i++)
		if (a->machine[i].fd >= 0)
			close(a->machine[i].fd);
}

/* ---- the loop ---- */

static void once(struct attached *a)
{
	struct pollfd fds[VM_NODES_MAX + 4];
	nfds_t n = a->plan->n;
	bool writing = a->out.done < a->out.n;
	int err = 0;

	memcpy(fds, a->machine, n * sizeof(fds[0]));
	fds[n] = (struct pollfd){ .fd = a->signals->fd, .events = POLLIN };
	fds[n + 1] = (struct pollfd){ .fd = writing && !a->session.n_tx ? -1 : a->session.fd,
				      .events = (short)((writing ? 0 : POLLIN) | (a->session.n_tx ? POLLOUT : 0)) };
	fds[n + 2] = (struct pollfd){ .fd = writing ? a->out.fd : -1, .events = POLLOUT };
	fds[n + 3] = (struct pollfd){ .fd = in_wanted(a) ? STDIN_FILENO : -1, .events = POLLIN };
	if (poll(fds, n + 4, -1) < 0)
		return;
	for (unsigned i = 0; i < a->plan->n; i++)
		a->machine[i].revents = fds[i].revents;
	machines_look(a);
	if (fds[n].revents)
		signals_look(a);
	if (fds[n + 2].revents)
		out_write(a);
	if (fds[n + 3].revents)
		in_read(a);
	if (fds[n + 1].revents && !writing)
		err = session_fill(&a->session);
	frames_take(a);
	if (!err)
		err = session_flush(&a->session);
	if (err && !a->over) {
		poll(a->machine, a->plan->n, MACHINE_FIRST_MS); /* that it has ended explains the rest */
		machines_look(a);
		finish(a, cli_error("the machine of %s is gone, and with it what ran there", a->node->name));
	}
}

int attach(const struct standing *rack, const struct plan *plan, const struct vm_node *node,
	   const struct session_start *start, struct signals *signals)
{
	static struct attached a;
	int err;

	a = (struct attached){ .rack = rack, .plan = plan, .node = node, .signals = signals };
	a.terminal = start->terminal && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	signals_open_door(signals); /* nothing runs yet: Ctrl-C ends us */
	err = session_open(&a.session, rack, node->name, OPEN_MS);
	signals_close_door();
	if (err == -EBUSY)
		return cli_error("%u commands run on %s already: no more can", VM_PORTS, node->name);
	if (err)
		return cli_error("%s does not answer: %s", node->name, strerror(-err));
	err = session_start(&a.session, start);
	if (err) {
		session_close(&a.session);
		return cli_error("the command cannot be sent to %s: %s", node->name, strerror(-err));
	}
	machines_open(&a);
	while (!a.over)
		once(&a);
	machines_close(&a);
	terminal_restore();
	session_close(&a.session);
	return a.status;
}
