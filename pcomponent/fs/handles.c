/* Handles: see handles.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/limits.h"
#include "pcomponent/fs/handles.h"

#define OPEN_ONCE ((uint32_t)(O_CREAT | O_EXCL | O_TRUNC)) /* flags that are for the first open alone */
#define GROW 64u
#define NUMBER_MAX (2ull * FILES_PER_PROCESS_MAX)

static struct handle *handles;
static uint64_t n_handles, search_from;

/* Room for n, and some more. */
static bool handles_grow(uint64_t n)
{
	struct handle *more = realloc(handles, (n + GROW) * sizeof(*handles));

	if (!more)
		return false;
	handles = more;
	memset(handles + n_handles, 0, (n + GROW - n_handles) * sizeof(*handles));
	n_handles = n + GROW;
	return true;
}

static struct handle *handle_free_slot(void)
{
	uint64_t i;

	for (i = search_from; i < n_handles; i++)
		if (!handles[i].used)
			return &handles[i];
	return handles_grow(n_handles + 1) ? &handles[i] : NULL;
}

uint64_t handle_add(uint64_t real, const char *path, uint32_t flags, const struct wire_stat *st)
{
	struct handle *h = handle_free_slot();
	char *copy = h ? strdup(path) : NULL;

	if (!copy)
		return 0;
	*h = (struct handle){
		.real = real,
		.ino = st->ino,
		.dev = { st->dev_major, st->dev_minor },
		.flags = flags & ~OPEN_ONCE,
		.used = true,
		.path = copy,
	};
	search_from = (uint64_t)(h - handles) + 1;
	return search_from;
}

struct handle *handle_get(uint64_t number)
{
	struct handle *h = number && number <= n_handles ? &handles[number - 1] : NULL;

	return h && h->used ? h : NULL;
}

uint64_t handle_remove(uint64_t number)
{
	struct handle *h = handle_get(number);
	uint64_t real;

	if (!h)
		return 0;
	real = h->real;
	free(h->path);
	*h = (struct handle){ 0 };
	if (number - 1 < search_from)
		search_from = number - 1;
	return real;
}

uint64_t handle_close_later(uint64_t number)
{
	struct handle *h = handle_get(number);

	if (h)
		h->closing = true;
	return 0;
}

void handles_close(void (*fn)(uint64_t real))
{
	uint64_t i, real;

	for (i = 0; i < n_handles; i++) {
		real = handles[i].closing ? handle_remove(i + 1) : 0;
		if (real)
			fn(real);
	}
}

uint64_t handles_live(void)
{
	uint64_t i, n = 0;

	for (i = 0; i < n_handles; i++)
		n += handles[i].used && handles[i].real;
	return n;
}

int handle_add_as(uint64_t number, const struct handle *h)
{
	if (!number || number > NUMBER_MAX)
		return -EINVAL;
	if (number > n_handles && !handles_grow(number))
		return -ENOMEM;
	if (handles[number - 1].used)
		return -EINVAL;
	handles[number - 1] = *h;
	return 0;
}

void handles_each(void (*fn)(struct handle *, uint64_t number, void *arg), void *arg)
{
	for (uint64_t i = 0; i < n_handles; i++)
		if (handles[i].used)
			fn(&handles[i], i + 1, arg);
}

static int translate(uint64_t *number)
{
	const struct handle *h = handle_get(*number);

	if (!*number)
		return 0; /* the root */
	if (!h || !h->real)
		return -EIO;
	*number = h->real;
	return 0;
}

/* Nearly every request of the edge begins with its handle, or with a struct wire_at, which does; two have a second one. */
static bool begins_with_handle(enum msg_id id)
{
	return id != P2S_HELLO && id != P2S_BUFFER && id != P2S_USAGE && id != P2S_FORK && id != P2S_CREDS &&
	       id != P2S_TAKE;
}

static bool has_second(enum msg_id id)
{
	return id == P2S_RENAME || id == P2S_LINK;
}

int handles_translate(enum msg_id id, void *req)
{
	uint64_t *first = req;
	int err;

	if (!begins_with_handle(id))
		return 0;
	err = translate(first);
	if (!err && has_second(id))
		err = translate(&((struct p2s_link_req *)req)->to.dir);
	return err;
}

bool handles_named(enum msg_id id, const void *req)
{
	const uint64_t *first = req;

	return id == P2S_FORK || (begins_with_handle(id) && *first) ||
	       (has_second(id) && ((const struct p2s_link_req *)req)->to.dir);
}
