/* Client: see client.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "ashlar/rpc.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/creds.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/handles.h"
#include "pcomponent/fs/ownlocks.h"
#include "pcomponent/fs/link.h"
#include "pcomponent/sys/sys.h"

#define CALL_MS (60 * 1000u)   /* a storage component may be slow or stopped for a while */
#define BUSY_PAUSE_MS 64u      /* the last pause before ETXTBSY is believed; 127 ms in all */
#define SYNC_MS (3600 * 1000u) /* what waits for the medium */

static struct {
	pthread_mutex_t lock; /* of all of this, of the link and of the handles */
	uint64_t messages;
	uint32_t pid;
	bool gone;    /* for good */
	bool flocked; /* some file was, at some time; atomic */
} client = { .lock = PTHREAD_MUTEX_INITIALIZER };

int client_open(const struct fs_config *cfg)
{
	client.pid = cfg->pid;
	return link_open(cfg);
}

void client_open_later(const struct fs_config *cfg, uint64_t files)
{
	client.pid = cfg->pid;
	link_open_later(cfg, files);
}

int client_buffer(void)
{
	int err;

	pthread_mutex_lock(&client.lock);
	err = link_buffer_make();
	if (!err)
		slots_open(link_buffer());
	pthread_mutex_unlock(&client.lock);
	return err;
}

static __thread uint32_t tid;

static uint32_t thread_id(void)
{
	if (!tid)
		tid = (uint32_t)gettid();
	return tid;
}

static uint32_t call_ms(enum msg_id id)
{
	return id == P2S_SYNC || id == P2S_FALLOCATE ? SYNC_MS : CALL_MS;
}

/* A file has been opened: *handle becomes its number. 0, -ENOMEM, or -EPROTO: there can be no such path. */
static int opened(uint64_t *handle, uint32_t flags, const struct wire_stat *st, const char *path, uint32_t path_bytes)
{
	char where[PATH_MAX + 1];
	uint64_t number = 0;
	int err = path_bytes < sizeof(where) ? -ENOMEM : -EPROTO;

	if (err == -ENOMEM) {
		memcpy(where, path, path_bytes);
		where[path_bytes] = '\0';
		number = handle_add(*handle, where, flags, st);
	}
	if (!number) {
		link_close_handle(*handle, client.pid);
		return err;
	}
	*handle = number;
	return 0;
}

/* What a reply says that we must know when the files are opened again. 0 or -errno. */
static int remember(enum msg_id id, const void *req, void *rep, const char *tail, uint32_t tail_bytes)
{
	const struct p2s_flock_req *flock_req = req;
	struct p2s_open_rep *open = rep;
	struct p2s_exec_rep *exec = rep;
	struct p2s_take_rep *take = rep;
	struct handle *h;
	int err;

	switch (id) {
	case P2S_FLOCK:
		if ((h = handle_get(flock_req->handle))) {
			h->flock_op = flock_req->op & LOCK_UN ? 0 : flock_req->op & (LOCK_SH | LOCK_EX);
			if (h->flock_op)
				__atomic_store_n(&client.flocked, true, __ATOMIC_RELAXED);
		}
		return 0;
	case P2S_LOCK:
		if (((const struct p2s_lock_req *)req)->op != P2S_LOCK_GET)
			ownlocks_note(req);
		return 0;
	case P2S_OPEN:
		return opened(&open->handle, ((const struct p2s_open_req *)req)->flags, &open->stat, tail, tail_bytes);
	case P2S_EXEC:
		if (exec->head_bytes > P2S_EXEC_HEAD || exec->path_bytes + (uint64_t)exec->head_bytes != tail_bytes)
			return -EPROTO;
		return opened(&exec->handle, O_RDONLY, &exec->stat, tail, exec->path_bytes);
	case P2S_TAKE:
		if (((const struct p2s_take_req *)req)->op == P2S_TAKE_DONE)
			return 0;
		err = opened(&take->handle, take->flags, &take->stat, tail, tail_bytes);
		if (!err)
			handle_get(take->handle)->forked = true;
		return err;
	default:
		return 0;
	}
}

/*
 * A request that was under way when the component went may have been done, and the answer lost: then the second try
 * finds it done. Where a name would be made, EEXIST stays, as it may be another's (lock files are made so): the safe side.
 */
