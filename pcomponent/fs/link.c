/* Link: see link.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/net.h"
#include "ashlar/rpc.h"
#include "pcomponent/fs/creds.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/handles.h"
#include "pcomponent/fs/ownlocks.h"
#include "pcomponent/fs/link.h"
#include "pcomponent/sys/sys.h"
#include "pcomponent/trap/trap.h"

#define CONNECT_MS 5000u	 /* at the start of the program */
#define RESTORE_CONNECT_MS 1000u /* one try later on */
#define RESTORE_CALL_MS 5000u
#define PAUSE_MS 50u /* between tries */
#define IO_BYTES ((uint64_t)IO_SLOTS * IO_SLOT_BYTES)

/* A connection is begun by hellos that nobody waits for, and up when the component has answered ours. */
enum life { LIFE_NONE, LIFE_BEGUN, LIFE_UP };

static struct {
	struct net *net;
	struct rpc *rpc; /* NULL: none just now */
	struct net_pd *pd;
	struct net_mr *io;
	struct cap cap;
	uint32_t pid, member, wait_s, lives;
	enum life life;
	uint64_t aside; /* files that wait for us at the component */
	bool readonly, granting, granted;
	bool lost;			/* and not to be had again yet, by link_try */
	struct rpc_answer hello, grant; /* of this connection */
	struct p2s_hello_rep hello_rep;
	char addr[ADDR_BYTES], name[NAME_BYTES];
} link_state;

static int call(enum msg_id id, const void *req, const char *tail, uint32_t ms, void *rep, char *rep_tail, uint32_t *n)
{
	return rpc_call_sync(link_state.rpc, id, link_state.pid, 0, req, tail, tail ? (uint32_t)strlen(tail) : 0, ms,
			     rep, rep_tail, n);
}

static int buffer_alloc(void)
{
	int err = net_pd_open(link_state.net, &link_state.pd);

	if (err)
		return err;
	err = net_mr_alloc(link_state.pd, IO_BYTES, true, &link_state.io);
	if (err) {
		net_pd_close(link_state.pd);
		link_state.io = NULL;
	}
	return err;
}

static void drop(void)
{
	if (link_state.rpc)
		rpc_close(link_state.rpc);
	link_state.rpc = NULL;
	link_state.life = LIFE_NONE;
	link_state.granting = link_state.granted = false;
}

static void config_take(const struct fs_config *cfg)
{
	link_state.net = cfg->net;
	link_state.pid = cfg->pid;
	link_state.member = cfg->member;
	link_state.cap = cfg->cap;
	link_state.wait_s = cfg->wait_s;
	snprintf(link_state.addr, sizeof(link_state.addr), "%s", cfg->s_addr);
	snprintf(link_state.name, sizeof(link_state.name), "%s", cfg->s_name);
	creds_look();
}

static int connect_as_we_are(uint32_t ms)
{
	struct creds_raised raised;
	int err;

	creds_raise(&raised);
	err = rpc_connect_early(link_state.net, link_state.addr, KIND_DISPATCHER, KIND_STORAGE, ms, &link_state.rpc);
	creds_lower(&raised);
	return err;
}

/*
 * The kernel has told one user and one group of us, the effective ones of this thread, and on other fabrics nobody has: what is
 * more to it goes along with the hello. What the component does not believe is its affair.
 */
static int creds_tell(void)
{
	struct p2s_creds_req req;
	const uint32_t *groups;
	uint32_t bytes;

	if (net_address_fits("local", link_state.addr) && creds_plain(geteuid(), getegid()))
		return 0;
	bytes = creds_message(&req, &groups);
	return rpc_post_sync(link_state.rpc, P2S_CREDS, link_state.pid, 0, &req, groups, bytes);
}

/* Connect, and send the hellos. */
static int begin(uint32_t ms)
{
	struct p2s_hello_req req = { .cap = link_state.cap, .pid = link_state.pid, .member = link_state.member };
	int err = connect_as_we_are(ms);

	if (err)
		return err;
	link_state.hello.rep = &link_state.hello_rep;
	err = rpc_ask_sync(link_state.rpc, P2S_HELLO, link_state.pid, &req, ms, &link_state.hello);
	if (!err)
		err = creds_tell();
	if (err)
		drop();
	else
		link_state.life = LIFE_BEGUN;
	return err;
}

