/*
 * See core.h. The file: ELF header, program headers, notes, then memory, each mapping at an offset of its own; what was
 * never written to is a hole of the file, and the end of a mapping that was never used is not in it at all.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/core.h"
#include "pcomponent/proc/core_notes.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/stop.h"
#include "pcomponent/vm/vm.h"

#define STOP_MS 5000u
#define MAPPINGS_MAX 65000u /* program headers are counted by 16 bits */
#define BATCH_PAGES 16u
#define TRIES_MAX 100

struct core {
	struct thread *t;
	int fd, mem; /* mem: /proc/self/mem, which reads whatever the protection */
	char *text;  /* of the mappings; their names lie in it */
	struct core_mapping *map;
	unsigned n_map;
	struct core_notes notes;
	struct core_result *r;
};

/* ---- the mappings ---- */

static int mappings_read(struct core *c)
{
	unsigned room = 0;
	char *line, *end;
	size_t len;

	c->text = vm_maps_text(false, &len);
	if (!c->text)
		return -ENOMEM;
	for (line = c->text; (end = strchr(line, '\n')); line = end + 1) {
		struct core_mapping m = { 0 }, *grown;
		char prot[5];
		int at = 0;

		*end = 0;
		if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %n", &m.start, &m.end, prot, &m.off, &at) < 4)
			continue;
		m.prot = (prot[0] == 'r' ? PF_R : 0) | (prot[1] == 'w' ? PF_W : 0) | (prot[2] == 'x' ? PF_X : 0);
		m.name = at ? line + at : "";
		if (c->n_map == room) {
			room = room ? 2 * room : 64;
			grown = room > MAPPINGS_MAX ? NULL : realloc(c->map, room * sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			c->map = grown;
		}
		c->map[c->n_map++] = m;
	}
	return 0;
}

/* Under the ExCache a mapping may be of terabytes: it counts up to its last page that has contents. */
static void mapping_used(struct core *c, struct core_mapping *m)
{
	uint64_t at, last = m->start;

	vm_lock_shared(c->t);
	m->registered = vm_registered_in(m->start, m->end);
	if (m->registered)
		for (at = m->start; (at = excache_next(at, m->end)) < m->end; at += PAGE_BYTES)
			last = at + PAGE_BYTES;
	vm_unlock_shared(c->t);
	m->bytes = (m->registered ? last : m->end) - m->start;
}

/* ---- memory ---- */

/* Bring a page in. 0 or -errno. */
static int page_fetch(struct core *c, uint64_t addr)
{
	uint64_t start, end;
	int err = 0;

	vm_lock_shared(c->t);
	if (vm_registered(addr, &start, &end)) {
		err = vm_port(c->t);
		if (!err)
			err = excache_fault(c->t->port, addr, false, addr, addr + PAGE_BYTES);
	}
	vm_unlock_shared(c->t);
	return err;
}

/* One page, which may be evicted again before it is read. */
static int page_read(struct core *c, uint64_t addr, char *to, bool registered)
{
	int tries, err;

	for (tries = 0; tries < TRIES_MAX; tries++) {
		if (registered && (err = page_fetch(c, addr)))
			return err;
		if (pread(c->mem, to, PAGE_BYTES, (off_t)addr) == (ssize_t)PAGE_BYTES)
			return 0;
	}
	return -EIO;
}

static bool all_zero(const char *p)
{
	return p[0] == 0 && memcmp(p, p + 1, PAGE_BYTES - 1) == 0;
}

/* n pages from addr on into the file. */
static int pages_write(struct core *c, const struct core_mapping *m, uint64_t addr, unsigned n)
{
	static char buf[BATCH_PAGES * PAGE_BYTES];
	off_t off = (off_t)(m->file_off + (addr - m->start));
	unsigned i;

	/* What is local comes at once; of the rest the host kernel knows nothing. */
	if (m->registered || pread(c->mem, buf, n * PAGE_BYTES, (off_t)addr) != (ssize_t)(n * PAGE_BYTES))
		for (i = 0; i < n; i++)
			if (page_read(c, addr + i * PAGE_BYTES, buf + i * PAGE_BYTES, m->registered)) {
				memset(buf + i * PAGE_BYTES, 0, PAGE_BYTES);
				c->r->lost++;
			}
	for (i = 0; i < n; i++, off += PAGE_BYTES) {
		if (all_zero(buf + i * PAGE_BYTES))
			continue;
		c->r->pages++;
		if (pwrite(c->fd, buf + i * PAGE_BYTES, PAGE_BYTES, off) != (ssize_t)PAGE_BYTES)
			return errno ? -errno : -EIO;
	}
	return 0;
}

static int mapping_write(struct core *c, const struct core_mapping *m)
{
	uint64_t at = m->start, end = m->start + m->bytes;
	unsigned n;
	int err = 0;

	while (!err && at < end) {
		if (m->registered) {
			vm_lock_shared(c->t);
			at = excache_next(at, end);
			vm_unlock_shared(c->t);
		}
		n = m->registered ? 1 : BATCH_PAGES;
		if (n > (end - at) / PAGE_BYTES)
			n = (unsigned)((end - at) / PAGE_BYTES);
		if (n)
			err = pages_write(c, m, at, n);
		at += n * PAGE_BYTES;
	}
	return err;
}

/* ---- the file ---- */

static int write_all(int fd, const void *p, size_t n, uint64_t off)
{
	ssize_t done = pwrite(fd, p, n, (off_t)off);

	return done == (ssize_t)n ? 0 : done < 0 ? -errno : -ENOSPC;
}

static int headers_write(struct core *c)
{
	Elf64_Ehdr eh = { .e_type = ET_CORE,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(eh),
			  .e_ehsize = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = (Elf64_Half)(c->n_map + 1) };
	uint64_t table = (c->n_map + 1) * sizeof(Elf64_Phdr), off = sizeof(eh) + table;
	Elf64_Phdr *ph = calloc(c->n_map + 1, sizeof(*ph));
	unsigned i;
	int err;

	if (!ph)
		return -ENOMEM;
	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	eh.e_ident[EI_VERSION] = EV_CURRENT;
	ph[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = off, .p_filesz = c->notes.bytes, .p_align = 4 };
	off = (off + c->notes.bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	for (i = 0; i < c->n_map; i++) {
		struct core_mapping *m = &c->map[i];

		m->file_off = off;
		ph[i + 1] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = m->prot,
					  .p_offset = off,
					  .p_vaddr = m->start,
					  .p_filesz = m->bytes,
					  .p_memsz = m->end - m->start,
					  .p_align = PAGE_BYTES };
		off += m->bytes;
	}
	c->r->bytes = off;
	err = ftruncate(c->fd, (off_t)off) ? -errno : write_all(c->fd, &eh, sizeof(eh), 0);
	if (!err)
		err = write_all(c->fd, ph, table, sizeof(eh));
	if (!err)
		err = write_all(c->fd, c->notes.data, c->notes.bytes, ph[0].p_offset);
	free(ph);
	return err;
}

static int write_stopped(struct core *c)
{
	unsigned i;
	int err = mappings_read(c);

	for (i = 0; i < c->n_map; i++)
		mapping_used(c, &c->map[i]);
	if (!err)
		err = core_notes_make(&c->notes, c->map, c->n_map);
	if (!err)
		err = headers_write(c);
	for (i = 0; i < c->n_map && !err; i++)
		err = mapping_write(c, &c->map[i]);
	return err;
}

void core_write(struct thread *t, int fd, struct core_result *r)
{
	struct core c = { .t = t, .fd = fd, .r = r };

	*r = (struct core_result){ 0 };
	c.mem = excache_self_open("/proc/self/mem");
	if (c.mem < 0) {
		r->err = -errno;
		return;
	}
	r->err = stop_begin(STOP_MS);
	if (!r->err) {
		r->err = write_stopped(&c);
		stop_end();
	}
	free(c.map);
	free(c.text);
	free(c.notes.data);
	close(c.mem);
}
