/* For tests of the memory monitor: one of 1024 frames, its listener, and the requests that tests make. */
#ifndef ASHLAR_TESTS_MCOMPONENT_RIG_H
#define ASHLAR_TESTS_MCOMPONENT_RIG_H
#include "mcomponent/mcomponent.h"
#include "monitor_rig.h"

#define FRAMES 1024u

static struct mcomponent *mem;
static struct net_listener *mem_listener;
static const char *mem_addr;

static inline void mem_accepted(void *arg, struct net_conn *conn)
{
	mcomponent_accepted(mem, conn);
}

static inline int mem_open(void **state)
{
	struct mcomponent_config config = { .bytes = FRAMES * PAGE_BYTES, .counters = &rig_counters };

	if (rig_open(state))
		return -1;
	config.loop = rig_loop;
	config.net = rig_net;
	if (mcomponent_open(&config, &mem) || net_listen(rig_net, "local:auto", mem_accepted, NULL, &mem_listener))
		return -1;
	mem_addr = net_listener_addr(mem_listener);
	log_set_fd(-1);
	return 0;
}

static inline int mem_close(void **state)
{
	net_listener_close(mem_listener);
	mcomponent_close(mem);
	return rig_close(state);
}

static inline struct mcomponent_stat mem_stat(void)
{
	struct mcomponent_stat s;

	mcomponent_stat(mem, &s);
	return s;
}

static inline struct cap mem_cap(uint32_t pid)
{
	return (struct cap){ { 0x1111111111111111ULL * pid, ~(uint64_t)pid } };
}

static inline int mem_admit(uint32_t pid, uint64_t frames)
{
	struct g2x_admit_req req = { .cap = mem_cap(pid), .pid = pid, .bytes = frames * PAGE_BYTES };

	return mcomponent_admit(mem, &req, NULL, 0);
}

static inline int mem_hello_with(struct rig_peer *p, uint32_t pid, struct cap cap)
{
	struct p2m_hello_req req = { .cap = cap, .pid = pid };

	return rig_ask(p, P2M_HELLO, &req);
}

static inline int mem_guard(struct rig_peer *p, uint32_t pid)
{
	struct p2m_guard_req req = { .cap = mem_cap(pid), .pid = pid };

	return rig_ask(p, P2M_GUARD, &req);
}

/* A dispatcher of process pid, proved. */
static inline void mem_bind(struct rig_peer *p, uint32_t pid)
{
	rig_connect(p, mem_addr, KIND_DISPATCHER);
	assert_int_equal(mem_hello_with(p, pid, mem_cap(pid)), 0);
}

static inline int mem_get(struct rig_peer *p, uint32_t frames, struct p2m_slab_get_rep *rep)
{
	struct p2m_slab_get_req req = { .frames = frames };
	int err = rig_ask(p, P2M_SLAB_GET, &req);

	if (!err && rep)
		memcpy(rep, rig_answer.rep, sizeof(*rep));
	return err;
}

static inline int mem_seal(struct rig_peer *p, uint64_t slab)
{
	struct p2m_slab_seal_req req = { .slab = slab };

	return rig_ask(p, P2M_SLAB_SEAL, &req);
}

static inline int mem_put(struct rig_peer *p, uint64_t slab)
{
	struct p2m_slab_put_req req = { .slab = slab };

	return rig_ask(p, P2M_SLAB_PUT, &req);
}

static inline int mem_map(struct rig_peer *p, const struct map_entry *e, uint32_t n)
{
	struct p2m_map_req req = { .n = n };

	return rig_ask_tail(p, P2M_MAP, &req, e, n * (uint32_t)sizeof(*e));
}

static inline struct p2m_stat_rep mem_told(struct rig_peer *p)
{
	struct p2m_stat_req req = { 0 };
	struct p2m_stat_rep rep;

	assert_int_equal(rig_ask(p, P2M_STAT, &req), 0);
	memcpy(&rep, rig_answer.rep, sizeof(rep));
	return rep;
}

#endif
