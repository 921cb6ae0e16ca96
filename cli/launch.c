/*
 * Starting the dispatcher: our child, in our process group, with everything as the shell gave it to us. What it needs to
 * know comes in a sealed memfd (ashlar/launch.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/launch.h"
#include "ashlar/relay.h"
#include "cli/run.h"

#define DISPATCHER "../libexec/ashlar/dispatcher"

/* Inherited numbers: a plain duplicate, high, not close-on-exec. */
static int fd_inherit(int fd)
{
	return fcntl(fd, F_DUPFD, fd_high_floor());
}

static int config_fd(const struct launch_config *c)
{
	int fd = fd_high(memfd_create("ashlar-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	if (fd < 0)
		return -1;
	if (write(fd, c, sizeof(*c)) != (ssize_t)sizeof(*c) || lseek(fd, 0, SEEK_SET) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void config_fill(struct launch_config *c, const struct run_options *o, const struct place *p)
{
	memset(c, 0, sizeof(*c));
	c->magic = LAUNCH_MAGIC;
	c->version = LAUNCH_VERSION;
	c->bytes = sizeof(*c);
	c->cap = p->cap;
	c->excache_bytes = p->excache_bytes;
	c->pid = p->pid;
	c->log_level = o->log_level;
	c->flags = LAUNCH_FIRST | (o->kernel_6_1 ? LAUNCH_KERNEL_6_1 : 0u);
	c->storage_wait_s = o->storage_wait_s;
	snprintf(c->fabric, sizeof(c->fabric), "%s", fabric_rack(o->fabric));
	relay_address(p->daemon_addr, c->relay);
	snprintf(c->hook, sizeof(c->hook), "%s", o->hook);
	snprintf(c->daemon, sizeof(c->daemon), "%s", p->daemon_addr);
	snprintf(c->daemon_name, sizeof(c->daemon_name), "%s", p->daemon_name);
}

/* argv of the dispatcher: its name, the descriptor, the program, the program's argv. Freed by nobody: exec follows. */
static char **dispatcher_argv(char *fd_text, char **program)
{
	size_t n = 0;
	char **argv;

	while (program[n])
		n++;
	argv = calloc(n + 4, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[0] = (char *)"dispatcher";
	argv[1] = fd_text;
	argv[2] = program[0];
	memcpy(argv + 3, program, n * sizeof(*argv));
	return argv;
}

/* In the child. */
static void child_exec(const char *path, struct launch_config *c, char **program, int stats_fd, const struct signals *s,
		       pid_t parent)
{
	char fd_text[16];
	char **argv;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* kept across exec; the daemon sees to it too */
	if (getppid() != parent)
		_exit(EXIT_ASHLAR);
	c->stats_fd = fd_inherit(stats_fd);
	fd = fd_inherit(config_fd(c));
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	argv = dispatcher_argv(fd_text, program);
	if (c->stats_fd < 0 || fd < 0 || !argv)
		_exit(cli_error("cannot start the program: %s", cli_why(errno)));
	file_limit_restore();
	sigprocmask(SIG_SETMASK, &s->original, NULL);
	execv(path, argv);
	_exit(cli_error("cannot start the dispatcher %s: %s", path, strerror(errno)));
}

int launch(const char *bin, const struct run_options *o, const struct place *p, const struct signals *s, int stats_fd,
	   pid_t *child)
{
	char path[4096 + sizeof(DISPATCHER)];
	struct launch_config config;
	pid_t parent = getpid();

	snprintf(path, sizeof(path), "%s/%s", bin, DISPATCHER);
	config_fill(&config, o, p);
	*child = fork();
	if (*child < 0)
		return cli_error("cannot start the program: %s", cli_why(errno));
	if (*child == 0)
		child_exec(path, &config, o->program, stats_fd, s, parent);
	return 0;
}
