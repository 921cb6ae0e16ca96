/* The processes that the keeper serves (segment.h). */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/keep/segment.h"

/* As in linux/userfaultfd.h since 6.6; Debian 12's headers are older. */
struct poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};
#define POISON _IOWR(UFFDIO, 0x08, struct poison)

#define HELD_SHARE 4   /* of the ExCache, for calls that are under way */
#define LOCKED_SHARE 2 /* for mlock */

struct list clients = { &clients, &clients };

struct client *client_new(int sock)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sock = sock;
	c->uffd = -1;
	list_init(&c->mappings);
	list_init(&c->holds);
	list_add_tail(&clients, &c->link);
	return c;
}

static void mapping_free(struct mapping *m, struct excache_port *port)
{
	list_del(&m->link);
	if (--m->segment->maps == 0)
		segment_end(m->segment, port);
	free(m);
}

void client_free(struct client *c, struct excache_port *port)
{
	client_release(c, 0, UINT64_MAX, port);
	client_claim(c, NULL, port);
	while (c->mappings.next != &c->mappings)
		mapping_free(container_of(c->mappings.next, struct mapping, link), port);
	list_del(&c->link);
	close(c->sock);
	if (c->uffd >= 0)
		close(c->uffd);
	free(c);
}

void client_claim(struct client *c, struct segment *s, struct excache_port *port)
{
	struct segment *old = c->claimed;

	c->claimed = s;
	if (s)
		s->maps++;
	if (old && --old->maps == 0)
		segment_end(old, port);
}

int client_map(struct client *c, struct segment *s, const struct mapping *like)
{
	struct mapping *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m = *like;
	m->segment = s;
	s->maps++;
	list_add_tail(&c->mappings, &m->link);
	return 0;
}

int client_unmap(struct client *c, uint64_t addr, uint64_t bytes, struct excache_port *port)
{
	uint64_t end = addr + bytes;
	struct list *pos, *next;
	int err = 0;

	list_for_each_safe(pos, next, &c->mappings) {
		struct mapping *m = container_of(pos, struct mapping, link), tail;

		if (m->addr >= end || m->addr + m->bytes <= addr)
			continue;
		tail = *m;
		tail.addr = end;
		tail.bytes = m->addr + m->bytes > end ? m->addr + m->bytes - end : 0;
		tail.off = m->off + (end - m->addr);
		if (tail.bytes && (err = client_map(c, m->segment, &tail)))
			return err;
		if (m->addr < addr)
			m->bytes = addr - m->addr;
		else
			mapping_free(m, port);
	}
	return 0;
}

int client_clone(const struct client *c, struct client *to)
{
	struct list *pos, *next;
	int err = 0;

	list_for_each_safe(pos, next, &((struct client *)(uintptr_t)c)->mappings) {
		const struct mapping *m = container_of(pos, struct mapping, link);

		if (!err)
			err = client_map(to, m->segment, m);
	}
	return err;
}

const struct mapping *client_find(const struct client *c, uint64_t addr)
{
	const struct list *pos;

	for (pos = c->mappings.next; pos != &c->mappings; pos = pos->next) {
		const struct mapping *m = container_of(pos, const struct mapping, link);

		if (addr >= m->addr && addr - m->addr < m->bytes)
			return m;
	}
	return NULL;
}

/* ---- what stays while a call of the host kernel uses it ---- */

static uint64_t held_bytes, locked_bytes;

static uint64_t *bytes_of(bool locked)
{
	return locked ? &locked_bytes : &held_bytes;
}

static int pin(struct client *c, struct segment *s, uint64_t at, uint64_t bytes, bool locked)
{
	struct hold *h = malloc(sizeof(*h));

	if (!h || excache_pin(at, at + bytes)) {
		free(h);
		return -ENOMEM;
	}
	*h = (struct hold){ .segment = s, .at = at, .bytes = bytes, .locked = locked };
	list_add_tail(&c->holds, &h->link);
	*bytes_of(locked) += bytes;
	s->maps++; /* it must not end meanwhile */
	return 0;
}

int client_hold(struct client *c, struct segment *s, uint64_t at, uint64_t bytes)
{
	return held_bytes && held_bytes + bytes > excache_budget() / HELD_SHARE ? -EAGAIN : pin(c, s, at, bytes, false);
}

