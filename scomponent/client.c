/*
 * Clients: connections of processes that prove who they are. A connection carries its files: whatever ends it, they are
 * closed within the same turn of the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "scomponent/state.h"

int client_room(const struct client *c)
{
	return c->files.used >= FILES_PER_PROCESS_MAX || c->process->handles >= FILES_PER_TREE_MAX ? -ENFILE : 0;
}

void handles_count(struct process *p, int64_t more)
{
	p->handles += (uint32_t)more;
	p->s->handles += (uint64_t)more;
}

static void client_free(struct client *c)
{
	uint32_t n = handles_clear(&c->files);
	struct process *p = c->process ? c->process : c->guarded;

	if (c->process) {
		p->handles -= n;
		member_gone(c);
	}
	if (c->guarded) {
		p->guard = NULL;
		members_left(p);
		passed_end(p);
	}
	if (p) {
		p->clients--;
		p->idle_ns = loop_now(c->s->loop);
	}
	c->s->handles -= n;
	if (c->buffer)
		net_remote_close(c->buffer);
	if (c->data)
		net_data_close(c->data);
	creds_end(&c->creds);
	peer_free(&c->base);
}

void client_close(struct client *c)
{
	struct rpc *rpc = c->base.rpc;

	client_free(c); /* before the connection that its remote lies on */
	rpc_close(rpc);
}

static void client_closed(struct rpc *rpc, int err)
{
	struct client *c = rpc_ctx(rpc);

	log_debug("connection of process %u ended: %s", c->process ? c->process->pid : 0, strerror(-err));
	client_free(c);
}

static int client_hello(struct rpc *rpc)
{
	return rpc_peer_kind(rpc) == KIND_DISPATCHER || rpc_peer_kind(rpc) == KIND_PROCESSOR ? 0 : -EPERM;
}

struct client *client_of(struct rpc_request *rq)
{
	struct client *c = rpc_ctx(rpc_request_rpc(rq));

	if (c->process && rpc_request_pid(rq) == c->process->pid)
		return c;
	c->s->refused++;
	return NULL;
}

/* As whom it comes: the kernel knows best. Where the fabric does not ask the kernel: as whom it was started. */
static int creds_look(struct client *c, const struct net_peer *peer, const struct process *p)
{
	uint32_t groups[CREDS_GROUPS_MAX];
	int n = peer->known ? net_conn_groups(rpc_conn(c->base.rpc), groups, CREDS_GROUPS_MAX) : 0;

	if (n < 0 && n != -EOPNOTSUPP)
		log_warn("the groups of a process of user %u are not known: %s", peer->uid, strerror(-n));
	creds_end(&c->creds);
	return creds_begin(&c->creds, peer->known ? peer->uid : p->uid, peer->known ? peer->gid : p->gid, groups,
			   n < 0 ? 0 : (uint32_t)n);
}

/*
 * The capability decides; where the fabric knows the peer's user, that must fit too. A process of root's tree may have
 * become another user before it came: then its files are touched as that one.
 */
static int hello_check(struct client *c, const struct p2s_hello_req *req, struct process **out)
{
	struct process *p = process_find(c->s, req->pid);
	struct net_peer peer = { 0 };
	struct cap cap;
	int err;

	if (rpc_peer_kind(c->base.rpc) != KIND_DISPATCHER || !p)
		return -EACCES;
	cap = cap_of_member(&p->cap, req->member);
	if (!cap_equal(&cap, &req->cap))
		return -EACCES;
	net_conn_peer(rpc_conn(c->base.rpc), &peer);
	if (peer.known && peer.uid != p->uid && p->uid != 0)
		return -EACCES;
	err = creds_look(c, &peer, p);
	if (!err)
		*out = p;
	return err;
}

/* The connection is the process's from now on. */
static void client_proved(struct client *c, struct process *p)
{
	p->clients++;
	rpc_trust(c->base.rpc);
	(void)!rpc_queue_charge(c->base.rpc, p->pid, p->weight); /* without memory it goes on as nobody's */
}

int serve_hello(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	struct client *c = rpc_ctx(rpc_request_rpc(rq));
	const struct p2s_hello_req *req = body;
	struct p2s_hello_rep *rep = out;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (c->process)
		return -EEXIST;
	err = hello_check(c, req, &c->process);
	if (err) {
		c->s->refused++;
		return rpc_refused(c->base.rpc, req->pid, "without the capability");
	}
	err = member_come(c, req->member);
	if (err) {
		c->process = NULL;
		return err;
	}
	client_proved(c, c->process);
	rep->readonly = c->s->readonly;
	rep->files = c->files.used;
	return 0;
}

