/*
 * execve(2) and execveat(2); see exec.h. What Linux would find wrong with the program is found before anything is given up:
 * the file, its permissions, its headers, its interpreter. After that the order is: a new member number from the node
 * daemon, the files set aside for it, execve. Until the host kernel has made it everything can be undone.
 */
#include "pcomponent/excache/excache.h"
#include "pcomponent/proc/counters.h"
#include "pcomponent/proc/exec.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/load/load.h"
#include "pcomponent/proc/calls.h"
#include "pcomponent/proc/exec_here.h"
#include "pcomponent/proc/fork.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/robust.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/proc/vfork.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/vm.h"

#define STRING_MAX (128u << 10) /* as Linux: MAX_ARG_STRLEN */
#define STRINGS_MAX (6u << 20)	/* all of them, with their pointers: as a stack limit of 8 MB and more gives */
#define ARGV_OURS 3		/* name of the process, descriptor, path */
#define COMM_BYTES 16
#define DELETED " (deleted)"
#define HOST_SELF "/proc/self/exe"

/* argv or envp on its way: pointers into text are offsets until all is there. */
struct words {
	char *text;
	size_t bytes, room;
	size_t *at;
	size_t n, at_room;
};

static void words_free(struct words *w)
{
	free(w->text);
	free(w->at);
}