static int second_try(enum msg_id id, int err)
{
	return (id == P2S_UNLINK || id == P2S_RENAME) && err == -ENOENT ? 0 : err;
}

static __thread bool impatient;

void fs_never_wait(void)
{
	impatient = true;
}

/* The component is gone. false: this thread is not one that waits for it. */
static bool wait_for_it(int err)
{
	if (impatient)
		return false;
	client.gone = link_restore(err) != 0;
	return true;
}

static bool uses_buffer(enum msg_id id)
{
	return id == P2S_READ || id == P2S_WRITE || id == P2S_GETDENTS;
}

/* One try: 0 or -errno of the component's or of the connection, which link_failed tells apart. */
static int call_once(enum msg_id id, const void *wire, const void *tail, uint32_t tail_bytes, void *rep, void *rep_tail,
		     uint32_t *rep_tail_bytes)
{
	client.messages++;
	return rpc_call_sync(link_rpc(), id, client.pid, thread_id(), wire, tail, tail_bytes, call_ms(id), rep,
			     rep_tail, rep_tail_bytes);
}

/* Under the lock. The reply's tail is asked for again in full at each try. */
static int call(enum msg_id id, const void *req, const void *tail, uint32_t tail_bytes, void *rep, void *rep_tail,
		uint32_t *rep_tail_bytes)
{
	uint32_t req_bytes = msg_info((uint16_t)id)->req_bytes;
	uint32_t tail_max = rep_tail_bytes ? *rep_tail_bytes : 0;
	uint64_t wire[REQUEST_BYTES_MAX / 8];
	bool again = false;
	int err, settled;

	while (!client.gone) {
		err = link_begin();
		if (err) {
			if (!wait_for_it(err))
				break;
			continue;
		}
		memcpy(wire, req, req_bytes);
		err = handles_translate(id, wire);
		if (!err && uses_buffer(id))
			err = link_buffer_grant();
		if (err)
			return err;
		if (rep_tail_bytes)
			*rep_tail_bytes = tail_max;
		err = call_once(id, wire, tail, tail_bytes, rep, rep_tail, rep_tail_bytes);
		settled = link_failed(err) ? err : link_settle();
		if (settled < 0) {
			again = true;
			if (!wait_for_it(settled))
				break;
		} else if (!settled || !handles_named(id, wire)) {
			if (uses_buffer(id) && link_buffer_granted())
				err = -EIO;
			if (again)
				err = second_try(id, err);
			return err ? err : remember(id, req, rep, rep_tail, rep_tail_bytes ? *rep_tail_bytes : 0);
		}
	}
	return -EIO;
}

/*
 * A file that was being written to, or run, may be so no more, and the component not have heard of it yet: another process's
 * close comes by another connection. So it is asked again for a while.
 */
int client_call(enum msg_id id, const void *req, const void *tail, uint32_t tail_bytes, void *rep, void *rep_tail,
		uint32_t *rep_tail_bytes)
{
	uint32_t room = rep_tail_bytes ? *rep_tail_bytes : 0;
	unsigned pause_ms = 1;
	int err;

	for (;;) {
		pthread_mutex_lock(&client.lock);
		err = call(id, req, tail, tail_bytes, rep, rep_tail, rep_tail_bytes);
		pthread_mutex_unlock(&client.lock);
		if (err != -ETXTBSY || pause_ms > BUSY_PAUSE_MS)
			return err;
		usleep(pause_ms * 1000);
		pause_ms *= 2;
		if (rep_tail_bytes)
			*rep_tail_bytes = room;
	}
}

void client_close_handle(uint64_t number)
{
	uint64_t real;

	pthread_mutex_lock(&client.lock);
	ownlocks_closed(number);
	real = link_is_later() ? handle_close_later(number) : handle_remove(number);
	if (real && !client.gone) {
		client.messages++;
		link_close_handle(real, client.pid);
	}
	pthread_mutex_unlock(&client.lock);
}

/*
 * Who is not connected says it when he comes. A component that does not believe it serves nobody in our name any more (p2s.h);
 * one that did not hear of it would go on in the old name.
 */
