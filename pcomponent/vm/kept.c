/* See kept.h. */
#include "pcomponent/vm/kept.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/keep/wire.h"
#include "pcomponent/proc/keep.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/vm/layout.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define CONNECT_TRIES 40 /* a keeper may be ending, or another process's starting */
#define CONNECT_PAUSE_NS 25000000
#define HOLD_PAUSE_NS 1000000

static struct {
	pthread_mutex_t joining; /* one thread at a time; taken before all other locks */
	pthread_mutex_t lock;	 /* one question at a time; held over a fork */
	int sock, uffd;
	int child; /* the socket of the process that is being forked */
} kept = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, -1, -1, -1 };

int kept_fd(void)
{
	return kept.sock;
}

/* ---- questions ---- */

/* Its answer, and *out, above the floor, what came with it; -EPIPE: there is no keeper any more. Under the lock. */
static int ask_for(int sock, const struct keep_req *q, int fd, int *out)
{
	struct keep_rep rep;
	struct keep_packet req = { (void *)(uintptr_t)q, sizeof(*q), fd }, got = { &rep, sizeof(rep), -1 };

	if (keep_send(sock, &req) || keep_receive(sock, &got, false) != 1)
		return -EPIPE;
	if (got.fd >= 0 && out)
		*out = proc_fd_raise(got.fd);
	else if (got.fd >= 0)
		close(got.fd);
	return rep.err;
}

static int ask(int sock, const struct keep_req *q, int fd)
{
	return ask_for(sock, q, fd, NULL);
}

/* With it go the contents of what it keeps. */
void kept_gone(void)
{
	proc_fail(125, "the keeper of shared memory is gone: the program ends");
}

static int call(const struct keep_req *q, int fd)
{
	int err;

	pthread_mutex_lock(&kept.lock);
	err = kept.sock < 0 ? -ENOENT : ask(kept.sock, q, fd);
	pthread_mutex_unlock(&kept.lock);
	if (err == -EPIPE)
		kept_gone();
	return err;
}

/* ---- joining it ---- */

static int uffd_new(void)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MISSING_SHMEM |
					      UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
	int fd = proc_fd_raise((int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)), err;

	if (fd < 0 || !ioctl(fd, UFFDIO_API, &api))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int begin(int sock, int *uffd)
{
	struct keep_req q = { .op = KEEP_BEGIN, .pid = getpid() };
	int err;

	*uffd = uffd_new();
	if (*uffd < 0)
		return *uffd;
	err = ask(sock, &q, *uffd);
	if (err)
		close(*uffd);
	return err;
}

/* A socket, and *uffd; start: where there is no keeper there is to be one. Under `joining` alone. */
static int join(struct thread *start, int *uffd)
{
	int err = -ECONNREFUSED, sock;

	for (unsigned i = 0; i < CONNECT_TRIES; i++) {
		sock = keep_connect(start);
		if (sock < 0)
			return sock;
		err = begin(sock, uffd);
		if (!err)
			return sock;
		close(sock);
		if (err != -EPIPE)
			return err;
		(void)nanosleep(&(struct timespec){ .tv_nsec = CONNECT_PAUSE_NS }, NULL);
	}
	return err;
}

/* No lock is held: to start one changes the budget, and takes the layout's. */
static int ready(struct thread *start)
{
	int sock, uffd = -1;

	if (__atomic_load_n(&kept.sock, __ATOMIC_ACQUIRE) >= 0)
		return 0;
	pthread_mutex_lock(&kept.joining);
	if (kept.sock >= 0) {
		pthread_mutex_unlock(&kept.joining);
		return 0;
	}
	sock = join(start, &uffd);
	if (sock >= 0) {
		pthread_mutex_lock(&kept.lock);
		kept.uffd = uffd;
		__atomic_store_n(&kept.sock, sock, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&kept.lock);
		service_watch_again();
	}
	pthread_mutex_unlock(&kept.joining);
	return sock < 0 ? sock : 0;
}

/* ---- the mark ---- */

static int mark(int fd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = KEEP_MARK_OFF, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &l) ? -errno : 0;
}

bool kept_file(int fd)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = KEEP_MARK_OFF, .l_len = 1 };

	return !host3(SYS_fcntl, fd, F_OFD_GETLK, &l) && l.l_type == F_WRLCK;
}

