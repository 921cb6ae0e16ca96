/*
 * Members: the processes of a tree. The first is there from the admission on; others come by P2M_FORK, with a share of all
 * that their parent has, or by their own hello, with nothing. Each ends for itself: with its connection, by P2M_LEFT, or
 * with the tree. A number is not used twice: a request for one that is over came late.
 */
#include <errno.h>
#include <stdlib.h>
#include "mcomponent/internal.h"

struct mmember *mmember_find(const struct mtree *t, uint32_t number)
{
	for (struct list *l = t->members.next; l != &t->members; l = l->next) {
		struct mmember *b = container_of(l, struct mmember, link);

		if (b->number == number)
			return b;
	}
	return NULL;
}

bool mmember_ended(const struct mtree *t, uint32_t number)
{
	for (uint32_t i = 0; i < t->n_ended && i < ENDED_KEPT; i++)
		if (t->ended[i] == number)
			return true;
	return false;
}

void mmember_remember(struct mtree *t, uint32_t number)
{
	t->ended[t->n_ended++ % ENDED_KEPT] = number;
}

int mmember_new(struct mtree *t, uint32_t number, struct mmember **out)
{
	struct mmember *b;

	if (t->n_members >= MEMBERS_MAX)
		return -EAGAIN;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->tree = t;
	b->number = number;
	list_init(&b->holdings);
	mtable_init(&b->holding_by_id, t->m->seed);
	mtable_init(&b->page_map, t->m->seed);
	list_add_tail(&t->members, &b->link);
	t->n_members++;
	*out = b;
	return 0;
}

int mmember_bind(struct mmember *b, struct peer *peer)
{
	int err = b->pd ? 0 : net_pd_open(b->tree->m->net, &b->pd);

	if (err)
		return err;
	b->dispatcher = peer;
	b->tree->n_connected++;
	peer->role = PEER_DISPATCHER;
	peer->tree = b->tree;
	peer->member = b;
	return 0;
}

static int seal_all(struct mmember *b)
{
	for (struct list *l = b->holdings.next; l != &b->holdings; l = l->next) {
		struct holding *h = container_of(l, struct holding, link);
		int err = mslab_seal(b, h);

		if (!err)
			err = mslab_home(b, h);
		if (err)
			return err;
	}
	return 0;
}

static int share_all(struct mmember *to, const struct mmember *from)
{
	for (struct list *l = from->holdings.next; l != &from->holdings; l = l->next) {
		int err = mslab_share(to, container_of(l, struct holding, link));

		if (err)
			return err;
	}
	return mpagemap_clone(to, from);
}

int mmember_fork(struct mmember *parent, uint32_t number, struct mmember **out)
{
	int err = seal_all(parent);

	if (!err)
		err = mmember_new(parent->tree, number, out);
	if (err)
		return err;
	err = share_all(*out, parent);
	if (err)
		mmember_end(*out);
	return err;
}

/* ---- the end ---- */

static void member_free(struct mmember *b)
{
	struct mtree *t = b->tree;

	list_del(&b->link);
	t->n_dying--;
	mtree_table_free(t, &b->holding_by_id);
	if (b->pd)
		net_pd_close(b->pd);
	free(b);
	mtree_put(t);
}

void mmember_shrink(struct mmember *b, uint64_t frames)
{
	uint64_t done = 0;

	while (!list_empty(&b->holdings) && done < frames) {
		struct holding *h = container_of(b->holdings.next, struct holding, link);

		done += h->slab->frames;
		mslab_put(b, h);
	}
	if (list_empty(&b->holdings))
		member_free(b);
}

static void release_turn(void *arg)
{
	struct mcomponent *m = arg;

	if (!list_empty(&m->dying))
		mmember_shrink(container_of(m->dying.next, struct mmember, link), RELEASE_FRAMES_PER_TURN);
	if (!list_empty(&m->dying))
		loop_timer_set(m->loop, &m->release, loop_now(m->loop));
	else if (m->changed)
		m->changed(m->changed_arg);
}

void mmember_end(struct mmember *b)
{
	struct mtree *t = b->tree;
	struct mcomponent *m = t->m;
	struct peer *dispatcher = b->dispatcher;

	list_del(&b->link);
	t->n_members--;
	list_add_tail(&m->dying, &b->link);
	t->n_dying++;
	mmember_remember(t, b->number);
	mpagemap_free(b); /* nobody asks for it any more */
	b->dispatcher = NULL;
	if (dispatcher) {
		t->n_connected--;
		mpeer_forget(dispatcher);
	}
	m->release.fn = release_turn;
	m->release.arg = m;
	loop_timer_set(m->loop, &m->release, loop_now(m->loop));
}
