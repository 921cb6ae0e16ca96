/* Descriptor table: see fdtable.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/sys/sys.h"

#define CHUNK 64 /* entries that close_range takes out at a time */

static struct {
	pthread_mutex_t lock;
	struct file **file; /* by number, fd_floor of them */
	int floor;
	int limit; /* the program's RLIMIT_NOFILE, at most floor: no new number at or above it */
	int top;   /* no entry at or above this number */
	int null;  /* what stands in for files; above the floor */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int null_open(int floor)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	table.null = fcntl(fd, F_DUPFD_CLOEXEC, floor);
	close(fd);
	return table.null < 0 ? -errno : 0;
}

int fdtable_open(int floor)
{
	int err = null_open(floor);

	if (err)
		return err;
	table.file = calloc((size_t)floor, sizeof(*table.file));
	if (!table.file)
		return -ENOMEM;
	table.floor = table.limit = floor;
	return 0;
}

void fd_limit(int limit)
{
	__atomic_store_n(&table.limit, limit < table.floor ? limit : table.floor, __ATOMIC_RELAXED);
}

int fd_limit_get(void)
{
	return __atomic_load_n(&table.limit, __ATOMIC_RELAXED);
}

/* As new descriptors may have. Those that are open already stay, whatever the limit becomes. */
static bool within_limit(long fd)
{
	return fd < fd_limit_get();
}

int fd_floor(void)
{
	return table.floor;
}

bool fd_hidden(int fd)
{
	return fd >= table.floor;
}

static bool has_entry(int fd)
{
	return fd >= 0 && fd < table.top && table.file[fd];
}

/* Taken by an open that is under way? Under the lock. */
static bool is_reserved(int fd)
{
	return has_entry(fd) && table.file[fd]->kind == FILE_NONE;
}

/* Put f (its hold taken over) into a slot; what was there. Under the lock. */
static struct file *entry_set(int fd, struct file *f)
{
	struct file *old = table.file[fd];

	table.file[fd] = f;
	if (f && fd >= table.top)
		__atomic_store_n(&table.top, fd + 1, __ATOMIC_RELAXED); /* fd_file looks before it locks */
	return old;
}

struct file *fd_file(int fd)
{
	struct file *f = NULL;

	if (fd < 0 || fd >= __atomic_load_n(&table.top, __ATOMIC_RELAXED))
		return NULL;
	pthread_mutex_lock(&table.lock);
	if (has_entry(fd) && !is_reserved(fd))
		f = file_ref(table.file[fd]);
	pthread_mutex_unlock(&table.lock);
	return f;
}

struct file *fd_remote(int fd)
{
	struct file *f = fd_file(fd);

	if (!f || f->kind == FILE_REMOTE)
		return f;
	file_put(f);
	return NULL;
}

long fd_adopt(long fd)
{
	if (within_limit(fd))
		return fd;
	host1(SYS_close, fd);
	return -EMFILE;
}