int client_mlock(struct client *c, struct segment *s, uint64_t at, uint64_t bytes)
{
	return locked_bytes + bytes > excache_budget() / LOCKED_SHARE ? -ENOMEM : pin(c, s, at, bytes, true);
}

/* Ranges do not count who wants them: what others hold as well is pinned again. */
static void pin_again(uint64_t at, uint64_t bytes)
{
	for (const struct list *pos = clients.next; pos != &clients; pos = pos->next) {
		const struct client *c = container_of(pos, const struct client, link);

		for (const struct list *h = c->holds.next; h != &c->holds; h = h->next) {
			const struct hold *other = container_of(h, const struct hold, link);

			if (other->at < at + bytes && at < other->at + other->bytes)
				(void)excache_pin(other->at, other->at + other->bytes);
		}
	}
}

static void unpin(struct hold *h, struct excache_port *port)
{
	struct segment *s = h->segment;
	uint64_t at = h->at, bytes = h->bytes;

	list_del(&h->link);
	*bytes_of(h->locked) -= bytes;
	free(h);
	excache_unpin(at, at + bytes);
	pin_again(at, bytes);
	if (--s->maps == 0)
		segment_end(s, port);
}

void client_release(struct client *c, uint64_t at, uint64_t bytes, struct excache_port *port)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &c->holds) {
		struct hold *h = container_of(pos, struct hold, link);

		if (bytes == UINT64_MAX) {
			unpin(h, port);
		} else if (!h->locked && h->at == at && h->bytes == bytes) {
			unpin(h, port);
			return;
		}
	}
}

void client_munlock(struct client *c, uint64_t at, uint64_t bytes, struct excache_port *port)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &c->holds) {
		struct hold *h = container_of(pos, struct hold, link);
		uint64_t from = h->at, to = h->at + h->bytes, end = at + bytes;

		if (!h->locked || from >= end || to <= at)
			continue;
		/* What is left on either side; without memory for that it is free to go too early, which is slower */
		if (from < at)
			(void)pin(c, h->segment, from, at - from, true);
		if (to > end)
			(void)pin(c, h->segment, end, to - end, true);
		unpin(h, port);
	}
}

/* ---- its userfaultfd ---- */

static int protect(int uffd, uint64_t addr, uint64_t pages, uint64_t mode)
{
	struct uffdio_writeprotect w = { .range = { addr, pages * PAGE_BYTES }, .mode = mode };

	while (ioctl(uffd, UFFDIO_WRITEPROTECT, &w))
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	return 0;
}

/* What it has unmapped in the range just now is not told of yet: the rest page by page. */
int client_protect(const struct client *c, uint64_t addr, uint64_t pages, bool on)
{
	int err = c->uffd < 0 ? -ESRCH : protect(c->uffd, addr, pages, on ? UFFDIO_WRITEPROTECT_MODE_WP : 0);

	if (err == -ESRCH || (err == -ENOENT && pages == 1))
		return 0;
	if (err != -ENOENT)
		return err;
	err = client_protect(c, addr, pages / 2, on);
	return err ? err : client_protect(c, addr + pages / 2 * PAGE_BYTES, pages - pages / 2, on);
}

struct part {
	const struct client *client;
	const struct mapping *mapping;
};

static int protect_run(uint64_t at, uint64_t pages, void *arg)
{
	const struct part *p = arg;
	const struct mapping *m = p->mapping;

	return client_protect(p->client, m->addr + (at - m->segment->at - m->off), pages, true);
}

int client_protect_clean(const struct client *c, const struct mapping *m)
{
	struct part p = { c, m };
	uint64_t at = m->segment->at + m->off;

	return m->writes ? excache_clean_runs(at, at + m->bytes, protect_run, &p) : 0;
}

void client_wake(const struct client *c, uint64_t addr)
{
	struct uffdio_range r = { addr, PAGE_BYTES };

	(void)ioctl(c->uffd, UFFDIO_WAKE, &r); /* it may have ended */
}

int client_poison(const struct client *c, uint64_t addr)
{
	struct poison p = { .range = { addr, PAGE_BYTES } };

	(void)client_protect(c, addr, 1, false); /* the host kernel's note of it has the place */
	return ioctl(c->uffd, POISON, &p) ? -errno : 0;
}
