/* Texts: see texts.h. */
#include <stdlib.h>
#include <sys/stat.h>
#include "scomponent/handles.h"
#include "scomponent/texts.h"

void texts_init(struct texts *t)
{
	for (unsigned i = 0; i < TEXT_BUCKETS; i++)
		list_init(&t->bucket[i]);
}

static struct list *bucket_of(struct texts *t, ino_t ino)
{
	return &t->bucket[ino & (TEXT_BUCKETS - 1)];
}

static struct text *text_find(struct texts *t, const struct stat *st)
{
	struct list *l, *all = bucket_of(t, st->st_ino);
	struct text *x;

	for (l = all->next; l != all; l = l->next) {
		x = container_of(l, struct text, link);
		if (x->ino == st->st_ino && x->dev == st->st_dev)
			return x;
	}
	return NULL;
}

bool text_used(struct texts *t, const struct stat *st, enum text_use use)
{
	struct text *x = text_find(t, st);

	return x && x->used[use];
}

void text_know(struct texts *t, struct handle *f, enum text_use use)
{
	struct text *x;
	struct stat st;

	if (fstat(f->fd, &st))
		return;
	x = text_find(t, &st);
	if (!x) {
		x = calloc(1, sizeof(*x));
		if (!x)
			return;
		x->dev = st.st_dev;
		x->ino = st.st_ino;
		list_add_tail(bucket_of(t, st.st_ino), &x->link);
	}
	x->refs++;
	f->text = x;
	f->use = use;
	x->used[use] += f->connections > 0;
}

void text_forget(struct handle *f)
{
	if (!f->text || --f->text->refs)
		return;
	list_del(&f->text->link);
	free(f->text);
}

void text_more(struct handle *f)
{
	if (!f->connections++ && f->text)
		f->text->used[f->use]++;
}

void text_less(struct handle *f)
{
	if (!--f->connections && f->text)
		f->text->used[f->use]--;
}
