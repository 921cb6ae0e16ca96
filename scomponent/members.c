/* Members: see members.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "scomponent/members.h"
#include "scomponent/state.h"

static struct member *member_find(struct process *p, uint32_t number)
{
	struct list *l;

	for (l = p->members.next; l != &p->members; l = l->next)
		if (container_of(l, struct member, link)->number == number)
			return container_of(l, struct member, link);
	return NULL;
}

static struct member *member_make(struct process *p, uint32_t number)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->number = number;
	m->owner = locks_owner(&p->s->locks);
	list_add_tail(&p->members, &m->link);
	return m;
}

/* What it has locked goes to what it became by exec, or to nobody. */
static void locks_leave(struct process *p, struct member *m)
{
	struct list *l;
	struct member *heir;

	for (l = p->members.prev; l != &p->members; l = l->prev) { /* the last exec is the one that worked */
		heir = container_of(l, struct member, link);
		if (heir->heir && heir->of == m->number) {
			locks_pass(&p->s->locks, m->owner, heir->owner);
			heir->heir = false;
			return;
		}
	}
	locks_end(&p->s->locks, p, m->owner);
}

/* Forget a member with nothing left. */
static void member_trim(struct process *p, struct member *m)
{
	if (m->clients || m->n_aside)
		return;
	locks_leave(p, m);
	list_del(&m->link);
	free(m->aside);
	free(m);
}

static void aside_drop(struct process *p, struct member *m)
{
	uint32_t i;

	for (i = 0; i < m->n_aside; i++)
		handle_put(m->aside[i].file);
	handles_count(p, -(int64_t)m->n_aside);
	p->waiting -= m->n_aside > 0;
	m->n_aside = 0;
}

int member_come(struct client *c, uint32_t number)
{
	struct process *p = c->process;
	struct member *m = member_find(p, number), *was;

	if (!m)
		m = member_make(p, number);
	if (!m)
		return -ENOMEM;
	if (m->n_aside && handles_adopt(&c->files, m->aside, m->n_aside))
		return -ENOMEM; /* they wait for the next try */
	handles_count(p, c->files.used);
	aside_drop(p, m);
	m->clients++;
	c->member = m;
	was = m->heir ? member_find(p, m->of) : NULL;
	if (was) /* its connections are about to close */
		locks_leave(p, was);
	return 0;
}

void member_gone(struct client *c)
{
	c->member->clients--;
	member_trim(c->process, c->member);
	c->member = NULL;
}

/* How many files the request names, if it may have them set aside: that many, or -errno. */
static int64_t aside_check(struct client *c, const struct member *m, const uint64_t *ids, uint32_t n)
{
	uint32_t i, all = n ? n : c->files.used;

	if (m && m->clients)
		return -EEXIST;
	for (i = 0; i < n; i++)
		if (!handles_get(&c->files, ids[i]))
			return -EBADF;
	if (all + (m ? m->n_aside : 0) > FILES_PER_PROCESS_MAX || all + c->process->handles > FILES_PER_TREE_MAX)
		return -ENFILE;
	if (all && !(m && m->n_aside) && c->process->waiting >= MEMBERS_MAX)
		return -EAGAIN;
	return all;
}

static bool aside_room(struct member *m, uint32_t more)
{
	struct handle_named *a;

	if (m->n_aside + more <= m->room)
		return true;
	a = realloc(m->aside, (m->n_aside + more) * sizeof(*a));
	if (!a)
		return false;
	m->aside = a;
	m->room = m->n_aside + more;
	return true;
}

int member_set_aside(struct client *c, const struct p2s_fork_req *req, const uint64_t *ids, uint64_t *files)
{
	struct process *p = c->process;
	struct member *m = member_find(p, req->member);
	int64_t more = aside_check(c, m, ids, req->n);
	uint64_t id = 0;
	uint32_t i;

	if (more <= 0)
		return (int)more;
	if (!m)
		m = member_make(p, req->member);
	if (!m)
		return -ENOMEM;
	if (!aside_room(m, (uint32_t)more)) {
		member_trim(p, m);
		return -ENOMEM;
	}
	p->waiting += !m->n_aside;
	for (i = 0; i < (uint32_t)more; i++) {
		id = req->n ? ids[i] : handles_next(&c->files, id);
		m->aside[m->n_aside++] = (struct handle_named){ id, handle_ref(handles_get(&c->files, id)) };
	}
	handles_count(p, more);
	m->heir = req->exec;
	m->of = c->member->number;
	*files = (uint64_t)more;
	return 0;
}

void member_left(struct process *p, uint32_t number)
{
	struct member *m = member_find(p, number);

	if (!m)
		return;
	aside_drop(p, m);
	member_trim(p, m);
}

void members_left(struct process *p)
{
	struct list *l, *next;

	list_for_each_safe(l, next, &p->members) {
		struct member *m = container_of(l, struct member, link);

		aside_drop(p, m);
		member_trim(p, m);
	}
}
