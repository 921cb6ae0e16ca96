/*
 * A private rack: the components as processes of this machine, all started at once, each in a session of its own so that
 * the terminal's signals do not reach it. They end with us, however we end: each holds one end of a pipe whose other end
 * only we have (--lifeline), and the kernel sends it SIGKILL when we are gone. All addresses are abstract, so no file is
 * left either.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/component.h"
#include "cli/run.h"

#define READY_MS 10000 /* a part that is not at work after this does not answer */
#define DOWN_MS 2000   /* a part that does not end by itself within this is killed */
#define ARGS_MAX 24
#define LIFELINE_FD 3 /* numbers inside the part */
#define READY_FD 4

struct part_args {
	const char *argv[ARGS_MAX];
	unsigned n;
};

static void arg_add(struct part_args *a, const char *option, const char *value)
{
	a->argv[a->n++] = option;
	if (value)
		a->argv[a->n++] = value;
	a->argv[a->n] = NULL;
}

static uint64_t machine_bytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 1UL << 30 : (uint64_t)info.totalram * info.mem_unit;
}

static struct rack_part *part_add(struct private_rack *r, const char *binary, const char *letter, unsigned number)
{
	struct rack_part *part = &r->part[r->n++];

	part->binary = binary;
	if (letter)
		snprintf(part->name, sizeof(part->name), "%s%u", letter, number);
	else
		snprintf(part->name, sizeof(part->name), "%s", binary);
	part->ready_fd = -1;
	return part;
}

static bool is(const struct rack_part *part, const char *binary)
{
	return strcmp(part->binary, binary) == 0;
}

/* A pipe, close-on-exec, out of the way of the program's low numbers. */
static int pipe_high(int ends[2], int flags)
{
	if (pipe2(ends, O_CLOEXEC | flags))
		return -1;
	ends[0] = fd_high(ends[0]);
	ends[1] = fd_high(ends[1]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	if (ends[0] >= 0)
		close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	errno = EMFILE;
	return -1;
}

/* In the child: descriptors 0 to 4 and no others, a session of its own, and death with the parent. */
static void part_settle(pid_t parent, int lifeline, int ready)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(EXIT_ASHLAR);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		dup2(null, STDERR_FILENO);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(lifeline, LIFELINE_FD);
	dup2(ready, READY_FD);
	close_range(READY_FD + 1, ~0U, 0);
	if (chdir("/"))
		_exit(EXIT_ASHLAR);
}

static int part_exec(struct private_rack *r, struct rack_part *part, const struct part_args *args, int lifeline,
		     int ready, const struct signals *s)
{
	char path[sizeof(r->bin) + NAME_BYTES];
	pid_t parent = getpid();
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", r->bin, part->binary);
	if (access(path, X_OK))
		return cli_error("cannot start %s: %s: %s", part->name, path, strerror(errno));
	pid = fork();
	if (pid < 0)
		return cli_error("cannot start %s: %s", part->name, cli_why(errno));
	if (pid == 0) {
		part_settle(parent, lifeline, ready);
		sigprocmask(SIG_SETMASK, &s->original, NULL);
		execv(path, (char *const *)args->argv);
		cli_error("cannot start %s: %s: %s", part->name, path, strerror(errno));
		_exit(EXIT_ASHLAR);
	}
	part->pid = pid;
	return 0;
}