/* A component that serves its own user only believes nobody that he is another. */
int serve_creds(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_creds_req *req = body;
	uint32_t groups[CREDS_GROUPS_MAX];
	struct client *c = client_of(rq);
	int err;

	(void)out;
	if (!c)
		return -EACCES;
	if (req->caps & ~(CREDS_SETUID | CREDS_SETGID) || req->groups > CREDS_GROUPS_MAX ||
	    tail_bytes != req->groups * sizeof(*groups))
		return -EINVAL;
	memcpy(groups, tail, tail_bytes);
	err = creds_change(&c->creds, req, groups, req->groups);
	if (!err && !(identity_can(req->uid[CREDS_FS]) && identity_can(req->uid[CREDS_REAL]))) {
		c->creds.nobody = true;
		err = -EPERM;
	}
	if (err)
		log_warn("process %u may not act for user %u here: its files are nobody's", c->process->pid,
			 req->uid[CREDS_FS]);
	return err;
}

int serve_guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	struct client *c = rpc_ctx(rpc_request_rpc(rq));
	const struct p2s_guard_req *req = body;
	struct process *p = process_find(c->s, req->pid);

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (req->reserved0)
		return -EINVAL;
	if (rpc_peer_kind(c->base.rpc) != KIND_PROCESSOR || !p || !cap_equal(&p->cap, &req->cap)) {
		c->s->refused++;
		return rpc_refused(c->base.rpc, req->pid, "without the capability");
	}
	if (p->guard || c->guarded)
		return -EBUSY;
	c->guarded = p;
	p->guard = c;
	client_proved(c, p);
	return 0;
}

int serve_fork(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	uint64_t ids[MSG_TAIL_MAX / sizeof(uint64_t)];
	const struct p2s_fork_req *req = body;
	struct client *c = client_of(rq);
	struct p2s_fork_rep *rep = out;

	if (!c)
		return -EACCES;
	if (!req->member || req->exec > 1 || req->reserved0 || tail_bytes != req->n * sizeof(uint64_t))
		return -EINVAL;
	memcpy(ids, tail, tail_bytes);
	return member_set_aside(c, req, ids, &rep->files);
}

int serve_left(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	struct client *c = rpc_ctx(rpc_request_rpc(rq));
	const struct p2s_left_req *req = body;

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (!c->guarded || rpc_request_pid(rq) != c->guarded->pid) {
		c->s->refused++;
		return -EACCES;
	}
	if (req->reserved0)
		return -EINVAL;
	member_left(c->guarded, req->member);
	return 0;
}

int client_run(struct client *c, enum creds_which which, identity_fn *fn, void *arg)
{
	const struct identity_of who = { .uid = c->creds.uid[which],
					 .gid = c->creds.gid[which],
					 .n_groups = c->creds.n_groups,
					 .groups = c->creds.groups };

	return identity_run(&c->s->identity, &who, fn, arg);
}

int serve_buffer(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_buffer_req *req = body;
	struct client *c = client_of(rq);
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (!c)
		return -EACCES;
	if (c->buffer)
		return -EEXIST;
	if (!req->bytes || req->bytes % PAGE_BYTES || req->bytes > IO_BUFFER_MAX)
		return -EINVAL;
	err = net_data_open(rpc_conn(c->base.rpc), NET_DEMAND, &c->data);
	if (err)
		return err;
	err = net_remote_open(rpc_conn(c->base.rpc), &req->key, req->bytes, &c->buffer);
	if (err)
		goto data;
	c->buffer_bytes = req->bytes;
	return 0;
data:
	net_data_close(c->data);
	c->data = NULL;
	return err;
}

int serve_usage(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_usage_req *req = body;
	struct client *c = client_of(rq);
	struct p2s_usage_rep *rep = out;
	struct scomponent_usage u;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	if (req->reserved0)
		return -EINVAL;
	scomponent_usage(c->s, &u);
	rep->handles = c->process->handles;
	rep->processes = u.processes;
	rep->all_handles = u.handles;
	rep->refused = u.refused;
	return 0;
}

