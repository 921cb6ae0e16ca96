/*
 * Starting a part of a standing rack: a session of its own, no terminal, no descriptor but its log, and a pipe on which
 * it says that it is at work. It writes its own pid file before it becomes the part, so that there is no moment at which
 * it runs and nobody knows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "cli/standing.h"

#define READY_MS 20000u /* more than a component tries to join its gmm */
#define READY_FD 3	/* number inside the part */
#define ARGS_MAX 32

struct args {
	const char *argv[ARGS_MAX];
	unsigned n;
	char size[24], log[PATH_MAX];
};

static void add(struct args *a, const char *option, const char *value)
{
	if (!*value)
		return;
	a->argv[a->n++] = option;
	a->argv[a->n++] = value;
}

static uint64_t memory_default(const struct rack_file *f)
{
	uint64_t n = 0;
	struct sysinfo info;

	for (unsigned i = 0; i < f->n_components; i++)
		n += strcmp(f->component[i].kind, "memory") == 0;
	return sysinfo(&info) ? 1UL << 30 : (uint64_t)info.totalram * info.mem_unit / 2 / (n ? n : 1);
}

static void args_component(struct args *a, const struct rack_file *f, const struct rack_component *c)
{
	bool memory = strcmp(c->kind, "memory") == 0;
	uint64_t bytes = memory && !c->bytes ? memory_default(f) : c->bytes;

	add(a, "--gmm", f->gmm);
	add(a, "--name", c->name);
	add(a, "--domain", c->domain);
	if (bytes) {
		snprintf(a->size, sizeof(a->size), "%llu", (unsigned long long)(bytes / PAGE_BYTES * PAGE_BYTES));
		add(a, memory ? "--size" : "--excache", a->size);
	}
	if (strcmp(c->kind, "storage") == 0)
		add(a, "--root", f->root);
	add(a, "--node", c->node);
}

static void args_fill(struct args *a, const struct standing *s, const struct rack_file *f,
		      const struct standing_part *part)
{
	const struct rack_component *c = part->component;
	const char *log = c && *c->log ? c->log : f->log, *hook = c && *c->hook ? c->hook : f->hook;

	a->argv[a->n++] = part->binary;
	if (c)
		args_component(a, f, c);
	else
		add(a, "--place", f->place);
	add(a, "--listen", c ? c->listen : f->gmm); /* a processor component has none */
	add(a, "--fabric", f->fabric);
	add(a, "--log", log);
	add(a, "--hook", hook);
	add(a, "--key", f->key);
	add(a, "--log-file", standing_path(s, part->name, ".log", a->log, sizeof(a->log)));
	add(a, "--ready-fd", "3");
	a->argv[a->n] = NULL;
}

void part_detach(const struct standing *s, const char *part, const char *log_path, const struct signals *signals)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log;

	setsid();
	log = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (null < 0 || log < 0 || pid_file_write(s, part) || chdir("/"))
		_exit(cli_error("cannot start %s: %s", part, strerror(errno)));
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* a shell may have had some ignored */
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	sigprocmask(SIG_SETMASK, &signals->original, NULL);
}

/* In the child. */
static void become(const struct standing *s, const char *path, const struct args *a, const char *name, int ready,
		   const struct signals *signals)
{
	part_detach(s, name, a->log, signals);
	dup2(ready, READY_FD);
	close_range(READY_FD + 1, ~0U, 0);
	execv(path, (char *const *)a->argv);
	_exit(cli_error("cannot start %s: %s: %s", name, path, strerror(errno)));
}

int part_start(const struct standing *s, const struct rack_file *f, const char *bin, struct standing_part *part,
	       const struct signals *signals)
{
	char path[PATH_MAX];
	struct args a = { 0 };
	int ready[2];

	args_fill(&a, s, f, part);
	if (snprintf(path, sizeof(path), "%s/%s", bin, part->binary) >= (int)sizeof(path) || access(path, X_OK))
		return cli_error("cannot start %s: %s: %s", part->name, path, strerror(errno));
	if (pipe2(ready, O_CLOEXEC | O_NONBLOCK))
		return cli_error("cannot start %s: %s", part->name, strerror(errno));
	ready[0] = fd_high(ready[0]); /* not the number that it has in the child */
	ready[1] = fd_high(ready[1]);
	part->pid = fork();
	if (part->pid == 0)
		become(s, path, &a, part->name, ready[1], signals);
	close(ready[1]);
	part->ready_fd = ready[0];
	return part->pid < 0 ? cli_error("cannot start %s: %s", part->name, strerror(errno)) : 0;
}

/* The last lines that the part wrote, on stderr. */
static void log_tail(const struct standing *s, const char *part)
{
	char path[PATH_MAX], text[1024];
	int fd = open(standing_path(s, part, ".log", path, sizeof(path)), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, size > 1023 ? size - 1023 : 0);
	const char *line = text;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	if (size > 1023 && strchr(text, '\n'))
		line = strchr(text, '\n') + 1;
	while (*line) {
		size_t len = strcspn(line, "\n");

		fprintf(stderr, "ashlar:   %.*s\n", (int)len, line);
		line += len + (line[len] != 0);
	}
}

/* It has said something, or will never: 0 at work, 1 not yet, EXIT_ASHLAR. */
static int part_heard(const struct standing *s, struct standing_part *part)
{
	char line[ADDR_BYTES + 16];
	ssize_t n = read(part->ready_fd, line, sizeof(line));
	int status = 0;

	if (n < 0 && errno == EAGAIN)
		return 1;
	close(part->ready_fd);
	part->ready_fd = -1;
	if (n > 0) {
		part->alive = true;
		printf("  %-16s %s\n", part->name, "is at work");
		fflush(stdout);
		return 0;
	}
	waitpid(part->pid, &status, 0);
	part->pid = 0;
	pid_file_remove(s, part->name);
	cli_error("%s (%s) did not start: %s %d; its log ends:", part->name, part->binary,
		  WIFSIGNALED(status) ? "signal" : "exit status",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	log_tail(s, part->name);
	return EXIT_ASHLAR;
}

static int parts_late(const struct standing *s, const struct standing_part *part, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (part[i].ready_fd >= 0) {
			cli_error("%s (%s) does not answer; given up after %u s; its log ends:", part[i].name,
				  part[i].binary, READY_MS / 1000);
			log_tail(s, part[i].name);
		}
	return EXIT_ASHLAR;
}

int parts_wait(const struct standing *s, struct standing_part *part, unsigned n, struct signals *signals)
{
	uint64_t deadline = clock_ns() + READY_MS * NS_PER_MS;
	struct pollfd fds[STANDING_PARTS_MAX + 1];

	for (;;) {
		uint64_t now = clock_ns();
		unsigned waiting = 0;

		for (unsigned i = 0; i < n; i++) {
			int ret = part[i].ready_fd < 0 ? 0 : part_heard(s, &part[i]);

			if (ret > 1)
				return ret;
			if (ret)
				fds[waiting++] = (struct pollfd){ .fd = part[i].ready_fd, .events = POLLIN };
		}
		if (!waiting)
			return 0;
		if (now >= deadline)
			return parts_late(s, part, n);
		int ending = signals_ending(signals);
		if (ending)
			return 128 + ending;
		fds[waiting] = (struct pollfd){ .fd = signals->fd, .events = POLLIN };
		poll(fds, waiting + 1, (int)((deadline - now) / NS_PER_MS) + 1);
	}
}