int link_open(const struct fs_config *cfg)
{
	int err;

	config_take(cfg);
	err = begin(CONNECT_MS);
	if (err) {
		sys_message("storage component %s: no connection: %s", link_state.name, strerror(-err));
		return err;
	}
	err = rpc_answer_sync(link_state.rpc, &link_state.hello, CONNECT_MS);
	if (err) {
		sys_message("storage component %s refused this process: %s", link_state.name, strerror(-err));
		drop();
		return err;
	}
	link_settle();
	return 0;
}

void link_open_later(const struct fs_config *cfg, uint64_t files)
{
	if (link_state.io)
		munmap(net_mr_addr(link_state.io), IO_BYTES);
	link_state.rpc = NULL; /* the parent's, as the rest of it */
	link_state.pd = NULL;
	link_state.io = NULL;
	link_state.life = LIFE_NONE;
	link_state.granting = link_state.granted = link_state.lost = false;
	link_state.aside = files;
	config_take(cfg);
}

bool link_is_later(void)
{
	return link_state.life != LIFE_UP;
}

uint32_t link_lives(void)
{
	return link_state.lives;
}

int link_buffer_make(void)
{
	return link_state.io ? 0 : buffer_alloc();
}

int link_buffer_grant(void)
{
	struct p2s_buffer_req req = { .bytes = IO_BYTES };
	int err;

	if (link_state.granting || link_state.granted)
		return 0;
	err = net_mr_grant(link_state.io, rpc_conn(link_state.rpc), NET_READ | NET_WRITE, &req.key);
	if (!err)
		err = rpc_ask_sync(link_state.rpc, P2S_BUFFER, link_state.pid, &req, RESTORE_CALL_MS,
				   &link_state.grant);
	link_state.granting = !err;
	return err == -EPIPE ? 0 : err; /* the call for which it is granted finds that out */
}

int link_buffer_granted(void)
{
	if (!link_state.granting)
		return 0;
	link_state.granting = false;
	link_state.granted = !link_state.grant.err;
	return link_state.grant.err == RPC_LATER ? -EPROTO : link_state.grant.err;
}

struct rpc *link_rpc(void)
{
	return link_state.rpc;
}

char *link_buffer(void)
{
	return net_mr_addr(link_state.io);
}

bool link_readonly(void)
{
	return link_state.readonly;
}

void link_close_handle(uint64_t real, uint32_t pid)
{
	struct p2s_close_req req = { .handle = real };
	struct p2s_close_rep rep;

	if (!link_state.rpc)
		return;
	rpc_async_error(link_state.rpc); /* a close that failed has no one to be told */
	if (rpc_post_sync(link_state.rpc, P2S_CLOSE, pid, 0, &req, NULL, 0) == -EAGAIN)
		call(P2S_CLOSE, &req, NULL, RESTORE_CALL_MS, &rep, NULL, NULL); /* wait for many under way */
}

bool link_failed(int err)
{
	return !rpc_answered(link_state.rpc) && (err == -EPIPE || err == -EPROTO || err == -ETIMEDOUT);
}

/* ---- the second life ---- */

static bool same_file(const struct handle *h, const struct wire_stat *st)
{
	return h->ino == st->ino && h->dev[0] == st->dev_major && h->dev[1] == st->dev_minor;
}

static int flock_again(const struct handle *h)
{
	struct p2s_flock_req req = { .handle = h->real, .op = h->flock_op };
	struct p2s_flock_rep rep;

	int err = h->flock_op ? call(P2S_FLOCK, &req, NULL, RESTORE_CALL_MS, &rep, NULL, NULL) : 0;

	return err == -EWOULDBLOCK && h->forked ? 0 : err; /* a process that shares it was first */
}

static int open_again(struct handle *h)
{
	struct p2s_open_req req = { .at.path_bytes = (uint32_t)strlen(h->path), .flags = h->flags };
	struct p2s_open_rep rep;
	char where[PATH_MAX];
	uint32_t n = sizeof(where);
	int err = call(P2S_OPEN, &req, h->path, RESTORE_CALL_MS, &rep, where, &n);

	if (err)
		return err;
	h->real = rep.handle;
	err = same_file(h, &rep.stat) ? flock_again(h) : -ESTALE;
	if (err && !link_failed(err))
		link_close_handle(rep.handle, link_state.pid);
	return err;
}

struct reopening {
	int err; /* the connection failed once more */
};

static void lost(struct handle *h, int err)
{
	h->real = 0;
	sys_message("%s is lost with the end of storage component %s (%s): it gives EIO", h->path, link_state.name,
		    strerror(-err));
}

