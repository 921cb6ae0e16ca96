/* The keeper's process: questions and faults of the processes that it serves, one after another (keeper.h). */
#include "pcomponent/keep/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/keep/segment.h"
#include "pcomponent/keep/wire.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/vm.h"

#define EVENTS_MAX 64u /* of one process, before others have their turn */
#define FIRST_MS 10000 /* whoever comes to the listener says who he is within this */

static struct {
	struct thread thread;
	int listener;
	/* Whose fault is being resolved, and where that is in its memory; NULL: nobody's */
	const struct client *faulting;
	uint64_t addr;
	struct pollfd *polled;
	size_t room;
} keeper;

int keeper_listen(uint32_t pid, const char *daemon)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, KEEP_NAME_FORMAT, pid, daemon), fd, err;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!bind(fd, (void *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) &&
	    !listen(fd, 64))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* ---- host operations of the ExCache ---- */

/* fn for each mapping that shows some of [at, at + pages): the part. */
static int everywhere(uint64_t at, uint64_t pages)
{
	uint64_t end = at + pages * PAGE_BYTES;
	int err = 0, e;

	for (const struct list *pos = clients.next; pos != &clients; pos = pos->next) {
		const struct client *c = container_of(pos, const struct client, link);

		for (const struct list *l = c->mappings.next; l != &c->mappings; l = l->next) {
			const struct mapping *m = container_of(l, const struct mapping, link);
			uint64_t start = m->segment->at + m->off, from = start > at ? start : at,
				 to = start + m->bytes < end ? start + m->bytes : end;

			if (from >= to || !m->writes)
				continue;
			e = client_protect(c, m->addr + (from - start), (to - from) / PAGE_BYTES, true);
			err = err ? err : e;
		}
	}
	return err;
}

static int release(uint64_t at)
{
	(void)at;
	return keeper.faulting ? client_protect(keeper.faulting, keeper.addr, 1, false) : 0;
}

static void punch(uint64_t at, uint64_t pages)
{
	/* A page that stays would be taken for one that is away: its later contents would be lost. */
	if (madvise((void *)at, pages * PAGE_BYTES, MADV_REMOVE))
		proc_fail(125, "shared memory cannot be evicted: %s", strerror(errno));
}

const struct excache_shared keeper_shared = { .protect = everywhere, .unprotect = release, .drop = punch };

static int port_ready(void)
{
	return keeper.thread.port ? 0 : excache_port_open(&keeper.thread.port);
}

/* ---- faults ---- */

/* The line at `at`, for c (NULL: for ourselves, and not where it would be in c's memory). */
static int bring(const struct client *c, uint64_t addr, const struct segment *s, uint64_t at, bool write)
{
	int err;

	vm_lock_shared(&keeper.thread);
	keeper.faulting = c;
	keeper.addr = addr;
	err = port_ready();
	if (!err)
		err = excache_fault(keeper.thread.port, at, write, s->at, s->at + s->bytes);
	keeper.faulting = NULL;
	vm_unlock_shared(&keeper.thread);
	return err;
}

/*
 * The process finds no page. If the line says that there is one, either it came meanwhile, or a program took it out of the
 * segment, and it is zeros. While the lock is held nothing is being evicted.
 */
static void taken_out(uint64_t at)
{
	unsigned char there = 1;

	if (!excache_resident(at, at + PAGE_BYTES, NULL))
		return;
	vm_lock_exclusive();
	if (excache_resident(at, at + PAGE_BYTES, NULL) && !mincore((void *)at, PAGE_BYTES, &there) && !(there & 1))
		excache_forget(at, at + PAGE_BYTES);
	vm_unlock_exclusive();
}

static void lost(const struct client *c, uint64_t addr, int err)
{
	/* Before 6.6 the host kernel has no page that raises SIGBUS. */
	if (err == -EIO && !client_poison(c, addr))
		return;
	sys_message("shared memory at %#lx of process %d cannot be brought in: error %d: it ends", addr, c->pid, -err);
	(void)kill(c->pid, SIGKILL);
}

