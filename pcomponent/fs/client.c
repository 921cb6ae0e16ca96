/* Client: see client.h. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/net.h"
#include "ashlar/rpc.h"
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/sys/sys.h"

#define CONNECT_MS 5000u
#define CALL_MS (60 * 1000u)   /* a storage component may be slow or stopped for a while */
#define SYNC_MS (3600 * 1000u) /* what waits for the medium */

static struct {
	pthread_mutex_t lock; /* of rpc */
	struct rpc *rpc;
	struct net_pd *pd;
	struct net_mr *io;
	const char *name;
	uint64_t messages;
	uint32_t pid;
	bool readonly, gone;
} client = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int buffer_open(const struct fs_config *cfg)
{
	struct p2s_buffer_req req = { .bytes = (uint64_t)IO_SLOTS * IO_SLOT_BYTES };
	struct p2s_buffer_rep rep;
	int err;

	err = net_pd_open(cfg->net, &client.pd);
	if (err)
		return err;
	err = net_mr_alloc(client.pd, req.bytes, true, &client.io);
	if (err)
		goto pd;
	err = net_mr_grant(client.io, rpc_conn(client.rpc), NET_READ | NET_WRITE, &req.key);
	if (!err)
		err = client_call(P2S_BUFFER, &req, NULL, 0, &rep, NULL, NULL);
	if (err)
		goto mr;
	return slots_open(net_mr_addr(client.io));
mr:
	net_mr_free(client.io);
pd:
	net_pd_close(client.pd);
	return err;
}

int client_open(const struct fs_config *cfg)
{
	struct p2s_hello_req req = { .cap = cfg->cap, .pid = cfg->pid };
	struct p2s_hello_rep rep;
	int err;

	client.pid = cfg->pid;
	client.name = cfg->s_name;
	err = rpc_connect_sync(cfg->net, cfg->s_addr, KIND_DISPATCHER, KIND_STORAGE, CONNECT_MS, &client.rpc);
	if (err) {
		sys_message("storage component %s: no connection: %s", cfg->s_name, strerror(-err));
		return err;
	}
	err = client_call(P2S_HELLO, &req, NULL, 0, &rep, NULL, NULL);
	if (err) {
		sys_message("storage component %s refused this process: %s", cfg->s_name, strerror(-err));
		goto rpc;
	}
	client.readonly = rep.readonly;
	err = buffer_open(cfg);
	if (err) {
		sys_message("storage component %s: no io buffer: %s", cfg->s_name, strerror(-err));
		goto rpc;
	}
	return 0;
rpc:
	rpc_close(client.rpc);
	client.rpc = NULL;
	return err;
}

static uint32_t thread_id(void)
{
	static __thread uint32_t id;

	if (!id)
		id = (uint32_t)gettid();
	return id;
}

static uint32_t call_ms(enum msg_id id)
{
	return id == P2S_SYNC || id == P2S_FALLOCATE ? SYNC_MS : CALL_MS;
}

/* The connection failed, not the request. Under the lock. */
static int lost(int err)
{
	if (!client.gone)
		sys_message("storage component %s is gone (%s): its files give EIO from now on", client.name,
			    strerror(-err));
	client.gone = true;
	return -EIO;
}

int client_call(enum msg_id id, const void *req, const void *tail, uint32_t tail_bytes, void *rep, void *rep_tail,
		uint32_t *rep_tail_bytes)
{
	int err = -EIO;

	pthread_mutex_lock(&client.lock);
	if (!client.gone) {
		client.messages++;
		err = rpc_call_sync(client.rpc, id, client.pid, thread_id(), req, tail, tail_bytes, call_ms(id), rep,
				    rep_tail, rep_tail_bytes);
		if (err == -EPIPE || err == -EPROTO || err == -ETIMEDOUT)
			err = lost(err);
	}
	pthread_mutex_unlock(&client.lock);
	return err;
}

void client_close_handle(uint64_t handle)
{
	struct p2s_close_req req = { .handle = handle };
	struct p2s_close_rep rep;
	int err = 0;

	pthread_mutex_lock(&client.lock);
	if (!client.gone) {
		client.messages++;
		err = rpc_post_sync(client.rpc, P2S_CLOSE, client.pid, thread_id(), &req, NULL, 0);
		rpc_async_error(client.rpc); /* a close that failed has no one to be told */
	}
	pthread_mutex_unlock(&client.lock);
	if (err == -EAGAIN) /* many closes under way: wait for this one, and so for them */
		client_call(P2S_CLOSE, &req, NULL, 0, &rep, NULL, NULL);
}

uint64_t client_messages(void)
{
	return __atomic_load_n(&client.messages, __ATOMIC_RELAXED);
}

bool client_readonly(void)
{
	return client.readonly;
}
