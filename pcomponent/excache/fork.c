/*
 * Fork; see excache.h and docs/memory-model.md. Line words are the same in both processes: the host kernel shares the
 * resident pages by copy-on-write, the memory components their frames, which are sealed. What the child has of its own is
 * made here.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/pagemap.h"
#include "pcomponent/excache/port.h"
#include "pcomponent/excache/present.h"
#include "pcomponent/excache/reclaim.h"
#include "pcomponent/excache/slack.h"
#include "pcomponent/excache/uffd.h"
#include "pcomponent/excache/writeback.h"

static struct excache_port *port; /* to move lines by; opened when there is need */

void fork_close(void)
{
	excache_port_close(port);
	port = NULL;
}

/* What is open is sealed by each fork: those who fork often would gather sparse slabs. */
static void slack_before_fork(void)
{
	if (!backing_sparse_choose(SLACK_FORK_PAGES) || (!port && excache_port_open(&port)))
		return;
	slack_reduce(port, SLACK_FORK_PAGES, ULONG_MAX);
}

int excache_fork_prepare(uint32_t member)
{
	int err;

	reclaim_lock();
	reclaim_collect();
	slack_before_fork();
	err = backing_fork(member);
	if (err) {
		reclaim_unlock();
		return err;
	}
	ports_fork_lock();
	pagemap_fork_lock();
	memory_fork_lock();
	return 0;
}

void excache_fork_parent(void)
{
	memory_fork_unlock();
	pagemap_fork_unlock();
	ports_fork_unlock();
	reclaim_unlock();
}

/* A fork drops both: register, then protect all that is there; what is dirty is so too much, which is harmless. */
static int range_renew(uint64_t start, uint64_t end)
{
	uint64_t calls = 0;
	int err = uffd_register(start, end - start);

	return err ? err : uffd_protect(start, (end - start) >> PAGE_SHIFT, &calls);
}

int excache_fork_child(const struct excache_config *c, int (*ranges)(int (*registered)(uint64_t start, uint64_t end)))
{
	int err;

	excache.net = c->net;
	excache.stats = c->stats;
	excache.member = c->member;
	excache.fd_floor = c->fd_floor;
	excache.connected = c->connected;
	excache.message = c->message;
	STAT_SET(c->stats->kernel_used, excache.kernel_used);
	err = memory_fork_child(c->memory, c->n_memory);
	if (err)
		return err;
	pagemap_fork_child();
	backing_fork_child();
	port = NULL;
	writeback_fork_child(c->peek);
	uffd_fork_child(c->fd_floor);
	present_fork_child();
	err = ports_fork_child();
	if (!err)
		err = ranges(range_renew);
	excache_budget_apply(c->budget_bytes / PAGE_BYTES < EXCACHE_LINES_MIN ? EXCACHE_LINES_MIN
									      : c->budget_bytes / PAGE_BYTES);
	room_account();
	reclaim_unlock();
	if (err)
		c->message("the ExCache of a forked process cannot start: %s", strerror(-err));
	return err;
}