static void fault(const struct client *c, const struct uffd_msg *e)
{
	uint64_t addr = e->arg.pagefault.address & -PAGE_BYTES, at;
	bool protected = e->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
	bool write = protected || (e->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE);
	const struct mapping *m = client_find(c, addr);
	int err;

	if (m) {
		at = m->segment->at + m->off + (addr - m->addr);
		if (!protected)
			taken_out(at);
		err = bring(c, addr, m->segment, at, write && m->writes);
		if (err)
			lost(c, addr, err);
	}
	client_wake(c, addr); /* what is mapped no more is found out by the access itself */
}

static void faults(const struct client *c)
{
	struct uffd_msg e;

	for (unsigned i = 0; i < EVENTS_MAX && read(c->uffd, &e, sizeof(e)) == sizeof(e); i++)
		if (e.event == UFFD_EVENT_PAGEFAULT)
			fault(c, &e);
}

/* ---- questions ---- */

static int begin(struct client *c, const struct keep_req *q, int *fd)
{
	int err = 0;

	if (c->uffd >= 0 || *fd < 0 || q->pid <= 0)
		return -EINVAL;
	c->uffd = *fd;
	c->pid = q->pid;
	*fd = -1;
	for (const struct list *l = c->mappings.next; !err && l != &c->mappings; l = l->next)
		err = client_protect_clean(c, container_of(l, const struct mapping, link));
	return err;
}

static int clone_to(const struct client *c, int *fd)
{
	struct client *to = *fd < 0 ? NULL : client_new(*fd);
	int err;

	if (!to)
		return *fd < 0 ? -EINVAL : -ENOMEM;
	*fd = -1;
	err = client_clone(c, to);
	if (err)
		client_free(to, keeper.thread.port);
	return err;
}

/* The one that it means: by its descriptor, or by where it has it mapped. */
static struct segment *segment_of(const struct client *c, const struct keep_req *q, int fd)
{
	const struct mapping *m = fd < 0 ? client_find(c, q->like) : NULL;

	return fd < 0 ? m ? m->segment : NULL : segment_find(fd);
}

static int map(struct client *c, const struct keep_req *q, int fd)
{
	struct mapping m = { .addr = q->addr, .bytes = q->bytes, .off = q->off, .writes = !(q->flags & KEEP_PRIVATE) };
	struct segment *s = segment_of(c, q, fd);
	int err = 0;

	if (c->uffd < 0 || (q->addr | q->bytes | q->off) % PAGE_BYTES || !q->bytes || q->bytes > WINDOW_END ||
	    q->off > WINDOW_END || q->addr > WINDOW_END)
		return -EINVAL;
	if (!s && (!(q->flags & KEEP_NEW) || fd < 0))
		return -ENOENT;
	if (!s && !(s = segment_new(fd, q->flags & KEEP_ANONYMOUS, &err)))
		return err;
	err = client_map(c, s, &m);
	if (err) {
		if (!s->maps)
			segment_end(s, keeper.thread.port);
		return err;
	}
	m.segment = s;
	err = segment_extend(s, q->off + q->bytes);
	if (!err)
		err = client_protect_clean(c, &m);
	if (err)
		(void)client_unmap(c, q->addr, q->bytes, keeper.thread.port);
	return err;
}

/* Bring [at, end) in, which is pinned. */
static int hold_bring(const struct segment *s, uint64_t at, uint64_t end, bool write)
{
	int err = 0;

	for (; !err && at < end; at += PAGE_BYTES)
		err = bring(NULL, 0, s, at, write);
	return err;
}

