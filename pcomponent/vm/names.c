/* The files of mappings (layout.h). */
#include <stdlib.h>
#include <string.h>
#include "pcomponent/fs/fs.h"
#include "pcomponent/vm/layout.h"
#include "pcomponent/vm/pages.h"

struct name {
	char *text;		/* NULL: a free entry */
	struct fs_image *image; /* of private copies */
	struct pages *pages;	/* of shared mappings */
	uint64_t ino, dev;
	bool used;
};

static struct {
	struct name *name;
	uint32_t names;
	struct name *gone;    /* to be let go without the lock */
	uint32_t gones, room; /* room: of both arrays, so that sweeping needs no memory */
} all;

static uint32_t files_shared; /* entries with pages; atomic */

static int more_room(void)
{
	uint32_t room = all.room ? all.room * 2 : 32;
	struct name *name = realloc(all.name, room * sizeof(*name));
	struct name *gone;

	if (!name)
		return -1;
	all.name = name;
	gone = realloc(all.gone, 2 * room * sizeof(*gone));
	if (!gone)
		return -1;
	all.gone = gone;
	all.room = room;
	return 0;
}

/* Another state of a file that is mapped already is another file: reuse.c tells contents by it. */
static bool same_state(struct fs_image *a, struct fs_image *b)
{
	return !a == !b && (!a || !memcmp(fs_image_version(a), fs_image_version(b), sizeof(struct fs_version)));
}

static uint32_t add(const char *text, struct fs_image *image, uint64_t ino, uint64_t dev)
{
	struct name *n, *free_one = NULL;
	uint32_t i;

	for (i = 0; i < all.names; i++) {
		n = &all.name[i];
		if (n->text && n->ino == ino && n->dev == dev && same_state(n->image, image) && !n->pages &&
		    !strcmp(n->text, text))
			return i + 1;
		if (!n->text)
			free_one = n;
	}
	if (!free_one) {
		if (all.names == all.room && more_room())
			return 0;
		free_one = &all.name[all.names++];
	}
	*free_one = (struct name){ .text = strdup(text), .ino = ino, .dev = dev };
	if (!free_one->text)
		return 0;
	free_one->image = image ? fs_image_ref(image) : NULL;
	return (uint32_t)(free_one - all.name) + 1;
}

uint32_t names_add(const struct vm_file *file)
{
	return add(file->path, file->image, file->ino, file->dev);
}

uint32_t names_add_text(const char *text, uint64_t ino, uint64_t dev)
{
	return add(text, NULL, ino, dev);
}

const char *names_get(uint32_t i)
{
	return i && i <= all.names ? all.name[i - 1].text : "";
}

void names_file(uint32_t i, uint64_t *ino, uint64_t *dev)
{
	*ino = i && i <= all.names ? all.name[i - 1].ino : 0;
	*dev = i && i <= all.names ? all.name[i - 1].dev : 0;
}

struct fs_image *names_image(uint32_t i)
{
	return i && i <= all.names ? all.name[i - 1].image : NULL;
}

void names_sweep(void)
{
	struct vma *v;
	uint32_t i;

	for (i = 0; i < all.names; i++)
		all.name[i].used = false;
	for (v = table_find(0); v; v = table_next(v))
		if (v->name)
			all.name[v->name - 1].used = true;
	for (i = 0; i < all.names; i++) {
		struct name *n = &all.name[i];

		if (n->used || !n->text || all.gones == 2 * all.room)
			continue;
		if (n->image || n->pages)
			all.gone[all.gones++] = *n;
		files_shared -= n->pages != NULL;
		free(n->text);
		*n = (struct name){ 0 };
	}
}

void names_reap(void)
{
	struct name gone;

	while (__atomic_load_n(&all.gones, __ATOMIC_RELAXED)) {
		vm_lock_exclusive();
		gone = all.gones ? all.gone[--all.gones] : (struct name){ 0 };
		vm_unlock_exclusive();
		if (gone.image)
			fs_image_close(gone.image);
		if (gone.pages)
			pages_put(gone.pages);
	}
}

/* ---- files that are mapped shared ---- */

uint32_t names_shared(uint64_t ino, uint64_t dev)
{
	for (uint32_t i = 0; i < all.names; i++)
		if (all.name[i].pages && all.name[i].ino == ino && all.name[i].dev == dev)
			return i + 1;
	return 0;
}

uint32_t names_add_shared(const struct vm_file *file, uint64_t bytes)
{
	uint32_t i = add(file->path, NULL, UINT64_MAX, file->dev); /* a new entry, whatever has its path */

	if (!i)
		return 0;
	all.name[i - 1].ino = file->ino;
	all.name[i - 1].pages = pages_make(file->image, bytes);
	if (!all.name[i - 1].pages)
		return 0;
	files_shared++;
	return i;
}

struct pages *names_pages(uint32_t i)
{
	return i && i <= all.names ? all.name[i - 1].pages : NULL;
}

bool names_any_shared(void)
{
	return __atomic_load_n(&files_shared, __ATOMIC_RELAXED) != 0;
}

uint32_t names_count(void)
{
	return all.names;
}
