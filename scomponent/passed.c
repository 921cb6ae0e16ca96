/* Passed: see passed.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "ashlar/base/clock.h"
#include "scomponent/attr.h"
#include "scomponent/resolve.h"
#include "scomponent/state.h"

/* Status flags are kept by the dispatchers: those of the file here are ours. */
#define FLAGS_OURS ((uint32_t)(O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK))

static struct passed *passed_find(struct process *p, const struct cap *token)
{
	struct list *l;

	for (l = p->passed.next; l != &p->passed; l = l->next)
		if (cap_equal(&container_of(l, struct passed, link)->token, token))
			return container_of(l, struct passed, link);
	return NULL;
}

/* Nothing of it is on its way any more. It is gone, if nobody else has the file. */
static void arrived(struct passed *w)
{
	w->on_way = 0;
	w->process->passing--;
	handles_count(w->process, -1);
	handle_put(w->file);
}

void passed_closed(struct handle *f)
{
	if (!f->passed)
		return;
	list_del(&f->passed->link);
	free(f->passed);
}

void passed_end(struct process *p)
{
	struct list *l, *next;

	list_for_each_safe(l, next, &p->passed)
		if (container_of(l, struct passed, link)->on_way)
			arrived(container_of(l, struct passed, link));
}

static struct passed *passed_make(struct process *p, struct handle *f, const struct cap *token)
{
	struct passed *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct passed){ .process = p, .file = f, .token = *token };
	list_add_tail(&p->passed, &w->link);
	f->passed = w;
	return w;
}

static bool same_file(const struct handle *a, const struct handle *b)
{
	struct stat x, y;

	return !fstat(a->fd, &x) && !fstat(b->fd, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/*
 * Whose file does the token stand for, when f is passed by it? *out NULL: for none yet. Two open files have one token where this
 * component was restarted since processes that shared it opened it again, each for itself: the first stands for both.
 */
static int token_check(struct process *p, struct handle *f, const struct cap *token, struct passed **out)
{
	*out = passed_find(p, token);
	if (f->passed)
		return f->passed == *out ? 0 : -EEXIST;
	return !*out || same_file((*out)->file, f) ? 0 : -EEXIST;
}

/* Room for one more on its way: the one that waits longest is given up, if it has waited long enough. */
static int way_room(struct process *p)
{
	struct list *l;

	if (p->handles >= FILES_PER_TREE_MAX)
		return -ETOOMANYREFS;
	if (p->passing < PASSED_PER_TREE_MAX)
		return 0;
	for (l = p->passed.next; !container_of(l, struct passed, link)->on_way; l = l->next)
		;
	if (loop_now(p->s->loop) - container_of(l, struct passed, link)->passed_ns < PASSED_MS * NS_PER_MS)
		return -ETOOMANYREFS;
	arrived(container_of(l, struct passed, link));
	return 0;
}

static int pass(struct process *p, struct handle *f, const struct cap *token)
{
	struct passed *w;
	int err = token_check(p, f, token, &w);

	if (!err && !(w && w->on_way))
		err = way_room(p);
	if (!err && !w)
		err = (w = passed_make(p, f, token)) ? 0 : -ENOMEM;
	if (err)
		return err;
	if (!w->on_way) {
		handle_ref(w->file);
		handles_count(p, 1);
		p->passing++;
	}
	w->on_way += w->on_way < UINT32_MAX;
	w->passed_ns = loop_now(p->s->loop);
	list_del(&w->link);
	list_add_tail(&p->passed, &w->link);
	return 0;
}

int serve_pass(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_pass_req *req = body;
	struct client *c = client_of(rq);
	struct handle *f;

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (!c)
		return -EACCES;
	f = handles_get(&c->files, req->handle);
	return f ? pass(c->process, f, &req->token) : -EBADF;
}

/* A handle of it for this client, and what is to be said of it. The path's length or -errno. */
static int take(struct client *c, struct passed *w, struct p2s_take_rep *rep, char where[PATH_MAX])
{
	int n = 0, err = client_room(c), flags = fcntl(w->file->fd, F_GETFL);

	if (!err)
		err = attr_get(w->file->fd, &rep->stat);
	if (!err)
		n = err = canonical_path(c->s, w->file->fd, where, NULL);
	if (err < 0)
		return err;
	rep->handle = handles_share(&c->files, w->file);
	if (!rep->handle)
		return -ENOMEM;
	rep->flags = (uint32_t)flags & ~FLAGS_OURS;
	handles_count(c->process, 1);
	return n;
}

int serve_take(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_take_req *req = body;
	struct client *c = client_of(rq);
	char where[PATH_MAX];
	struct passed *w;
	int n = 0;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	if (req->op > P2S_TAKE_DONE || req->reserved0)
		return -EINVAL;
	w = passed_find(c->process, &req->token);
	if (!w)
		return -ENOENT;
	if (req->op != P2S_TAKE_DONE)
		n = take(c, w, out, where);
	if (n < 0)
		return n;
	rpc_reply_tail(rq, where, (uint32_t)n);
	if (req->op != P2S_TAKE_PEEK && w->on_way && !--w->on_way)
		arrived(w);
	return 0;
}