static int hold(struct client *c, const struct keep_req *q, int fd)
{
	struct segment *s = segment_find(fd);
	uint64_t from = q->off & -PAGE_BYTES, to, size;
	struct stat st;
	int err;

	if (!s || fstat(fd, &st))
		return -ENOENT;
	if (q->bytes > KEEP_HOLD_BYTES || q->off > (uint64_t)INT64_MAX - q->bytes)
		return -EINVAL;
	/* What lies behind the end has nothing in it, nor has what nobody ever mapped */
	to = (q->off + q->bytes + PAGE_BYTES - 1) & -PAGE_BYTES;
	size = ((uint64_t)st.st_size + PAGE_BYTES - 1) & -PAGE_BYTES;
	to = to < size ? to : size;
	to = to < s->bytes ? to : s->bytes;
	if (from >= to)
		return 0;
	vm_lock_exclusive();
	err = client_hold(c, s, s->at + from, to - from);
	vm_unlock_exclusive();
	if (!err && (err = hold_bring(s, s->at + from, s->at + to, q->flags & KEEP_WRITE))) {
		vm_lock_exclusive();
		client_release(c, s->at + from, to - from, keeper.thread.port);
		vm_unlock_exclusive();
	}
	return err;
}

/* mlock(2), of what c has mapped. */
static int lock(struct client *c, const struct keep_req *q)
{
	struct segment *s = segment_of(c, q, -1);
	uint64_t at, end;
	int err;

	if (!s || q->off > s->bytes || q->bytes > s->bytes - q->off || (q->off | q->bytes) % PAGE_BYTES)
		return -EINVAL;
	at = s->at + q->off;
	end = at + q->bytes;
	vm_lock_exclusive();
	client_munlock(c, at, q->bytes, keeper.thread.port);
	err = q->op == KEEP_LOCK ? client_mlock(c, s, at, q->bytes) : 0;
	vm_unlock_exclusive();
	if (q->op == KEEP_LOCK && !err && !(q->flags & KEEP_LAZY))
		err = hold_bring(s, at, end, q->flags & KEEP_WRITE);
	return err;
}

static int give_back(struct client *c, const struct keep_req *q, int fd)
{
	struct segment *s = segment_find(fd);
	struct list *pos, *next;

	if (!s)
		return -ENOENT;
	/* What was written where nothing was is there now */
	segment_take(s, q->off, q->bytes);
	list_for_each_safe(pos, next, &c->holds) {
		const struct hold *h = container_of(pos, struct hold, link);

		if (h->segment == s && h->at == s->at + (q->off & -PAGE_BYTES)) {
			client_release(c, h->at, h->bytes, keeper.thread.port);
			break;
		}
	}
	return 0;
}

static int discard(const struct client *c, const struct keep_req *q, int fd)
{
	struct segment *s = segment_of(c, q, fd);

	if (!s)
		return -ENOENT;
	segment_discard(s, q->off, q->bytes);
	return 0;
}

/* *out: the file, for the answer; it stays the segment's. */
static int sysv(struct client *c, const struct keep_req *q, int *out)
{
	struct segment *s;
	int err = 0;

	if (q->like > INT32_MAX)
		return -EINVAL;
	s = segment_sysv((int)q->like, q->flags & KEEP_NEW, &err);
	*out = s ? s->fd : -1;
	if (s)
		client_claim(c, s, keeper.thread.port);
	return s ? 0 : err;
}

static int reply(int sock, int err, int fd)
{
	struct keep_rep rep = { .err = err };
	struct keep_packet p = { .bytes = &rep, .n = sizeof(rep), .fd = fd };

	return keep_send(sock, &p);
}

/* *fd: what came with it; -1 when it has been taken over. *out: what goes with the answer. */
static int answer(struct client *c, const struct keep_req *q, int *fd, int *out)
{
	int err = port_ready();

	if (err)
		return err;
	if (q->op == KEEP_HOLD)
		return hold(c, q, *fd);
	if (q->op == KEEP_LOCK || q->op == KEEP_UNLOCK)
		return lock(c, q);
	vm_lock_exclusive();
	switch (q->op) {
	case KEEP_BEGIN:
		err = begin(c, q, fd);
		break;
	case KEEP_CLONE:
		err = clone_to(c, fd);
		break;
	case KEEP_MAP:
		err = map(c, q, *fd);
		client_claim(c, NULL, keeper.thread.port);
		break;
	case KEEP_UNMAP:
		err = client_unmap(c, q->addr, q->bytes, keeper.thread.port);
		break;
	case KEEP_DISCARD:
		err = discard(c, q, *fd);
		break;
	case KEEP_RELEASE:
		err = give_back(c, q, *fd);
		break;
	case KEEP_SYSV:
		err = sysv(c, q, out);
		break;
	default:
		err = -ENOSYS;
		break;
	}
	vm_unlock_exclusive();
	return err;
}

