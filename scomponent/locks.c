/* Locks: see locks.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/loop.h"
#include "ashlar/base/ranges.h"
#include "scomponent/locks.h"
#include "scomponent/state.h"

#define WAIT_MS 1000u /* who has not asked again for so long does not wait any more */

/* A file with locks on it. */
struct locked {
	struct list link;
	uint64_t dev, ino;
	struct list ranges;
};

void locks_init(struct locks *l)
{
	list_init(&l->files);
}

uint64_t locks_owner(struct locks *l)
{
	return ++l->owners;
}

static struct locked *locked_find(struct locks *l, const struct stat *st)
{
	struct list *f;
	struct locked *k;

	for (f = l->files.next; f != &l->files; f = f->next) {
		k = container_of(f, struct locked, link);
		if (k->ino == st->st_ino && k->dev == st->st_dev)
			return k;
	}
	return NULL;
}

static struct locked *locked_make(struct locks *l, const struct stat *st)
{
	struct locked *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->dev = st->st_dev;
	k->ino = st->st_ino;
	list_init(&k->ranges);
	list_add_tail(&l->files, &k->link);
	return k;
}

static void locked_trim(struct locked *k)
{
	if (!list_empty(&k->ranges))
		return;
	list_del(&k->link);
	free(k);
}

void locks_end(struct locks *l, struct process *p, uint64_t owner)
{
	struct list *f, *next;
	struct locked *k;

	list_for_each_safe(f, next, &l->files) {
		k = container_of(f, struct locked, link);
		ranges_drop(&k->ranges, owner, &p->locks);
		locked_trim(k);
	}
}

void locks_pass(struct locks *l, uint64_t owner, uint64_t to)
{
	struct list *f;

	for (f = l->files.next; f != &l->files; f = f->next)
		ranges_pass(&container_of(f, struct locked, link)->ranges, owner, to);
}

void locks_closed(struct handle *f)
{
	if (f->locker)
		locks_end(&f->locker->s->locks, f->locker, f->owner);
}

/* ---- deadlock ---- */

static struct member *member_of_owner(struct scomponent *s, uint64_t owner)
{
	struct list *p, *m;
	struct process *process;

	for (p = s->processes.next; p != &s->processes; p = p->next) {
		process = container_of(p, struct process, link);
		for (m = process->members.next; m != &process->members; m = m->next)
			if (container_of(m, struct member, link)->owner == owner)
				return container_of(m, struct member, link);
	}
	return NULL;
}

/* Does the one in the way wait, over any number of others, for m? As on Linux, open files as owners are not looked at. */
static bool is_deadlock(struct scomponent *s, const struct member *m, uint64_t in_the_way)
{
	const struct member *next;
	unsigned i;

	for (i = 0; i < MEMBERS_MAX; i++) {
		next = member_of_owner(s, in_the_way);
		if (!next)
			return false;
		if (next == m)
			return true;
		if (!next->waits_for || loop_now(s->loop) >= next->waits_until_ns)
			return false;
		in_the_way = next->waits_for;
	}
	return false;
}

static int wait_for(struct client *c, uint64_t in_the_way)
{
	if (is_deadlock(c->s, c->member, in_the_way))
		return -EDEADLK;
	c->member->waits_for = in_the_way;
	c->member->waits_until_ns = loop_now(c->s->loop) + WAIT_MS * NS_PER_MS;
	return -EAGAIN;
}

/* ---- the request ---- */

static int lock_check(const struct p2s_lock_req *req, int fd)
{
	int mode;

	if (req->op > P2S_LOCK_GET || req->ofd > 1 || req->start > req->end || req->end > INT64_MAX ||
	    (req->type != F_RDLCK && req->type != F_WRLCK && (req->type != F_UNLCK || req->op == P2S_LOCK_GET)))
		return -EINVAL;
	mode = fcntl(fd, F_GETFL);
	if (mode < 0 || mode & O_PATH)
		return -EBADF;
	mode &= O_ACCMODE;
	if (req->op == P2S_LOCK_GET || req->type == F_UNLCK)
		return 0;
	return mode == (req->type == F_RDLCK ? O_WRONLY : O_RDONLY) ? -EBADF : 0;
}

static uint64_t owner_of(struct client *c, struct handle *h, bool ofd)
{
	if (!ofd)
		return c->member->owner;
	if (!h->locker) {
		h->locker = c->process;
		h->owner = locks_owner(&c->s->locks);
	}
	return h->owner;
}

static void tell(const struct range *in_the_way, const struct p2s_lock_req *req, struct p2s_lock_rep *rep)
{
	rep->start = in_the_way ? in_the_way->start : req->start;
	rep->end = in_the_way ? in_the_way->end : req->end;
	rep->type = in_the_way ? in_the_way->type : F_UNLCK;
	rep->pid = in_the_way ? in_the_way->pid : 0;
}

int serve_lock(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_lock_req *req = body;
	struct client *c = client_of(rq);
	struct range range, *in_the_way = NULL;
	struct locked *k;
	struct handle *h;
	struct stat st;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	h = handles_get(&c->files, req->handle);
	if (!h)
		return -EBADF;
	err = lock_check(req, h->fd);
	if (err)
		return err;
	if (fstat(h->fd, &st))
		return -errno;
	c->member->waits_for = 0;
	k = locked_find(&c->s->locks, &st);
	range = (struct range){ .owner = owner_of(c, h, req->ofd),
				.start = req->start,
				.end = req->end,
				.type = req->type,
				.pid = req->ofd ? UINT32_MAX : req->pid };
	if (k && req->type != F_UNLCK)
		in_the_way = ranges_conflict(&k->ranges, range.owner, range.start, range.end, range.type);
	if (req->op == P2S_LOCK_GET) {
		tell(in_the_way, req, out);
		return 0;
	}
	if (in_the_way)
		return req->op == P2S_LOCK_WAIT && !req->ofd ? wait_for(c, in_the_way->owner) : -EAGAIN;
	if (!k && req->type == F_UNLCK)
		return 0;
	if (c->process->locks >= LOCKS_PER_TREE_MAX && req->type != F_UNLCK)
		return -ENOLCK;
	if (!k)
		k = locked_make(&c->s->locks, &st);
	if (!k)
		return -ENOLCK;
	err = ranges_set(&k->ranges, &range, &c->process->locks);
	locked_trim(k);
	return err ? -ENOLCK : 0;
}
