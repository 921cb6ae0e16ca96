/* See memory.h. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "ashlar/rpc.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/memory.h"

#define CONNECT_MS 5000u
#define TOLD_LOOK_US 500u

/* NEW: nobody needed it yet. DYING: the user is being told. Only NEW to ALIVE or DEAD, under the lock, has an rpc to come. */
enum life { NEW, ALIVE, DYING, DEAD };

struct memory {
	struct rpc *rpc;
	pthread_mutex_t lock; /* rpc */
	uint32_t life;	      /* enum life; atomic */
	uint64_t quota_bytes;
	uint32_t slab_frames_max;
	struct excache_memory at;
};

static struct memory memory[PROCESS_MEMORY_MAX];
static uint32_t count;

static uint32_t tid_self(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

static enum life life_of(const struct memory *m)
{
	return __atomic_load_n(&m->life, __ATOMIC_ACQUIRE);
}

static void life_set(struct memory *m, enum life life)
{
	__atomic_store_n(&m->life, life, __ATOMIC_RELEASE);
}

/* After it failed, with a message, there may be an rpc to close. */
static int memory_connect(struct memory *m)
{
	struct p2m_hello_req req = { .cap = m->at.cap, .pid = excache.pid, .member = excache.member };
	struct p2m_hello_rep rep;
	const char *name = m->at.name;
	int err;

	err = rpc_connect_sync(excache.net, m->at.addr, KIND_DISPATCHER, KIND_MEMORY, CONNECT_MS, &m->rpc);
	if (err) {
		m->rpc = NULL;
		excache.message("memory component %s at %s does not answer: %s", name, m->at.addr, strerror(-err));
		return err;
	}
	err = rpc_call_sync(m->rpc, P2M_HELLO, excache.pid, tid_self(), &req, NULL, 0, CONNECT_MS, &rep, NULL, NULL);
	if (err) {
		excache.message("memory component %s refuses process %u: %s", name, excache.pid, strerror(-err));
		return err;
	}
	m->quota_bytes = rep.quota_bytes;
	m->slab_frames_max = rep.slab_frames_max;
	return 0;
}

/* The component as one that nobody needed yet. */
static void memory_name_it(struct memory *m, const struct excache_memory *at, enum life life)
{
	*m = (struct memory){ .life = life, .at = *at };
	m->at.name[NAME_BYTES - 1] = '\0';
	pthread_mutex_init(&m->lock, NULL);
}

int memory_open(const struct excache_memory *c, uint32_t n, bool lazy)
{
	int err = 0;

	if (n == 0 || n > PROCESS_MEMORY_MAX)
		return -EINVAL;
	for (count = 0; count < n; count++)
		memory_name_it(&memory[count], &c[count], NEW);
	for (uint32_t i = 0; i < n && !lazy && !err; i++) {
		err = memory_connect(&memory[i]);
		life_set(&memory[i], ALIVE);
	}
	if (err)
		memory_close();
	else
		STAT_SET(excache.stats->components, n);
	return err;
}

void memory_close(void)
{
	for (uint32_t i = 0; i < count; i++) {
		if (memory[i].rpc)
			rpc_close(memory[i].rpc);
		memory[i].rpc = NULL;
		pthread_mutex_destroy(&memory[i].lock);
	}
	count = 0;
}

void memory_fork_lock(void)
{
	for (uint32_t i = 0; i < count; i++)
		pthread_mutex_lock(&memory[i].lock);
}

void memory_fork_unlock(void)
{
	for (uint32_t i = 0; i < count; i++)
		pthread_mutex_unlock(&memory[i].lock);
}

int memory_fork_child(const struct excache_memory *c, uint32_t n)
{
	if (n != count)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++)
		memory_name_it(&memory[i], &c[i], life_of(&memory[i]) >= DYING ? DEAD : NEW);
	STAT_SET(excache.stats->components, n);
	return 0;
}

/* Take the component's lock, connected. 0, or -EPIPE, without the lock: it is dead, and the user knows. */
static int memory_lock(struct memory *m)
{
	bool came = false;

	pthread_mutex_lock(&m->lock);
	if (life_of(m) == NEW) {
		came = memory_connect(m) == 0;
		if (!came && m->rpc)
			rpc_close(m->rpc);
		if (!came)
			m->rpc = NULL;
		life_set(m, came ? ALIVE : DEAD);
	}
	if (!m->rpc) {
		pthread_mutex_unlock(&m->lock);
		return -EPIPE;
	}
	if (came && excache.connected) {
		pthread_mutex_unlock(&m->lock);
		excache.connected();
		pthread_mutex_lock(&m->lock);
	}
	return 0;
}

