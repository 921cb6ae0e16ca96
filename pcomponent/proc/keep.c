/* See keep.h. The keeper is the dispatcher's program once more, executed in a process of its own. */
#include "pcomponent/proc/keep.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pcomponent/keep/wire.h"
#include "pcomponent/proc/exec.h"
#include "pcomponent/proc/fork.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/message.h"
#include "pcomponent/sys/sys.h"

#define HOST_SELF "/proc/self/exe"
#define SPAWN_STACK_BYTES (64UL << 10)

/* The one that answers to the name, if it is the user's own. */
static int find(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, KEEP_NAME_FORMAT, join_launch()->pid,
			 join_launch()->daemon);
	int fd = proc_fd_raise(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	struct ucred who;
	socklen_t len = sizeof(who);
	int err;

	if (fd < 0)
		return fd;
	err = connect(fd, (void *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) ? -errno
													    : 0;
	if (!err && (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) ||
		     (who.uid != getuid() && who.uid != geteuid() && who.uid != 0)))
		err = -EACCES;
	if (!err)
		return fd;
	close(fd);
	return err;
}

struct spawn {
	int state, sock, stats; /* what it gets; -1: nothing */
	char **argv;
	char *stack;
};

static void inherit(int fd)
{
	if (fd >= 0)
		host3(SYS_fcntl, fd, F_SETFD, 0);
}

/* Runs in our memory, with descriptors of its own, until it has become the keeper. */
static int spawned(void *arg)
{
	const struct spawn *s = arg;
	int null = (int)host3(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);

	/* No terminal, pipe or folder of the program's is kept open by it */
	host0(SYS_setsid);
	host1(SYS_chdir, "/");
	for (int fd = 0; fd <= 1 && null >= 0; fd++)
		host3(SYS_dup3, null, fd, 0);
	host3(SYS_dup3, message_fd(), 2, 0); /* as every process of the tree has it */
	host3(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	inherit(s->state);
	inherit(s->sock);
	inherit(s->stats);
	host3(SYS_execve, HOST_SELF, s->argv, environ);
	host1(SYS_exit, 125);
	return 0;
}

/* Its parent, which ends at once: exec would make the keeper a child that the program waits for. */
static int between(void *arg)
{
	struct spawn *s = arg;
	int pid = clone(spawned, s->stack + SPAWN_STACK_BYTES / 2, CLONE_VM | CLONE_VFORK, s);

	host1(SYS_exit, pid < 0 ? 1 : 0);
	return 0;
}

/* No signal when that one ends, and no wait of the program's finds it: it has made no such child. */
static int spawn(struct spawn *s)
{
	int pid, status = 0;

	s->stack = mmap(NULL, SPAWN_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->stack == MAP_FAILED)
		return -ENOMEM;
	pid = clone(between, s->stack + SPAWN_STACK_BYTES, CLONE_VM | CLONE_VFORK, s);
	if (pid > 0)
		(void)host4(SYS_wait4, pid, &status, __WALL, 0);
	(void)munmap(s->stack, SPAWN_STACK_BYTES);
	return pid < 0 || status ? -EAGAIN : 0;
}

static int state_write(const struct member *m, int fd)
{
	struct exec_state state = { .magic = EXEC_MAGIC };
	int err = join_save(m, LAUNCH_KEEPER, fd);

	proc_limits(&state.limits);
	if (!err && write(fd, &state, sizeof(state)) != sizeof(state))
		err = -EIO;
	lseek(fd, 0, SEEK_SET);
	return err;
}

/* Our end of its first connection. */
static int start(struct thread *t)
{
	char number[16], sock[16];
	char *argv[] = { (char *)"ashlar-keeper", number, (char *)"-", sock, NULL };
	struct spawn s = { .stats = join_launch()->stats_fd, .argv = argv };
	struct member m;
	int pair[2], err = (int)member_new(t, MEMBER_FORK, &m);

	if (err)
		return err;
	s.state = proc_fd_raise(memfd_create("ashlar-keeper", MFD_CLOEXEC));
	err = s.state < 0 ? s.state : state_write(&m, s.state);
	if (!err && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		err = -errno;
	if (!err) {
		pair[0] = proc_fd_raise(pair[0]);
		s.sock = proc_fd_raise(pair[1]);
		snprintf(number, sizeof(number), "%d", s.state);
		snprintf(sock, sizeof(sock), "%d", s.sock);
		err = pair[0] < 0 || s.sock < 0 ? -EMFILE : spawn(&s);
		if (s.sock >= 0)
			close(s.sock);
		if (err && pair[0] >= 0)
			close(pair[0]);
	}
	if (s.state >= 0)
		close(s.state);
	if (!err)
		return pair[0];
	member_drop(&m);
	return err;
}

int keep_connect(struct thread *t)
{
	int fd = find();

	return fd == -ECONNREFUSED && t ? start(t) : fd;
}