/* false: the process has gone, and is forgotten. */
static bool question(struct client *c)
{
	struct keep_req q;
	struct keep_packet p = { .bytes = &q, .n = sizeof(q) };
	int n = keep_receive(c->sock, &p, true), err = -EINVAL, out = -1;

	if (n == -EAGAIN)
		return true;
	if (n > 0)
		err = answer(c, &q, &p.fd, &out);
	if (p.fd >= 0)
		close(p.fd);
	if (n > 0 && !reply(c->sock, err, out)) {
		/* More came to be there than there is room for */
		vm_lock_shared(&keeper.thread);
		if (keeper.thread.port && excache_fit(keeper.thread.port) < 0)
			sys_message("shared memory does not fit: the rack's memory is full");
		vm_unlock_shared(&keeper.thread);
		return true;
	}
	vm_lock_exclusive();
	client_free(c, keeper.thread.port);
	vm_unlock_exclusive();
	return false;
}

/* ---- the loop ---- */

/* Only the user's own processes, and root's, are answered. */
static void visitor(void)
{
	int fd = accept4(keeper.listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who;
	socklen_t len = sizeof(who);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) ||
	    (who.uid != getuid() && who.uid != geteuid() && who.uid != 0)) {
		close(fd);
		return;
	}
	vm_lock_exclusive();
	if (!client_new(fd))
		close(fd);
	vm_unlock_exclusive();
}

static size_t gather(void)
{
	size_t n = 1;

	for (const struct list *pos = clients.next; pos != &clients; pos = pos->next) {
		const struct client *c = container_of(pos, const struct client, link);

		if (n + 2 > keeper.room) {
			struct pollfd *more = realloc(keeper.polled, (keeper.room + 32) * 2 * sizeof(*more));

			if (!more)
				break;
			keeper.polled = more;
			keeper.room = (keeper.room + 32) * 2;
		}
		keeper.polled[n++] = (struct pollfd){ .fd = c->sock, .events = POLLIN };
		keeper.polled[n++] = (struct pollfd){ .fd = c->uffd, .events = POLLIN };
	}
	if (keeper.polled)
		keeper.polled[0] = (struct pollfd){ .fd = keeper.listener, .events = POLLIN };
	return n;
}

/* Those that were gathered come in the same order; who is forgotten on the way is none of those behind. */
static void look(size_t n)
{
	struct list *pos, *next;
	size_t i = 1;

	list_for_each_safe(pos, next, &clients) {
		struct client *c = container_of(pos, struct client, link);

		if (i >= n)
			return;
		if (keeper.polled[i].fd == c->sock) {
			/* Faults first: who asks has a thread that waits for nothing else */
			if (c->uffd >= 0 && keeper.polled[i + 1].revents)
				faults(c);
			if (keeper.polled[i].revents)
				(void)question(c);
			i += 2;
		}
	}
}

void keeper_run(int first, int listener)
{
	struct thread *t = &keeper.thread;

	t->self = t;
	__asm__ volatile("wrgsbase %0" ::"r"(t)); /* thread_self() */
	threads_add(t);
	keeper.listener = listener;
	if (!client_new(first))
		proc_fail(125, "out of memory");
	while (clients.next != &clients) {
		size_t n = gather();

		if (poll(keeper.polled, n, -1) < 0 && errno != EINTR)
			proc_fail(125, "poll: %s", strerror(errno));
		if (keeper.polled[0].revents)
			visitor();
		look(n);
	}
	proc_exit(0);
}