uint32_t memory_count(void)
{
	return count;
}

const char *memory_name(uint32_t component)
{
	return memory[component].at.name;
}

uint64_t memory_quota_bytes(uint32_t component)
{
	return memory[component].quota_bytes;
}

uint32_t memory_slab_frames_max(uint32_t component)
{
	return memory[component].slab_frames_max;
}

bool memory_dead(uint32_t component)
{
	return life_of(&memory[component]) >= DYING;
}

void memory_lost(uint32_t component, int why)
{
	struct memory *m = &memory[component];
	uint32_t alive = ALIVE;

	if (!__atomic_compare_exchange_n(&m->life, &alive, DYING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		/* Whoever knows of it may end the process at once: not before its user knows why. */
		while (life_of(m) != DEAD)
			usleep(TOLD_LOOK_US);
		return;
	}
	net_conn_kill(rpc_conn(m->rpc));
	excache.message("memory component %s is gone (%s): process %u loses the pages it holds", m->at.name,
			strerror(-why), excache.pid);
	life_set(m, DEAD);
}

/* There is a connection, if only a dead one; without the lock. */
static bool memory_met(const struct memory *m)
{
	return life_of(m) != NEW && m->rpc;
}

unsigned memory_fds(int *fds, unsigned max)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < count && n < max; i++)
		if (memory_met(&memory[i]))
			fds[n++] = net_conn_fd(rpc_conn(memory[i].rpc));
	return n;
}

void memory_fd_dead(int fd)
{
	for (uint32_t i = 0; i < count; i++)
		if (memory_met(&memory[i]) && net_conn_fd(rpc_conn(memory[i].rpc)) == fd)
			memory_lost(i, -EPIPE);
}

int memory_call(uint32_t component, enum msg_id id, const void *req, const void *tail, uint32_t tail_bytes,
		uint32_t deadline_ms, void *rep)
{
	struct memory *m = &memory[component];
	bool answered;
	int err = -EPIPE;

	if (memory_dead(component))
		return err;
	if (memory_lock(m))
		return err;
	err = rpc_call_sync(m->rpc, id, excache.pid, tid_self(), req, tail, tail_bytes, deadline_ms, rep, NULL, NULL);
	answered = rpc_answered(m->rpc);
	pthread_mutex_unlock(&m->lock);
	if (!answered && (err == -EPIPE || err == -EPROTO))
		memory_lost(component, err);
	return err;
}

/* An error of an earlier post means that our books and the component's differ, which costs nothing but its copy. */
static void memory_async_error(struct memory *m)
{
	int err = rpc_async_error(m->rpc);

	if (err)
		log_warn("memory component %s refused part of the page map: %s", m->at.name, strerror(-err));
}

int memory_post(uint32_t component, enum msg_id id, const void *req, const void *tail, uint32_t tail_bytes)
{
	struct memory *m = &memory[component];
	int err = -EPIPE;

	if (memory_dead(component))
		return err;
	if (memory_lock(m))
		return err;
	err = rpc_post_sync(m->rpc, id, excache.pid, tid_self(), req, tail, tail_bytes);
	memory_async_error(m);
	pthread_mutex_unlock(&m->lock);
	if (err == -EPIPE || err == -EPROTO)
		memory_lost(component, err);
	return err;
}

/* Whoever has the lock uses the connection, and hears of its end himself. */
static void connection_look(uint32_t component)
{
	struct memory *m = &memory[component];
	int err = 0;

	if (memory_dead(component) || pthread_mutex_trylock(&m->lock))
		return;
	if (m->rpc) { /* not yet connected to, it has nothing to say */
		err = rpc_sync_step(m->rpc);
		memory_async_error(m);
	}
	pthread_mutex_unlock(&m->lock);
	if (err == -EPIPE || err == -EPROTO)
		memory_lost(component, err);
}

void memory_look(void)
{
	for (uint32_t i = 0; i < count; i++)
		connection_look(i);
}

int memory_data_open(uint32_t component, enum net_class class, struct net_data **out)
{
	struct memory *m = &memory[component];
	int err = memory_lock(m);

	if (err)
		return err;
	err = net_data_open(rpc_conn(m->rpc), class, out);
	pthread_mutex_unlock(&m->lock);
	return err;
}

int memory_remote_open(uint32_t component, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct memory *m = &memory[component];
	int err = memory_lock(m);

	if (err)
		return err;
	err = net_remote_open(rpc_conn(m->rpc), key, bytes, out);
	pthread_mutex_unlock(&m->lock);
	return err;
}