static void reopen(struct handle *h, uint64_t number, void *arg)
{
	struct reopening *r = arg;
	int err;

	(void)number;
	if (r->err || !h->real)
		return; /* not now, or lost before */
	err = open_again(h);
	if (link_failed(err)) {
		r->err = err;
	} else if (err) {
		lost(h, err);
	}
}

static bool any_open(uint64_t handle, void *arg)
{
	(void)arg;
	return handle_get(handle)->real;
}

/* A lock that another has now: who had it believes that he is alone. */
static bool lock_again(const struct p2s_lock_req *locked, void *arg)
{
	struct reopening *r = arg;
	struct handle *h = handle_get(locked->handle);
	struct p2s_lock_req req = *locked;
	struct p2s_lock_rep rep;
	int err;

	if (!h)
		return true; /* the file is lost */
	req.handle = h->real;
	err = call(P2S_LOCK, &req, NULL, RESTORE_CALL_MS, &rep, NULL, NULL);
	if (link_failed(err)) {
		r->err = err;
	} else if (err && !(req.ofd && h->forked)) {
		link_close_handle(h->real, link_state.pid);
		lost(h, err);
	}
	return !r->err;
}

static void close_now(uint64_t real)
{
	link_close_handle(real, link_state.pid);
}

static void forget(uint64_t real)
{
	(void)real;
}

/*
 * Are the component's handles as we know them? What was set aside is ours with the first hello only. 0; 1: no, and now they
 * are; -errno.
 */
static int handles_restore(uint64_t files)
{
	struct reopening r = { 0 };
	bool known = link_state.aside && files == link_state.aside;

	link_state.aside = 0;
	handles_close(known ? close_now : forget);
	if (!known)
		handles_each(reopen, &r);
	if (!known && !r.err)
		ownlocks_each(any_open, lock_again, &r);
	return r.err ? r.err : !known;
}

int link_settle(void)
{
	int err;

	if (link_state.life == LIFE_UP)
		return 0;
	err = rpc_answer_sync(link_state.rpc, &link_state.hello, RESTORE_CALL_MS);
	if (err)
		return err;
	link_state.readonly = link_state.hello_rep.readonly;
	err = handles_restore(link_state.hello_rep.files);
	if (err < 0)
		return err;
	link_state.life = LIFE_UP;
	link_state.lost = false;
	link_state.lives += (uint32_t)err;
	return err;
}

/* One try. The component may be there before the gmm has told it of us: then it refuses, and we come again. */
static int restore_once(void)
{
	int err;

	drop();
	err = begin(RESTORE_CONNECT_MS);
	if (!err)
		err = link_settle();
	return err < 0 ? err : 0;
}

int link_begin(void)
{
	return link_state.life == LIFE_NONE ? begin(CONNECT_MS) : 0;
}

bool link_lost(void)
{
	return link_state.lost || (link_state.life == LIFE_UP && rpc_sync_step(link_state.rpc));
}

void link_try(void)
{
	if (!link_state.wait_s)
		return; /* it ends for good, with the next call */
	link_state.lost = restore_once() != 0;
	if (link_state.lost)
		drop();
	else
		sys_message("storage component %s is another one: the locks on its files are taken again",
			    link_state.name);
}

static void pause_a_little(void)
{
	struct timespec ts = { .tv_nsec = PAUSE_MS * NS_PER_MS };

	nanosleep(&ts, NULL);
	signal_defaults_act();
}

int link_restore(int err)
{
	uint64_t begin = clock_ns();
	uint64_t end = link_state.wait_s == STORAGE_WAIT_FOREVER ? UINT64_MAX : begin + link_state.wait_s * NS_PER_S;

	if (!link_state.wait_s) {
		sys_message("storage component %s is gone (%s): its files give EIO from now on", link_state.name,
			    strerror(-err));
		return -EIO;
	}
	sys_message("storage component %s is gone (%s): calls on its files wait until it is back", link_state.name,
		    strerror(-err));
	while (restore_once()) {
		if (clock_ns() >= end) {
			sys_message("storage component %s is not back after %u s: its files give EIO from now on",
				    link_state.name, link_state.wait_s);
			return -EIO;
		}
		pause_a_little();
	}
	sys_message("storage component %s is back after %.1f s", link_state.name,
		    (double)(clock_ns() - begin) / (double)NS_PER_S);
	return 0;
}