static int word_add(struct words *w, uint64_t addr)
{
	long n;

	if (w->n == w->at_room) {
		size_t *more = realloc(w->at, (w->at_room + 64) * 2 * sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->at = more;
		w->at_room = (w->at_room + 64) * 2;
	}
	if (w->room - w->bytes < STRING_MAX) {
		char *more = realloc(w->text, w->room * 2 + STRING_MAX);

		if (!more)
			return -ENOMEM;
		w->text = more;
		w->room = w->room * 2 + STRING_MAX;
	}
	n = uaccess_str(w->text + w->bytes, addr, STRING_MAX);
	if (n < 0)
		return n == -ENAMETOOLONG ? -E2BIG : (int)n;
	w->at[w->n++] = w->bytes;
	w->bytes += (size_t)n + 1;
	return w->bytes + w->n * sizeof(uint64_t) > STRINGS_MAX ? -E2BIG : 0;
}

/* The list of strings at addr; NULL counts as empty. */
static int words_in(struct words *w, uint64_t addr)
{
	uint64_t p = 0;
	int err = 0;

	for (; addr && !err; addr += sizeof(p)) {
		if (uaccess_in(&p, addr, sizeof(p)))
			return -EFAULT;
		if (!p)
			break;
		err = word_add(w, p);
	}
	return err;
}

/* As execve wants it, with `ours` places free in front; NULL: no memory. */
static char **words_list(const struct words *w, size_t ours)
{
	char **list = calloc(ours + w->n + 1, sizeof(*list));

	for (size_t i = 0; list && i < w->n; i++)
		list[ours + i] = w->text + w->at[i];
	return list;
}

/* ---- the state that passes over ---- */

static int write_all(int fd, const void *p, size_t n)
{
	return write(fd, p, n) == (ssize_t)n ? 0 : -EIO;
}

/* A memfd with all of it, at the front; it is inherited, as is *host (-1: nothing). */
static int state_make(struct thread *t, const struct member *m, const char *path, int *host)
{
	struct exec_state s = {
		.magic = EXEC_MAGIC,
		.mask = signal_mask(t),
		.ignored_virtual = signal_ignored_virtual(),
	};
	bool registered;
	int fd = memfd_create("ashlar-exec", 0), err;
	int high = fd < 0 ? -errno : fcntl(fd, F_DUPFD, proc_fd_floor());

	if (fd >= 0)
		close(fd);
	if (high < 0)
		return -ENOMEM;
	(void)vm_weight(&registered);
	s.thp_disabled = registered;
	proc_limits(&s.limits);
	err = join_save(m, 0, high);
	if (!err)
		err = write_all(high, &s, sizeof(s));
	if (!err)
		err = fs_exec_save(m->id, high, fs_program_number(path), host);
	if (err) {
		close(high);
		return err;
	}
	return high;
}

void exec_state_read(int fd, struct exec_state *s)
{
	if (read(fd, s, sizeof(*s)) != sizeof(*s) || s->magic != EXEC_MAGIC)
		proc_fail(125, "the dispatcher is started by `ashlar run`, not by hand");
}

uint64_t exec_state_take(const struct exec_state *s)
{
	signal_ignore_virtual(s->ignored_virtual);
	if (s->thp_disabled)
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	return s->mask;
}

/* ---- the call ---- */

/* Everything is ready but the member number and the state. Returns on failure only. */
static long become(struct thread *t, char **argv, char **envp)
{
	int stats_fd = join_launch()->stats_fd, fd, host = -1;
	char number[16];
	struct member m;
	long err = member_new(t, MEMBER_EXEC, &m);

	if (err)
		return err;
	/* Should the host kernel fail below, for want of memory, locks are given up that need not have been */
	robust_exit_all(t);
	vm_ends();
	fork_gate_close();
	fd = state_make(t, &m, argv[2], &host);
	err = fd;
	if (fd >= 0) {
		snprintf(number, sizeof(number), "%d", fd);
		argv[1] = number;
		lseek(fd, 0, SEEK_SET);
		if (stats_fd >= 0)
			(void)fcntl(stats_fd, F_SETFD, 0);
		excache_count();
		counters_tell();
		sent_exec(t);
		err = host3(SYS_execve, HOST_SELF, argv, envp);
		sent_exec_failed();
		if (stats_fd >= 0)
			(void)fcntl(stats_fd, F_SETFD, FD_CLOEXEC);
		close(fd);
	}
	if (host >= 0)
		close(host);
	vm_shared_processes(1);
	fork_gate_open();
	member_drop(&m);
	return err;
}

/*
 * name: of the process from then on. fd: whose very file path is, by execveat; -1: none. One that exec closes a script's
 * interpreter could not open.
 */
static long exec(struct thread *t, const char *path, const char *name, int fd, uint64_t argv_at, uint64_t envp_at)
{
	struct words argv = { 0 }, envp = { 0 };
	struct load_found *found = NULL;
	char **a = NULL, **e = NULL;
	long err = words_in(&argv, argv_at);

	if (!err)
		err = words_in(&envp, envp_at);
	if (!err && argv.bytes + envp.bytes + (argv.n + envp.n) * sizeof(uint64_t) > STRINGS_MAX)
		err = -E2BIG;
	if (!err) {
		a = words_list(&argv, ARGV_OURS + !argv.n);
		e = words_list(&envp, 0);
		err = a && e ? 0 : -ENOMEM;
	}
	if (!err) {
		a[0] = (char *)name;
		a[2] = (char *)path;
		if (!argv.n)
			a[ARGV_OURS] = (char *)""; /* as Linux: no program starts without a name */
		err = load_find(path, a + ARGV_OURS, &found);
	}
	if (!err && fd >= 0 && load_is_script(found) && fcntl(fd, F_GETFD) & FD_CLOEXEC)
		err = -ENOENT;
	if (!err) {
		vfork_child_tells();
		if (exec_here_may(t)) {
			exec_here(t, found, name, e);
			found = NULL;
			err = SYS_FRAME_LOADED;
		} else {
			err = become(t, a, e);
		}
	}
	if (found)
		load_drop(found);
	free(a);
	free(e);
	words_free(&argv);
	words_free(&envp);
	return err;
}

static long path_in(char path[4096], uint64_t addr)
{
	long n = uaccess_str(path, addr, 4096);

	return n < 0 ? n : 0;
}

/* The name that Linux gives the process: the last of the path as it was given, not of what links led to. */
static void name_in(char name[COMM_BYTES], const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(name, COMM_BYTES, "%.*s", COMM_BYTES - 1, slash ? slash + 1 : path);
}

/* A file that is given by its descriptor alone has its own. */
static void name_in_fd(char name[COMM_BYTES], int fd)
{
	char link[64], path[4096 + 16];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fs_link_text(fd, path);
	if (n < 0)
		n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	if (n > (ssize_t)sizeof(DELETED) && !strcmp(path + n - (ssize_t)sizeof(DELETED) + 1, DELETED))
		path[n - (ssize_t)sizeof(DELETED) + 1] = 0;
	name_in(name, path);
}

long sys_execve(struct thread *t, const uint64_t a[6])
{
	char *path = sys_scratch(t, 4096), name[COMM_BYTES];
	long err = path ? path_in(path, a[0]) : -ENOMEM;

	if (!err && !*path)
		err = -ENOENT;
	if (err)
		return err;
	name_in(name, path);
	fs_exec_path(path);
	return exec(t, path, name, -1, a[1], a[2]);
}

long sys_execveat(struct thread *t, const uint64_t a[6])
{
	char *path = sys_scratch(t, 4096), *name = sys_scratch(t, 8192), comm[COMM_BYTES];
	int dir = (int)a[0];
	long err = path && name ? path_in(path, a[1]) : -ENOMEM;

	if (err)
		return err;
	if (a[4] & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (!*path && !(a[4] & AT_EMPTY_PATH))
		return -ENOENT;
	if (*path != '/' && dir != AT_FDCWD && (dir < 0 || fd_hidden(dir) || fcntl(dir, F_GETFD) < 0))
		return -EBADF;
	if (*path == '/' || dir == AT_FDCWD)
		snprintf(name, 8192, "%s", path);
	else
		snprintf(name, 8192, "/dev/fd/%d%s%s", dir, *path ? "/" : "", path);
	if (*path)
		name_in(comm, path);
	else
		name_in_fd(comm, dir);
	return exec(t, name, comm, *path ? -1 : dir, a[2], a[3]);
}