static int part_start(struct private_rack *r, struct rack_part *part, const struct run_options *o, int lifeline,
		      const struct signals *s)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	struct part_args a = { 0 };
	uint64_t bytes = 0;
	char size[24];
	int ready[2];
	int err;

	arg_add(&a, part->binary, NULL);
	if (is(part, "gmm")) {
		if (r->gmm[0])
			arg_add(&a, "--listen", r->gmm);
	} else {
		arg_add(&a, "--gmm", r->gmm);
		arg_add(&a, "--name", part->name);
	}
	if (is(part, "pcomponent")) {
		arg_add(&a, "--node", r->node);
		if (fabric_rack(o->fabric) != o->fabric)
			arg_add(&a, "--relay", NULL);
	}
	if (is(part, "scomponent"))
		arg_add(&a, "--root", o->root);
	if (is(part, "mcomponent"))
		bytes = o->memory_bytes ? o->memory_bytes : machine_bytes() / 2 / o->memories;
	if (is(part, "pcomponent") && o->excache_bytes > machine_bytes() / 2)
		bytes = o->excache_bytes; /* more than its default, as the user wants it */
	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	if (bytes)
		arg_add(&a, is(part, "mcomponent") ? "--size" : "--excache", size);
	arg_add(&a, "--fabric", fabric_rack(o->fabric));
	/* Emulated links lie between the dispatcher and these; the gmm and the node daemon are not on a program's path. */
	if (o->hook[0] && (is(part, "mcomponent") || is(part, "scomponent")))
		arg_add(&a, "--hook", o->hook);
	arg_add(&a, "--log", levels[o->rack_log_level]);
	arg_add(&a, "--lifeline", "3");
	arg_add(&a, "--ready-fd", "4");

	if (pipe_high(ready, O_NONBLOCK))
		return cli_error("cannot start %s: %s", part->name, cli_why(errno));
	part->ready_fd = ready[0];
	err = part_exec(r, part, &a, lifeline, ready[1], s);
	close(ready[1]);
	return err;
}

/* The gmm has told where it listens, on a fabric where it chooses: all others need to know. */
static int gmm_heard(struct private_rack *r, const char *line, size_t len)
{
	static const char word[] = "ready ";
	size_t skip = sizeof(word) - 1;

	if (len <= skip + 1 || memcmp(line, word, skip) != 0 || line[len - 1] != '\n' || len - skip > sizeof(r->gmm))
		return cli_error("the gmm does not tell where it listens");
	memcpy(r->gmm, line + skip, len - skip - 1);
	r->gmm[len - skip - 1] = 0;
	return 0;
}

/* A part has said that it is ready, or will never say it: 0, 1 (not yet), EXIT_ASHLAR. */
static int part_heard(struct private_rack *r, struct rack_part *part)
{
	char line[ADDR_BYTES + 16];
	ssize_t n = read(part->ready_fd, line, sizeof(line));
	int status;

	if (n < 0 && errno == EAGAIN)
		return 1;
	close(part->ready_fd);
	part->ready_fd = -1;
	if (n > 0) {
		part->ready = true;
		return is(part, "gmm") && !r->gmm[0] ? gmm_heard(r, line, (size_t)n) : 0;
	}
	waitpid(part->pid, &status, 0);
	part->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_FABRIC)
		return EXIT_ASHLAR; /* it has said so */
	if (WIFSIGNALED(status))
		return cli_error("%s (%s) did not start: killed by signal %d", part->binary, part->name,
				 WTERMSIG(status));
	return cli_error("%s (%s) did not start: exit status %d", part->binary, part->name, WEXITSTATUS(status));
}

static int parts_hear(struct private_rack *r, unsigned n, unsigned *left)
{
	*left = 0;
	for (unsigned i = 0; i < n; i++) {
		int ret = r->part[i].ready ? 0 : part_heard(r, &r->part[i]);

		if (ret > 1)
			return ret;
		*left += (unsigned)ret;
	}
	return 0;
}

static int parts_late(const struct private_rack *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!r->part[i].ready)
			return cli_error("%s (%s) does not answer; given up after %d s", r->part[i].binary,
					 r->part[i].name, READY_MS / 1000);
	return EXIT_ASHLAR;
}

/* Until the first n parts are at work. */
static int parts_wait_ready(struct private_rack *r, unsigned n, struct signals *s)
{
	uint64_t deadline = clock_ns() + READY_MS * NS_PER_MS;
	struct pollfd fds[RACK_PARTS_MAX + 1];
	unsigned left;
	int err;

	for (;;) {
		uint64_t now = clock_ns();
		nfds_t n_fds = 0;

		err = parts_hear(r, n, &left);
		if (err || left == 0)
			return err;
		if (now >= deadline)
			return parts_late(r, n);
		err = signals_ending(s);
		if (err)
			return 128 + err;
		fds[n_fds++] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
		for (unsigned i = 0; i < n; i++)
			if (!r->part[i].ready)
				fds[n_fds++] = (struct pollfd){ .fd = r->part[i].ready_fd, .events = POLLIN };
		poll(fds, n_fds, (int)((deadline - now) / NS_PER_MS) + 1);
	}
}

