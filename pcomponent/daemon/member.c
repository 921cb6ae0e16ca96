/* Members: the processes of a tree, from the number that they are given to their end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/relay.h"
#include "pcomponent/daemon/internal.h"

static void due(void *arg)
{
	dmember_end(arg, "did not come");
}

struct dmember *dmember_new(struct dprocess *p, uint32_t id)
{
	struct dmember *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->tree = p;
	m->id = id;
	m->cap = cap_of_member(&p->cap, id);
	m->host_fd = -1;
	m->due.fn = due;
	m->due.arg = m;
	list_add_tail(&p->members, &m->link);
	p->n_members++;
	p->d->n_members++;
	return m;
}

struct dmember *dmember_find(struct dprocess *p, uint32_t id)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &p->members) {
		struct dmember *m = container_of(pos, struct dmember, link);

		if (m->id == id || (id && m->exec_id == id))
			return m;
	}
	return NULL;
}

static void host_ended(void *arg, uint32_t events)
{
	(void)events;
	dmember_end(arg, "ended");
}

int dmember_watch(struct dmember *m, int32_t host_pid)
{
	struct daemon *d = m->tree->d;
	int fd = d->host->process_open(host_pid);
	int err;

	if (fd < 0)
		return fd;
	err = loop_fd_add(d->loop, fd, EPOLLIN, host_ended, m);
	if (err) {
		d->host->process_close(fd);
		return err;
	}
	err = d->relay ? relay_charge(d->relay, host_pid, m->tree->pid, m->tree->weight) : 0;
	if (err) {
		loop_fd_del(d->loop, fd);
		d->host->process_close(fd);
		return err;
	}
	m->host_fd = fd;
	m->host_pid = host_pid;
	return 0;
}

void dmember_unwatch(struct dmember *m)
{
	struct daemon *d = m->tree->d;

	if (m->host_fd < 0)
		return;
	if (d->relay)
		relay_uncharge(d->relay, m->host_pid);
	loop_fd_del(d->loop, m->host_fd);
	d->host->process_close(m->host_fd);
	m->host_fd = -1;
}

/* Each process that uses the fabric itself costs every component queue pairs: there is a bound, and then the relay. */
bool dmember_direct(const struct dmember *m, bool *has)
{
	struct daemon *d = m->tree->d;

	if (!d->relay)
		return true;
	if (!*has && d->n_direct < d->direct_max) {
		*has = true;
		d->n_direct++;
	}
	return *has;
}

static void dispatcher_drop(struct dmember *m)
{
	struct dpeer *peer = m->dispatcher;

	m->dispatcher = NULL;
	if (!peer)
		return;
	peer->member = NULL;
	peer_close(&peer->base);
}

void dmember_exec(struct dmember *m)
{
	uint64_t bytes = budget_in_force(m);

	if (!m->exec_id)
		return;
	dispatcher_drop(m);
	loop_timer_del(m->tree->d->loop, &m->due);
	guards_left(m->tree, m->id);
	m->id = m->exec_id;
	m->exec_id = 0;
	m->direct |= m->exec_direct;
	m->exec_direct = false;
	m->cap = cap_of_member(&m->tree->cap, m->id);
	m->budget = (struct budget){ .granted = bytes };
}

void dmember_hung_up(struct dmember *m)
{
	struct loop *loop = m->tree->d->loop;

	m->dispatcher = NULL;
	if (m->exec_id)
		loop_timer_set(loop, &m->due, loop_now(loop) + DMEMBER_MS * NS_PER_MS);
	else
		dmember_end(m, "its dispatcher hung up");
}

void dmember_remove(struct dmember *m)
{
	struct dprocess *p = m->tree;
	struct daemon *d = p->d;
	struct rpc_request *hello = m->hello;
	struct list *pos, *next;

	loop_timer_del(d->loop, &m->due);
	list_del(&m->link);
	p->n_members--;
	d->n_members--;
	d->n_direct -= (uint32_t)m->direct + m->exec_direct;
	if (p->first == m)
		p->first = NULL;
	list_for_each_safe(pos, next, &p->members) {
		struct dmember *child = container_of(pos, struct dmember, link);

		if (child->parent == m)
			child->parent = NULL;
	}
	if (m->host_fd >= 0)
		d->host->process_kill(m->host_fd);
	dmember_unwatch(m);
	m->hello = NULL;
	if (hello)
		rpc_reply_later(hello, -EPIPE, NULL);
	dispatcher_drop(m);
	free(m);
}

void dmember_end(struct dmember *m, const char *why)
{
	struct dprocess *p = m->tree;
	uint32_t id = m->id, exec_id = m->exec_id;

	if (p->ending)
		return;
	if (p->n_members == 1) {
		dprocess_end(p, why, true);
		return;
	}
	log_info("process %u: member %u: %s", p->pid, id, why);
	dmember_remove(m);
	guards_left(p, id);
	if (exec_id)
		guards_left(p, exec_id);
	budgets_look(p->d, HUNGRY_LOOK_MS);
}
