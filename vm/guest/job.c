/* Programs that the agent runs: their start, what goes in and out of them, their end. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pcomponent/daemon/start.h"
#include "vm/guest/agent.h"

#define EXIT_AGENT 125
#define EXIT_NO_EXEC 126
#define EXIT_NOT_FOUND 127

void job_init(struct job *j)
{
	memset(j, 0, sizeof(*j));
	j->pidfd = j->fd[0] = j->fd[1] = j->fd[2] = -1;
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void job_end(struct job *j)
{
	if (j->pid && !j->ended) {
		kill(-j->pid, SIGKILL); /* its session's first group */
		kill(j->pid, SIGKILL);
		waitpid(j->pid, NULL, 0);
	}
	fd_close(&j->pidfd);
	for (int i = 0; i < 3; i++)
		fd_close(&j->fd[i]);
	free(j->words);
	job_init(j);
}

int job_words(struct job *j, const void *words, uint32_t bytes)
{
	if (j->pid || bytes > START_WORDS_MAX - j->n_words)
		return -EPROTO;
	if (!j->words)
		j->words = malloc(START_WORDS_MAX);
	if (!j->words)
		return -ENOMEM;
	memcpy(j->words + j->n_words, words, bytes);
	j->n_words += bytes;
	return 0;
}

/* ---- start ---- */

struct plan {
	const struct vm_start *start;
	char **argv, **envp;
	const char *cwd;
	int fd[3]; /* the program's ends */
};

/* Pointers to the words, which must be as many as announced, each ended. */
static int words_split(const struct job *j, const struct vm_start *s, struct plan *plan)
{
	uint64_t n = 0, want = (uint64_t)s->req.argc + s->req.envc + 1;
	uint32_t at = 0;

	if (!s->req.argc || !j->n_words || j->words[j->n_words - 1] || want > j->n_words)
		return -EPROTO;
	plan->argv = calloc(want + 2, sizeof(char *));
	if (!plan->argv)
		return -ENOMEM;
	plan->envp = plan->argv + s->req.argc + 1;
	for (; at < j->n_words; at += (uint32_t)strlen(j->words + at) + 1, n++) {
		if (n < s->req.argc)
			plan->argv[n] = j->words + at;
		else if (n < want - 1)
			plan->envp[n - s->req.argc] = j->words + at;
		else if (n == want - 1)
			plan->cwd = j->words + at;
	}
	return n == want ? 0 : -EPROTO;
}

/* The folder and those above it. What fails shows when it is entered. */
static void folder_make(const char *path)
{
	char part[4096];

	for (const char *at = path; *at && (size_t)(at - path) < sizeof(part) - 1;) {
		at += strspn(at, "/");
		at += strcspn(at, "/");
		snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
		mkdir(part, 0755);
	}
}

static void child(const struct plan *plan) __attribute__((noreturn));
static void child(const struct plan *plan)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, ign = { .sa_handler = SIG_IGN };
	const struct vm_start *s = plan->start;
	int err;

	setsid();
	for (int i = 0; i < 3; i++)
		if (dup2(plan->fd[i], i) < 0)
			_exit(EXIT_AGENT);
	close_range(3, ~0U, 0);
	if (s->req.flags & START_TERMINAL)
		(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	for (int sig = 1; sig <= 64; sig++)
		sigaction(sig, s->req.signals_ignored >> (sig - 1) & 1 ? &ign : &dfl, NULL);
	if (s->flags & VM_START_FOLDER)
		folder_make(plan->cwd);
	umask(s->req.umask & 0777);
	if ((s->uid || s->gid) &&
	    (setgroups(0, NULL) || setresgid(s->gid, s->gid, s->gid) || setresuid(s->uid, s->uid, s->uid))) {
		dprintf(STDERR_FILENO, "ashlar: cannot become user %u: %s\n", s->uid, strerror(errno));
		_exit(EXIT_AGENT);
	}
	if (chdir(plan->cwd)) {
		dprintf(STDERR_FILENO, "ashlar: %s: %s\n", plan->cwd, strerror(errno));
		_exit(EXIT_AGENT);
	}
	execvpe(plan->argv[0], plan->argv, plan->envp);
	err = errno;
	dprintf(STDERR_FILENO, "ashlar: %s: %s\n", plan->argv[0], strerror(err));
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC);
}

static int pipe_make(int *ours, int *theirs, bool to_program)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	*ours = fd[to_program];
	*theirs = fd[!to_program];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

static int streams_make(struct job *j, struct plan *plan)
{
	const struct d2p_start_req *req = &plan->start->req;
	int err;

	j->terminal = req->flags & START_TERMINAL;
	if (!j->terminal) {
		err = pipe_make(&j->fd[0], &plan->fd[0], true);
		err = err ? err : pipe_make(&j->fd[1], &plan->fd[1], false);
		return err ? err : pipe_make(&j->fd[2], &plan->fd[2], false);
	}
	err = pty_open(req, &j->fd[1], &plan->fd[0]);
	if (err)
		return err;
	j->fd[0] = fcntl(j->fd[1], F_DUPFD_CLOEXEC, 0);
	plan->fd[1] = fcntl(plan->fd[0], F_DUPFD_CLOEXEC, 0);
	if (j->fd[0] < 0 || plan->fd[1] < 0 || fchown(plan->fd[0], plan->start->uid, plan->start->gid))
		return -errno;
	if (req->flags & START_STDERR)
		return pipe_make(&j->fd[2], &plan->fd[2], false);
	plan->fd[2] = fcntl(plan->fd[0], F_DUPFD_CLOEXEC, 0);
	return plan->fd[2] < 0 ? -errno : 0;
}