static long null_make(void *cloexec)
{
	return host3(SYS_fcntl, table.null, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
}

long fd_install_host(struct file *f, long (*make)(void *arg), void *arg)
{
	struct file *old = NULL;
	long fd;

	pthread_mutex_lock(&table.lock);
	fd = fd_adopt(make(arg));
	if (fd >= 0)
		old = entry_set((int)fd, file_hold(f));
	pthread_mutex_unlock(&table.lock);
	file_drop(old); /* a number that was closed behind our back */
	return fd;
}

static struct file reserved = { .kind = FILE_NONE, .counts = 1 }; /* that one hold stays */

long fd_reserve(bool cloexec)
{
	return fd_install_host(&reserved, null_make, cloexec ? table.file : NULL);
}

void fd_install(int fd, struct file *f)
{
	struct file *old;

	pthread_mutex_lock(&table.lock);
	old = entry_set(fd, file_hold(f));
	pthread_mutex_unlock(&table.lock);
	file_drop(old);
}

void fd_unreserve(int fd)
{
	struct file *old;

	pthread_mutex_lock(&table.lock);
	old = entry_set(fd, NULL);
	host1(SYS_close, fd);
	pthread_mutex_unlock(&table.lock);
	file_drop(old);
}

/* What stood behind a number that was closed or taken over. */
static void closed(struct file *old)
{
	if (!old)
		return;
	if (old->kind == FILE_REMOTE)
		client_locks_leave(old->handle);
	file_drop(old);
}

long fd_close(int fd)
{
	struct file *old = NULL;
	long ret;

	if (fd_hidden(fd))
		return -EBADF;
	pthread_mutex_lock(&table.lock);
	ret = -EBADF;
	if (!is_reserved(fd)) {
		if (has_entry(fd))
			old = entry_set(fd, NULL);
		ret = host1(SYS_close, fd);
	}
	pthread_mutex_unlock(&table.lock);
	closed(old);
	return ret;
}

long fd_dup(int fd, int from, bool cloexec)
{
	struct file *old = NULL;
	long ret;

	if (fd_hidden(fd))
		return -EBADF;
	if (from < 0 || !within_limit(from))
		return -EINVAL;
	pthread_mutex_lock(&table.lock);
	ret = is_reserved(fd) ? -EBADF : fd_adopt(host3(SYS_fcntl, fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, from));
	if (ret >= 0)
		old = entry_set((int)ret, has_entry(fd) ? file_hold(table.file[fd]) : NULL);
	pthread_mutex_unlock(&table.lock);
	closed(old);
	return ret;
}

long fd_dup_to(int fd, int to, int flags)
{
	struct file *old = NULL;
	long ret;

	if (fd_hidden(fd) || to < 0 || !within_limit(to))
		return -EBADF;
	pthread_mutex_lock(&table.lock);
	ret = is_reserved(fd) ? -EBADF : is_reserved(to) ? -EBUSY : host3(SYS_dup3, fd, to, flags);
	if (ret >= 0)
		old = entry_set(to, has_entry(fd) ? file_hold(table.file[fd]) : NULL);
	pthread_mutex_unlock(&table.lock);
	closed(old);
	return ret;
}

/* Close the numbers first..last, at most CHUNK of them; what was behind them goes to old. */
static void close_chunk(unsigned first, unsigned last, struct file *old[CHUNK])
{
	unsigned fd;

	pthread_mutex_lock(&table.lock);
	for (fd = first; fd <= last; fd++) {
		old[fd - first] = NULL;
		if (is_reserved((int)fd))
			continue;
		if (has_entry((int)fd))
			old[fd - first] = entry_set((int)fd, NULL);
		host1(SYS_close, fd);
	}
	pthread_mutex_unlock(&table.lock);
}

long fd_close_range(unsigned first, unsigned last, unsigned flags)
{
	struct file *old[CHUNK];
	unsigned end, i;

	if (flags & ~(unsigned)(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE) || first > last)
		return -EINVAL;
	if (first >= (unsigned)table.floor)
		return 0;
	if (last >= (unsigned)table.floor)
		last = (unsigned)table.floor - 1;
	/* One table for all threads: a copy of one's own (UNSHARE) makes no sense here. */
	if (flags & CLOSE_RANGE_CLOEXEC)
		return host3(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC);
	while (first <= last && first < (unsigned)__atomic_load_n(&table.top, __ATOMIC_RELAXED)) {
		end = last - first < CHUNK ? last : first + CHUNK - 1;
		close_chunk(first, end, old);
		for (i = 0; i <= end - first; i++)
			closed(old[i]);
		first = end + 1;
	}
	return first > last ? 0 : host3(SYS_close_range, first, last, 0);
}

/* ---- fork ---- */

int fd_open_again(int fd)
{
	char link[32];
	int low, high;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	low = open(link, O_RDWR | O_CLOEXEC);
	if (low < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	high = fcntl(low, F_DUPFD_CLOEXEC, table.floor);
	close(low);
	return high < 0 ? -ENFILE : high;
}

int fd_open_own(const struct file *f)
{
	int fd, own = -EBADF; /* closed meanwhile */

	pthread_mutex_lock(&table.lock);
	for (fd = 0; fd < table.top && own == -EBADF; fd++)
		if (table.file[fd] == f)
			own = fd_open_again(fd);
	pthread_mutex_unlock(&table.lock);
	return own;
}

/* Put memfd behind all numbers of f from fd on. */
static void placeholders_set(const struct file *f, int fd, int memfd)
{
	for (; fd < table.top; fd++)
		if (table.file[fd] == f)
			host3(SYS_dup3, memfd, fd, host3(SYS_fcntl, fd, F_GETFD, 0) & FD_CLOEXEC ? O_CLOEXEC : 0);
}

/* fd is the first number of f. Under the lock. */
static int share(struct file *f, int fd)
{
	struct cap token;
	int memfd, err;

	if (f->kind != FILE_REMOTE || file_is_shared(f))
		return 0;
	memfd = file_memfd(&token);
	if (memfd < 0)
		return memfd;
	err = file_share(f, memfd, &token);
	if (!err)
		placeholders_set(f, fd, memfd);
	close(memfd);
	return err;
}

int fdtable_fork(void)
{
	int fd, err = 0;

	pthread_mutex_lock(&table.lock);
	for (fd = 0; fd < table.top && !err; fd++)
		if (table.file[fd] && !(file_flags(table.file[fd]) & O_PATH))
			err = share(table.file[fd], fd);
	if (err)
		pthread_mutex_unlock(&table.lock);
	return err;
}

void fdtable_parent(void)
{
	pthread_mutex_unlock(&table.lock);
}

/* Numbers that opens of other threads had taken are nobody's. */
int fdtable_child(void)
{
	int fd;

	pthread_mutex_init(&table.lock, NULL);
	for (fd = 0; fd < table.top; fd++) {
		if (!is_reserved(fd))
			continue;
		table.file[fd] = NULL;
		host1(SYS_close, fd);
	}
	return null_open(table.floor);
}

/* ---- passing ---- */

/* The first number of f. Under the lock. */
static int first_number(const struct file *f)
{
	int fd = 0;

	while (table.file[fd] != f)
		fd++;
	return fd;
}

int fd_pass(int fd, struct file **out)
{
	int err = 0;

	*out = NULL;
	if (fd_hidden(fd))
		return -EBADF;
	pthread_mutex_lock(&table.lock);
	if (is_reserved(fd))
		err = -EBADF;
	else if (has_entry(fd) && table.file[fd]->kind == FILE_REMOTE)
		err = share(table.file[fd], first_number(table.file[fd]));
	if (!err && has_entry(fd) && table.file[fd]->kind == FILE_REMOTE)
		*out = file_ref(table.file[fd]);
	pthread_mutex_unlock(&table.lock);
	return err;
}

bool fd_join(int fd, const struct cap *token)
{
	struct file *f = NULL, *old = NULL;
	int i;

	pthread_mutex_lock(&table.lock);
	for (i = 0; i < table.top && !f; i++)
		if (has_entry(i) && file_is_shared(table.file[i]) && cap_equal(&table.file[i]->token, token))
			f = table.file[i];
	if (f)
		old = entry_set(fd, file_hold(f));
	pthread_mutex_unlock(&table.lock);
	closed(old);
	return f;
}

/* ---- exec ---- */

void fd_each(void (*fn)(int fd, struct file *, bool cloexec, void *arg), void *arg)
{
	int fd;

	pthread_mutex_lock(&table.lock);
	for (fd = 0; fd < table.top; fd++)
		if (has_entry(fd) && !is_reserved(fd))
			fn(fd, table.file[fd], host3(SYS_fcntl, fd, F_GETFD, 0) & FD_CLOEXEC, arg);
	pthread_mutex_unlock(&table.lock);
}

unsigned fd_count(void)
{
	unsigned n = 0;
	int fd;

	pthread_mutex_lock(&table.lock);
	for (fd = 0; fd < table.top; fd++)
		n += has_entry(fd);
	pthread_mutex_unlock(&table.lock);
	return n;
}

int fd_restore(uint32_t fd, struct file *f)
{
	int err = -EINVAL;

	if (fd >= (uint32_t)table.floor)
		return -EINVAL;
	pthread_mutex_lock(&table.lock);
	if (!has_entry((int)fd) && host3(SYS_fcntl, (int)fd, F_GETFD, 0) >= 0) {
		entry_set((int)fd, file_hold(f));
		err = 0;
	}
	pthread_mutex_unlock(&table.lock);
	return err;
}

/* Both kinds are among the host's numbers. Each look may close what it finds: a directory being read allows that. */
void fd_close_on_exec(void)
{
	DIR *dir = opendir("/proc/self/fd"); /* at a low number, close-on-exec: it closes itself last */
	struct dirent *e;
	int fd;

	while (dir && (e = readdir(dir))) {
		fd = atoi(e->d_name);
		if (e->d_name[0] != '.' && fd != dirfd(dir) && !fd_hidden(fd) &&
		    host3(SYS_fcntl, fd, F_GETFD, 0) & FD_CLOEXEC)
			fd_close(fd);
	}
	if (dir)
		closedir(dir);
}