/* Served in the user's name, whole: nothing of these has to do with the fabric. */
static rpc_handler_fn *const as_user[] = {
	[IDX_P2S_OPEN] = serve_open,	   [IDX_P2S_STAT] = serve_stat,		[IDX_P2S_STATFS] = serve_statfs,
	[IDX_P2S_ACCESS] = serve_access,   [IDX_P2S_READLINK] = serve_readlink, [IDX_P2S_UNLINK] = serve_unlink,
	[IDX_P2S_MKDIR] = serve_mkdir,	   [IDX_P2S_RENAME] = serve_rename,	[IDX_P2S_LINK] = serve_link,
	[IDX_P2S_SYMLINK] = serve_symlink, [IDX_P2S_TRUNCATE] = serve_truncate, [IDX_P2S_CHMOD] = serve_chmod,
	[IDX_P2S_CHOWN] = serve_chown,	   [IDX_P2S_UTIMENS] = serve_utimens,	[IDX_P2S_FALLOCATE] = serve_fallocate,
	[IDX_P2S_PATH] = serve_path,	   [IDX_P2S_RESOLVE] = serve_resolve,	[IDX_P2S_EXEC] = serve_exec,
};

struct call {
	struct rpc_request *rq;
	const void *body, *tail;
	uint32_t tail_bytes;
	void *out;
};

static int call_run(void *arg)
{
	struct call *k = arg;

	return as_user[rpc_request_index(k->rq)](k->rq, k->body, k->tail, k->tail_bytes, k->out);
}

static int serve_as_user(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	struct call k = { .rq = rq, .body = body, .tail = tail, .tail_bytes = tail_bytes, .out = out };
	struct client *c = client_of(rq);
	enum creds_which which = CREDS_FS;

	if (rpc_request_index(rq) == IDX_P2S_ACCESS && !(((const struct p2s_access_req *)body)->at.flags & AT_EACCESS))
		which = CREDS_REAL;
	return c && !c->creds.nobody ? client_run(c, which, call_run, &k) : -EACCES;
}

const struct rpc_service client_service = {
	.handler = {
		[IDX_P2S_HELLO] = serve_hello,
		[IDX_P2S_CREDS] = serve_creds,
		[IDX_P2S_BUFFER] = serve_buffer,
		[IDX_P2S_OPEN] = serve_as_user,
		[IDX_P2S_CLOSE] = serve_close,
		[IDX_P2S_READ] = serve_read,
		[IDX_P2S_WRITE] = serve_write,
		[IDX_P2S_GETDENTS] = serve_getdents,
		[IDX_P2S_STAT] = serve_as_user,
		[IDX_P2S_STATFS] = serve_as_user,
		[IDX_P2S_ACCESS] = serve_as_user,
		[IDX_P2S_READLINK] = serve_as_user,
		[IDX_P2S_UNLINK] = serve_as_user,
		[IDX_P2S_MKDIR] = serve_as_user,
		[IDX_P2S_RENAME] = serve_as_user,
		[IDX_P2S_LINK] = serve_as_user,
		[IDX_P2S_SYMLINK] = serve_as_user,
		[IDX_P2S_TRUNCATE] = serve_as_user,
		[IDX_P2S_CHMOD] = serve_as_user,
		[IDX_P2S_CHOWN] = serve_as_user,
		[IDX_P2S_UTIMENS] = serve_as_user,
		[IDX_P2S_SYNC] = serve_sync,
		[IDX_P2S_FALLOCATE] = serve_as_user,
		[IDX_P2S_PATH] = serve_as_user,
		[IDX_P2S_RESOLVE] = serve_as_user,
		[IDX_P2S_SEEK] = serve_seek,
		[IDX_P2S_FLOCK] = serve_flock,
		[IDX_P2S_USAGE] = serve_usage,
		[IDX_P2S_GUARD] = serve_guard,
		[IDX_P2S_FORK] = serve_fork,
		[IDX_P2S_LEFT] = serve_left,
		[IDX_P2S_LOCK] = serve_lock,
		[IDX_P2S_EXEC] = serve_as_user,
		[IDX_P2S_PASS] = serve_pass,
		[IDX_P2S_TAKE] = serve_take,
	},
	.closed = client_closed,
	.hello = client_hello,
	.lobby = true,
};

void scomponent_accepted(struct scomponent *s, struct net_conn *conn)
{
	struct client *c = peers_accept(&s->clients, conn, sizeof(*c));
	uint32_t gen;

	if (!c)
		return;
	c->s = s;
	loop_random(s->loop, &gen, sizeof(gen));
	handles_init(&c->files, gen);
}