static int fork_child(struct job *j, const struct plan *plan)
{
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		if (j->fd[i] >= 0)
			err = agent_watch(j->fd[i]);
	if (err)
		return err;
	j->pid = fork();
	if (j->pid == 0)
		child(plan);
	if (j->pid < 0) {
		j->pid = 0;
		return -errno;
	}
	j->pidfd = pidfd_open(j->pid, 0);
	return j->pidfd < 0 ? -errno : agent_watch(j->pidfd);
}

int job_start(struct job *j, const struct vm_start *s)
{
	struct plan plan = { .start = s, .fd = { -1, -1, -1 } };
	int err = words_split(j, s, &plan);

	if (!err)
		err = streams_make(j, &plan);
	if (!err)
		err = fork_child(j, &plan);
	for (int i = 0; i < 3; i++)
		fd_close(&plan.fd[i]);
	free(plan.argv);
	if (err)
		job_end(j);
	free(j->words);
	j->words = NULL;
	j->n_words = 0;
	return err;
}

/* ---- while it runs ---- */

int job_input(struct job *j, const void *data, uint32_t bytes)
{
	j->in.n -= j->in.done;
	memmove(j->in.data, j->in.data + j->in.done, j->in.n);
	j->in.done = 0;
	if (!j->pid || bytes > sizeof(j->in.data) - j->in.n || j->in.end)
		return -EPROTO;
	memcpy(j->in.data + j->in.n, data, bytes);
	j->in.n += bytes;
	j->in.end = bytes == 0;
	return 0;
}

void job_signal(struct job *j, uint32_t number)
{
	if (!j->pid || j->ended || !number || number > 64)
		return;
	if (kill(-j->pid, (int)number)) /* it is no group yet */
		kill(j->pid, (int)number);
}

void job_window(struct job *j, const struct window *w)
{
	if (j->terminal && j->fd[1] >= 0)
		pty_window(j->fd[1], w);
}

static void taken_tell(struct port *p, uint32_t bytes)
{
	struct vm_number taken = { bytes };

	port_send(p, VM_TAKEN, &taken, sizeof(taken));
}

/* What is left of stdin goes nowhere: nobody reads it any more. */
static bool input_drop(struct port *p)
{
	struct job *j = &p->job;
	uint32_t left = j->in.n - j->in.done;

	fd_close(&j->fd[0]);
	j->in.n = j->in.done = 0;
	if (left)
		taken_tell(p, left);
	return left;
}

static bool input_step(struct port *p)
{
	struct job *j = &p->job;
	ssize_t n;

	if (!port_room(p) || (j->in.n == 0 && !j->in.end))
		return false;
	if (j->fd[0] < 0)
		return input_drop(p);
	if (j->in.done == j->in.n) {
		char eof = 4;

		/* A terminal's end of input is a character, and only where lines are read. */
		if (j->terminal && write(j->fd[0], &eof, 1) < 0)
			return false;
		fd_close(&j->fd[0]);
		return true;
	}
	n = write(j->fd[0], j->in.data + j->in.done, j->in.n - j->in.done);
	if (n < 0)
		return errno == EAGAIN ? false : input_drop(p);
	j->in.done += (uint32_t)n;
	taken_tell(p, (uint32_t)n);
	if (j->in.done == j->in.n)
		j->in.done = j->in.n = 0;
	return true;
}

static bool output_step(struct port *p, int i)
{
	struct job *j = &p->job;
	char data[VM_PAYLOAD_MAX];
	ssize_t n;

	if (j->fd[i] < 0 || !port_room(p))
		return false;
	n = read(j->fd[i], data, sizeof(data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) { /* a terminal says EIO when the last has gone */
		fd_close(&j->fd[i]);
		return true;
	}
	port_send(p, i == 1 ? VM_OUTPUT : VM_ERRORS, data, (uint32_t)n);
	return true;
}

static bool end_step(struct port *p)
{
	struct job *j = &p->job;
	struct vm_number ended;

	if (!j->ended && waitpid(j->pid, &j->wait_status, WNOHANG) == j->pid) {
		j->ended = true;
		fd_close(&j->pidfd);
		return true;
	}
	if (!j->ended || j->told || j->fd[1] >= 0 || j->fd[2] >= 0 || !port_room(p))
		return false;
	ended.value = (uint32_t)j->wait_status;
	port_send(p, VM_ENDED, &ended, sizeof(ended));
	j->told = true;
	return true;
}

bool job_step(struct port *p)
{
	bool went_on;

	if (!p->job.pid)
		return false;
	went_on = input_step(p);
	went_on |= output_step(p, 1);
	went_on |= output_step(p, 2);
	went_on |= end_step(p);
	return went_on;
}