void fs_creds_changed(void)
{
	struct p2s_creds_req req;
	struct p2s_creds_rep rep;
	const uint32_t *groups;
	uint32_t bytes;
	int err = 0;

	pthread_mutex_lock(&client.lock);
	if (creds_look() && link_rpc() && !client.gone) {
		bytes = creds_message(&req, &groups);
		err = call(P2S_CREDS, &req, groups, bytes, &rep, NULL, NULL);
	}
	if (err && err != -EPERM && !client.gone) {
		client.gone = true;
		sys_message("the storage component cannot be told who the process is now (%s): its files give EIO",
			    strerror(-err));
	}
	pthread_mutex_unlock(&client.lock);
}

/* ---- locks outlive the component ---- */

bool fs_locks_lost(void)
{
	bool lost;

	if (!ownlocks_any() && !__atomic_load_n(&client.flocked, __ATOMIC_RELAXED))
		return false;
	if (pthread_mutex_trylock(&client.lock))
		return false; /* who makes a call finds out himself */
	lost = !client.gone && link_lost();
	pthread_mutex_unlock(&client.lock);
	return lost;
}

void fs_locks_restore(void)
{
	pthread_mutex_lock(&client.lock);
	if (!client.gone && link_lost())
		link_try();
	pthread_mutex_unlock(&client.lock);
}

/* ---- fork ---- */

void client_lock(void)
{
	pthread_mutex_lock(&client.lock);
}

void client_unlock(void)
{
	pthread_mutex_unlock(&client.lock);
}

/* One message of several. -EBADF: a handle of ours is not the component's any more. */
static int set_aside(uint32_t member, const uint64_t *handles, uint32_t n)
{
	uint64_t real[MSG_TAIL_MAX / sizeof(uint64_t)];
	struct p2s_fork_req req = { .member = member, .exec = n > 0 };
	struct p2s_fork_rep rep;
	struct handle *h;
	uint32_t i;

	for (i = 0; i < n; i++) {
		h = handle_get(handles[i]);
		if (!h || !h->real)
			continue; /* a lost one is lost for the member as well */
		h->forked = true;
		real[req.n++] = h->real;
	}
	if (n && !req.n)
		return 0;
	return call(P2S_FORK, &req, real, req.n * (uint32_t)sizeof(real[0]), &rep, NULL, NULL);
}

static void mark_forked(struct handle *h, uint64_t number, void *arg)
{
	(void)number;
	(void)arg;
	h->forked = true;
}

/* A component that ended meanwhile has forgotten what was set aside, and has our files under other handles. */
int client_set_aside(uint32_t member, const uint64_t *handles, uint32_t n)
{
	const uint32_t most = MSG_TAIL_MAX / sizeof(uint64_t);
	uint32_t i, lives;
	int err;

	do {
		err = link_begin();
		if (err)
			client.gone = link_restore(err) != 0;
		if (client.gone)
			return 0; /* its files give EIO, here and there */
		lives = link_lives();
		if (!n)
			handles_each(mark_forked, NULL);
		err = n ? 0 : set_aside(member, NULL, 0);
		for (i = 0; i < n && !err; i += most)
			err = set_aside(member, handles + i, n - i < most ? n - i : most);
	} while (!client.gone && lives != link_lives());
	return client.gone ? 0 : err;
}

void client_child(const struct fs_config *cfg)
{
	pthread_mutex_init(&client.lock, NULL);
	client.messages = 0;
	tid = 0;
	ownlocks_child();
	client_open_later(cfg, handles_live());
}

void client_locks_leave(uint64_t handle)
{
	struct p2s_lock_req req = { .handle = handle, .end = INT64_MAX, .op = P2S_LOCK_SET, .type = F_UNLCK };
	struct p2s_lock_rep rep;

	if (!ownlocks_any())
		return;
	pthread_mutex_lock(&client.lock);
	if (ownlocks_drop(handle))
		call(P2S_LOCK, &req, NULL, 0, &rep, NULL, NULL);
	pthread_mutex_unlock(&client.lock);
}

uint64_t client_messages(void)
{
	return __atomic_load_n(&client.messages, __ATOMIC_RELAXED);
}

bool client_readonly(void)
{
	return link_readonly();
}