static bool memory_file(int fd)
{
	struct statfs fs;
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && !fstatfs(fd, &fs) && fs.f_type == TMPFS_MAGIC;
}

/* An opening of our own, so that the mark lasts as long as the mapping, whatever the program does with its descriptor. */
static int open_again(int fd)
{
	int mode = fcntl(fd, F_GETFL);
	char path[32];

	if (mode < 0 || (mode & O_PATH) || (mode & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return proc_fd_raise(open(path, (mode & O_ACCMODE) | O_CLOEXEC));
}

/* ---- mappings ---- */

static int anonymous(struct thread *t, uint64_t bytes, struct kept_object *o)
{
	if (ready(t))
		return 0; /* then it stays where it is */
	o->fd = proc_fd_raise(memfd_create("ashlar-shared", MFD_CLOEXEC));
	if (o->fd < 0 || ftruncate(o->fd, (off_t)bytes))
		kept_close(o);
	o->keep = o->fd >= 0;
	o->flags = KEEP_NEW | KEEP_ANONYMOUS;
	return 0;
}

int kept_choose(struct thread *t, int fd, uint64_t bytes, bool shared, bool press, struct kept_object *o)
{
	*o = (struct kept_object){ .fd = -1 };
	if (fd < 0)
		return press && shared ? anonymous(t, bytes, o) : 0;
	if (!memory_file(fd) || (o->fd = open_again(fd)) < 0) {
		o->fd = -1;
		return 0;
	}
	o->flags = shared ? 0 : KEEP_PRIVATE;
	if (mark(o->fd, F_RDLCK)) {
		o->keep = !ready(NULL);
		if (o->keep)
			return 0;
		kept_close(o);
		sys_message("shared memory that a keeper of another run of ashlar has cannot be mapped");
		return -ENOMEM;
	}
	o->marked = true;
	if (press && shared && (fcntl(o->fd, F_GETFL) & O_ACCMODE) == O_RDWR && !ready(t)) {
		(void)mark(o->fd, F_UNLCK);
		o->marked = false;
		o->keep = true;
		o->flags |= KEEP_NEW;
	}
	return 0;
}

bool kept_mark(const struct kept_object *o)
{
	return o->flags & KEEP_ANONYMOUS || !mark(o->fd, F_RDLCK);
}

void kept_close(struct kept_object *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static int enrol(uint64_t start, uint64_t bytes)
{
	struct uffdio_register r = { .range = { start, bytes },
				     .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP };

	return ioctl(kept.uffd, UFFDIO_REGISTER, &r) ? -errno : 0;
}

static int map(const struct vma *v, uint32_t flags, int fd, uint64_t like)
{
	uint64_t bytes = v->end - v->start;
	struct keep_req q = {
		.op = KEEP_MAP, .flags = flags, .addr = v->start, .bytes = bytes, .off = v->off, .like = like
	};
	struct uffdio_range range = { v->start, bytes };
	int err = enrol(v->start, bytes);

	if (err)
		return err;
	err = call(&q, fd);
	if (!err && mprotect((void *)v->start, bytes, (int)v->prot))
		err = -errno;
	if (err)
		(void)ioctl(kept.uffd, UFFDIO_UNREGISTER, &range);
	return err;
}

int kept_map(const struct vma *v, const struct kept_object *o)
{
	return map(v, o->flags, o->fd, 0);
}

int kept_map_like(const struct vma *v, uint64_t like)
{
	return map(v, v->flags & VMA_SHARED ? 0 : KEEP_PRIVATE, -1, like);
}

void kept_unmap(uint64_t start, uint64_t end)
{
	struct keep_req q = { .op = KEEP_UNMAP, .addr = start, .bytes = end - start };

	(void)call(&q, -1);
}

int kept_lock(const struct vma *v, uint32_t flags)
{
	struct keep_req q = {
		.op = flags & VMA_LOCKED ? KEEP_LOCK : KEEP_UNLOCK,
		.flags = (flags & VMA_LOCKONFAULT ? KEEP_LAZY : 0) | (v->prot & PROT_WRITE ? KEEP_WRITE : 0),
		.like = v->start,
		.off = v->off,
		.bytes = v->end - v->start,
	};

	return call(&q, -1) && (flags & VMA_LOCKED) ? -ENOMEM : 0;
}

void kept_discard(uint64_t start, uint64_t end)
{
	struct vma *v = table_find(start);
	struct keep_req q = { .op = KEEP_DISCARD, .like = start, .bytes = end - start };

	q.off = v->off + (start - v->start);
	(void)call(&q, -1);
}

int kept_sysv(struct thread *t, int id, bool press)
{
	struct keep_req q = { .op = KEEP_SYSV, .flags = press ? KEEP_NEW : 0, .like = (uint64_t)id };
	int fd = -ENOENT, err = ready(press ? t : NULL);

	if (err)
		return err;
	pthread_mutex_lock(&kept.lock);
	err = ask_for(kept.sock, &q, -1, &fd);
	pthread_mutex_unlock(&kept.lock);
	if (err == -EPIPE)
		kept_gone();
	return err ? err : fd;
}

/* ---- files ---- */

int kept_hold(int fd, uint64_t off, uint64_t *n, bool write)
{
	struct keep_req q = { .op = KEEP_HOLD, .flags = write ? KEEP_WRITE : 0, .off = off };
	int err;

	if (*n > KEEP_HOLD_BYTES)
		*n = KEEP_HOLD_BYTES;
	q.bytes = *n;
	if (ready(NULL))
		return -EIO;
	while ((err = call(&q, fd)) == -EAGAIN) /* others hold so much */
		(void)nanosleep(&(struct timespec){ .tv_nsec = HOLD_PAUSE_NS }, NULL);
	return err == -ENOENT ? 0 : err ? -EIO : 0; /* not kept any more: it is there */
}

void kept_release(int fd, uint64_t off, uint64_t n)
{
	struct keep_req q = { .op = KEEP_RELEASE, .off = off, .bytes = n };

	(void)call(&q, fd);
}

void kept_discarded(int fd, uint64_t off, uint64_t bytes)
{
	struct keep_req q = { .op = KEEP_DISCARD, .off = off, .bytes = bytes };

	if (kept_file(fd) && !ready(NULL))
		(void)call(&q, fd);
}

static uint64_t edge_hold(int fd, uint64_t at)
{
	uint64_t n = 1;

	return at % PAGE_BYTES && !kept_hold(fd, at, &n, true) ? n : 0;
}

void kept_cut_begin(int fd, uint64_t off, uint64_t bytes, struct kept_cut *c)
{
	*c = (struct kept_cut){ .kept = kept_file(fd), .off = off, .bytes = bytes };
	if (!c->kept)
		return;
	c->held[0] = edge_hold(fd, off);
	c->held[1] = bytes < UINT64_MAX - off ? edge_hold(fd, off + bytes) : 0;
}

void kept_cut_end(int fd, const struct kept_cut *c, bool ok)
{
	if (!c->kept)
		return;
	if (c->held[0])
		kept_release(fd, c->off, c->held[0]);
	if (c->held[1])
		kept_release(fd, c->off + c->bytes, c->held[1]);
	if (ok)
		kept_discarded(fd, c->off, c->bytes);
}

/* ---- fork ---- */

int kept_fork_prepare(void)
{
	struct keep_req q = { .op = KEEP_CLONE };
	int pair[2], err = 0;

	pthread_mutex_lock(&kept.lock);
	if (kept.sock < 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err = -errno;
	} else {
		kept.child = proc_fd_raise(pair[0]);
		err = kept.child < 0 ? kept.child : ask(kept.sock, &q, pair[1]);
		close(pair[1]);
	}
	if (err)
		kept_fork_parent();
	return err;
}

void kept_fork_parent(void)
{
	if (kept.child >= 0)
		close(kept.child);
	kept.child = -1;
	pthread_mutex_unlock(&kept.lock);
}

int kept_child_fd(void)
{
	return kept.child;
}

int kept_fork_child(void)
{
	struct vma *v;
	int err = 0;

	pthread_mutex_init(&kept.joining, NULL);
	pthread_mutex_init(&kept.lock, NULL);
	kept.sock = kept.child;
	kept.child = kept.uffd = -1;
	if (kept.sock < 0)
		return 0;
	kept.uffd = uffd_new();
	if (kept.uffd < 0)
		return kept.uffd;
	for (v = table_find(0); !err && v; v = table_next(v))
		if (v->flags & VMA_KEPT)
			err = enrol(v->start, v->end - v->start);
	if (!err)
		err = ask(kept.sock, &(struct keep_req){ .op = KEEP_BEGIN, .pid = getpid() }, kept.uffd);
	return err;
}