/* All at once, but that the gmm must have told its address where it chose it. */
static int parts_start(struct private_rack *r, const struct run_options *o, struct signals *s)
{
	int lifeline[2];
	int err = 0;

	if (pipe_high(lifeline, 0))
		return cli_error("cannot start a rack: %s", cli_why(errno));
	r->lifeline_fd = lifeline[1];
	for (unsigned i = 0; i < r->n && !err; i++) {
		err = part_start(r, &r->part[i], o, lifeline[0], s);
		if (!err && !r->gmm[0])
			err = parts_wait_ready(r, 1, s);
	}
	close(lifeline[0]);
	return err;
}

static void rack_plan(struct private_rack *r, uint32_t memories, const char *fabric)
{
	unsigned long long random[2] = { 0, 0 };

	r->n = 0;
	part_add(r, "gmm", NULL, 0);
	part_add(r, "scomponent", "s", 0);
	for (unsigned i = 0; i < memories; i++)
		part_add(r, "mcomponent", "m", i);
	part_add(r, "pcomponent", "p", 0);
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random[0] = clock_ns();
	snprintf(r->node, sizeof(r->node), "local:@ashlar-%d-%016llx%016llx-p0", (int)getpid(), random[0], random[1]);
	r->gmm[0] = 0;
	if (strcmp(fabric, "local") == 0)
		snprintf(r->gmm, sizeof(r->gmm), "local:@ashlar-%d-%016llx%016llx", (int)getpid(), random[0],
			 random[1]);
}

int private_rack_up(struct private_rack *r, const struct run_options *o, struct signals *s)
{
	struct run_options here = *o;
	char *root = realpath(o->root, NULL);
	int err;

	r->lifeline_fd = -1;
	if (!root)
		return cli_error("cannot export %s: %s", o->root, strerror(errno));
	here.root = root;
	rack_plan(r, o->memories, fabric_rack(o->fabric));
	err = parts_start(r, &here, s);
	if (!err)
		err = parts_wait_ready(r, r->n, s);
	free(root);
	return err;
}

static unsigned parts_reap(struct private_rack *r)
{
	unsigned left = 0;

	for (unsigned i = 0; i < r->n; i++) {
		struct rack_part *part = &r->part[i];

		if (part->pid > 0 && waitpid(part->pid, NULL, WNOHANG) == part->pid)
			part->pid = 0;
		left += part->pid > 0;
	}
	return left;
}

void private_rack_down(struct private_rack *r)
{
	uint64_t deadline = clock_ns() + DOWN_MS * NS_PER_MS;
	sigset_t child;

	if (r->lifeline_fd >= 0)
		close(r->lifeline_fd);
	r->lifeline_fd = -1;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD); /* blocked since signals_open */
	while (parts_reap(r)) {
		uint64_t now = clock_ns();
		struct timespec wait = { 0, 0 };

		if (now >= deadline)
			break;
		wait.tv_sec = (time_t)((deadline - now) / NS_PER_S);
		wait.tv_nsec = (long)((deadline - now) % NS_PER_S);
		sigtimedwait(&child, NULL, &wait);
	}
	for (unsigned i = 0; i < r->n; i++) {
		struct rack_part *part = &r->part[i];

		if (part->ready_fd >= 0)
			close(part->ready_fd);
		part->ready_fd = -1;
		if (part->pid <= 0)
			continue;
		kill(-part->pid, SIGKILL); /* a session and group of its own */
		kill(part->pid, SIGKILL);
		waitpid(part->pid, NULL, 0);
		part->pid = 0;
	}
}

const struct rack_part *private_rack_ended(struct private_rack *r, int *status)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct rack_part *part = &r->part[i];

		if (part->pid > 0 && waitpid(part->pid, status, WNOHANG) == part->pid) {
			part->pid = 0;
			return part;
		}
	}
	return NULL;
}
