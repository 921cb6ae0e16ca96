/*
 * Becoming the program: what the child of the daemon does between fork and exec, and what must be known before. The
 * daemon has one thread, and all descriptors of its own are close-on-exec; the child closes what else there may be.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ashlar/launch.h"
#include "pcomponent/daemon/start.h"

#define EXIT_FAILED 125
#define GROUPS_MAX 65536u

/* The numbers behind a key of /proc/PID/status, at most max; how many. */
static size_t numbers(const char *text, const char *key, unsigned long *out, size_t max)
{
	const char *at = strstr(text, key);
	size_t n = 0;
	char *end;

	for (at = at ? at + strlen(key) : ""; n < max && *at && *at != '\n'; at = end) {
		out[n] = strtoul(at, &end, 10);
		if (end == at)
			break;
		n++;
		while (*end == ' ' || *end == '\t')
			end++;
	}
	return n;
}

static char *status_read(int32_t host_pid)
{
	const size_t max = 1 << 20;
	char path[64], *text = malloc(max);
	size_t n = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", host_pid);
	fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	while (fd >= 0 && n < max - 1 && (got = read(fd, text + n, max - 1 - n)) > 0)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	if (!text || !n) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	return text;
}

/*
 * Only root has to take on another user's groups. They are those of the process that connected; should its number be
 * another's by now, that one must be the same user's through and through.
 */
int exec_user(struct dexec *e)
{
	unsigned long uid[4], gid[4], *groups;
	char *text;
	int err = 0;

	if (!e->user.known)
		return -EOPNOTSUPP;
	if (geteuid() != 0)
		return e->user.uid == geteuid() ? 0 : -EPERM;
	text = status_read(e->user.host_pid);
	groups = malloc(GROUPS_MAX * sizeof(*groups));
	e->groups = malloc(GROUPS_MAX * sizeof(*e->groups));
	if (!text || !groups || !e->groups)
		err = -ESRCH;
	if (!err && (numbers(text, "\nUid:\t", uid, 4) != 4 || numbers(text, "\nGid:\t", gid, 4) != 4))
		err = -ESRCH;
	for (unsigned i = 0; !err && i < 4; i++)
		if (uid[i] != e->user.uid || gid[i] != e->user.gid)
			err = -EPERM;
	if (!err)
		e->n_groups = numbers(text, "\nGroups:\t", groups, GROUPS_MAX);
	for (size_t i = 0; !err && i < e->n_groups; i++)
		e->groups[i] = (gid_t)groups[i];
	free(groups);
	free(text);
	return err;
}

/* ---- in the child ---- */

static void die(const char *what) __attribute__((noreturn));
static void die(const char *what)
{
	dprintf(STDERR_FILENO, "ashlar: the program cannot be started: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILED);
}

/* The limits of the user's own process; where we may not give as much, as much as we have. */
static void limits_take(const struct dexec *e)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit theirs, ours;

		if (prlimit(e->user.host_pid, (enum __rlimit_resource)i, NULL, &theirs) ||
		    getrlimit((enum __rlimit_resource)i, &ours))
			continue; /* not to be seen: ours */
		if (geteuid() != 0 && theirs.rlim_max > ours.rlim_max)
			theirs.rlim_max = ours.rlim_max;
		if (theirs.rlim_cur > theirs.rlim_max)
			theirs.rlim_cur = theirs.rlim_max;
		if (setrlimit((enum __rlimit_resource)i, &theirs))
			die("limits");
	}
}

static void user_become(const struct dexec *e)
{
	if (geteuid() != 0)
		return;
	if (setgroups(e->n_groups, e->groups) || setresgid(e->user.gid, e->user.gid, e->user.gid) ||
	    setresuid(e->user.uid, e->user.uid, e->user.uid))
		die("becoming its user");
}

static void signals_take(uint64_t ignored)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, ign = { .sa_handler = SIG_IGN };
	sigset_t none;

	for (int sig = 1; sig <= 64; sig++)
		sigaction(sig, ignored >> (sig - 1) & 1 ? &ign : &dfl, NULL); /* of those that cannot be: nothing */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* 0 to 2 are the program's; the two of the dispatcher's lie where it expects them, and nothing else is open. */
static void descriptors_take(struct dexec *e, int *config_fd)
{
	struct launch_config c;
	struct rlimit r;
	int floor = LAUNCH_FD_MIN, stats_fd;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < 2 * LAUNCH_FD_MIN)
		floor = r.rlim_cur > 128 ? 64 : 16;
	stats_fd = fcntl(e->stats_fd, F_DUPFD, floor);
	*config_fd = fcntl(e->config_fd, F_DUPFD, floor);
	if (stats_fd < 0 || *config_fd < 0)
		die("descriptors");
	if (pread(*config_fd, &c, sizeof(c), 0) != sizeof(c))
		die("launch");
	c.stats_fd = stats_fd;
	if (pwrite(*config_fd, &c, sizeof(c), 0) != sizeof(c) ||
	    fcntl(*config_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		die("launch");
	for (int i = 0; i < 3; i++)
		if (dup2(e->fd[i], i) < 0)
			die("descriptors");
	if (stats_fd > *config_fd) {
		int t = stats_fd;

		stats_fd = *config_fd;
		close_range(3, (unsigned)stats_fd - 1, 0);
		close_range((unsigned)stats_fd + 1, (unsigned)t - 1, 0);
		close_range((unsigned)t + 1, ~0U, 0);
		return;
	}
	close_range(3, (unsigned)stats_fd - 1, 0);
	if (*config_fd > stats_fd + 1)
		close_range((unsigned)stats_fd + 1, (unsigned)*config_fd - 1, 0);
	close_range((unsigned)*config_fd + 1, ~0U, 0);
}

static void child(struct dexec *e, pid_t parent) __attribute__((noreturn));
static void child(struct dexec *e, pid_t parent)
{
	static char number[16];
	int config_fd;

	setsid();
	/* Out of the way of 0 to 2, wherever the daemon has them; stderr first, for what may fail. */
	for (int i = 0; i < 3; i++)
		e->fd[i] = fcntl(e->fd[i], F_DUPFD_CLOEXEC, 10);
	if (dup2(e->fd[2], STDERR_FILENO) < 0)
		_exit(EXIT_FAILED);
	if ((e->req->flags & START_TERMINAL) && ioctl(e->fd[0], TIOCSCTTY, 0))
		die("terminal");
	limits_take(e);
	descriptors_take(e, &config_fd);
	user_become(e);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change of user, which clears it */
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	if (chdir(e->cwd))
		die(e->cwd);
	umask(e->req->umask & 0777);
	signals_take(e->req->signals_ignored);
	snprintf(number, sizeof(number), "%d", config_fd);
	e->argv[1] = number;
	execve(e->dispatcher, e->argv, e->envp);
	die(e->dispatcher);
}

/* A signal that the command sends at once waits until the child has dispositions of its own: ours are for the daemon. */
pid_t exec_start(struct dexec *e)
{
	pid_t parent = getpid(), pid;
	sigset_t all, old;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child(e, parent);
	err = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid < 0 ? -err : pid;
}
