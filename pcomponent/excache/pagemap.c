/*
 * See pagemap.h. A component that takes no messages (it is stopped) holds nobody up for long: entries wait here, up to
 * PENDING_MAX; then it is asked to take some, once in SILENT_NS. What it does not take is left out and said: its copy is
 * then behind for the rest of the run. The lines decide, so the process itself loses nothing by that.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/limits.h"
#include "ashlar/base/log.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/pagemap.h"

#define PENDING_MAX (1024u * MAP_BATCH_MAX)
#define ASK_MS 1000u
#define SILENT_NS (10 * NS_PER_S)
#define SETTLE_MS 5000u
#define SETTLE_LOOK_US 1000u

struct pending {
	struct map_entry *entry;
	uint32_t n, size;
	uint64_t silent_until_ns;
	bool behind;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pending pending[PROCESS_MEMORY_MAX];

static void sent_remove(struct pending *p, uint32_t n)
{
	if (!n)
		return;
	p->n -= n;
	memmove(p->entry, p->entry + n, p->n * sizeof(*p->entry));
}

static int send_all(uint32_t component)
{
	struct pending *p = &pending[component];
	uint32_t sent = 0;
	int err = 0;

	while (sent < p->n && !err) {
		struct p2m_map_req req = { .n = p->n - sent < MAP_BATCH_MAX ? p->n - sent : MAP_BATCH_MAX };

		err = memory_post(component, P2M_MAP, &req, p->entry + sent, req.n * (uint32_t)sizeof(*p->entry));
		if (!err)
			sent += req.n;
	}
	if (err && err != -EAGAIN)
		sent = p->n; /* it is gone: nothing to tell any more */
	sent_remove(p, sent);
	return err;
}

/* No room for more: wait for the component to take a batch. */
static void send_now(uint32_t component)
{
	struct pending *p = &pending[component];
	struct p2m_map_req req = { .n = MAP_BATCH_MAX };
	struct p2m_map_rep rep;
	int err;

	if (clock_ns() < p->silent_until_ns)
		return;
	err = memory_call(component, P2M_MAP, &req, p->entry, req.n * (uint32_t)sizeof(*p->entry), ASK_MS, &rep);
	if (err == -ETIMEDOUT)
		p->silent_until_ns = clock_ns() + SILENT_NS;
	else
		sent_remove(p, req.n);
}

static bool grow(struct pending *p)
{
	uint32_t size = p->size ? p->size * 2 : MAP_BATCH_MAX;
	struct map_entry *e = size <= PENDING_MAX ? realloc(p->entry, size * sizeof(*e)) : NULL;

	if (!e)
		return false;
	p->entry = e;
	p->size = size;
	return true;
}

static void add(uint32_t component, uint64_t vpn, uint64_t slab_frame)
{
	struct pending *p = &pending[component];

	pthread_mutex_lock(&lock);
	/* A batch is full: once per MAP_BATCH_MAX entries is often enough to try. */
	if (p->n > 0 && p->n % MAP_BATCH_MAX == 0)
		(void)send_all(component);
	if (p->n == PENDING_MAX)
		send_now(component);
	if (p->n < p->size || grow(p)) {
		p->entry[p->n++] = (struct map_entry){ .vpn = vpn, .slab_frame = slab_frame };
	} else if (!p->behind) {
		p->behind = true;
		log_warn("memory component %s takes no messages: its copy of the page map is behind",
			 memory_name(component));
	}
	pthread_mutex_unlock(&lock);
}

void pagemap_set(uint32_t component, uint64_t vpn, uint64_t slab, uint32_t frame)
{
	add(component, vpn, slab << 16 | frame);
}

void pagemap_clear(uint32_t component, uint64_t vpn)
{
	add(component, vpn, 0);
}

int pagemap_flush(uint32_t component)
{
	int err;

	pthread_mutex_lock(&lock);
	err = send_all(component);
	pthread_mutex_unlock(&lock);
	return err;
}

/* It may have been stopped for a moment, or have much to do. */
int pagemap_settle(uint32_t component)
{
	uint64_t limit = clock_ns() + SETTLE_MS * NS_PER_MS;
	int err;

	while ((err = pagemap_flush(component)) == -EAGAIN) {
		if (clock_ns() > limit)
			return -ETIMEDOUT;
		usleep(SETTLE_LOOK_US);
	}
	return err;
}

void pagemap_fork_lock(void)
{
	pthread_mutex_lock(&lock);
}

void pagemap_fork_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void pagemap_fork_child(void)
{
	pthread_mutex_init(&lock, NULL);
	for (uint32_t i = 0; i < PROCESS_MEMORY_MAX; i++)
		pending[i].n = 0;
}

void pagemap_close(void)
{
	for (uint32_t i = 0; i < PROCESS_MEMORY_MAX; i++) {
		free(pending[i].entry);
		pending[i] = (struct pending){ .n = 0 };
	}
}
