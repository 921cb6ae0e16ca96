/* ELF images (elf.h). Every number of the file is checked before it is used. */
#include "pcomponent/load/elf.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/vm.h"

#define PAGE_DOWN(x) ((x) & -PAGE_BYTES)
#define PAGE_UP(x) (((x) + PAGE_BYTES - 1) & -PAGE_BYTES)

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -ENOEXEC;
}

static int header_check(const struct elf_file *e, const char **why)
{
	const Elf64_Ehdr *h = &e->eh;

	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return refuse(why, "not an ELF program and not a script");
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return refuse(why, "a 32-bit program: only x86-64 programs run here");
	if (h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return refuse(why, "a program for another machine: only x86-64 programs run here");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return refuse(why, "an ELF file, but no program");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phnum > ELF_PHDRS_MAX)
		return refuse(why, "corrupt ELF file: program headers");
	return 0;
}

static int segment_check(const struct elf_file *e, const Elf64_Phdr *p, const char **why)
{
	if (p->p_filesz > p->p_memsz || p->p_vaddr + p->p_memsz < p->p_vaddr || p->p_vaddr + p->p_memsz > WINDOW_END ||
	    p->p_offset + p->p_filesz < p->p_offset)
		return refuse(why, "corrupt ELF file: a segment's size");
	if (p->p_offset + p->p_filesz > e->bytes)
		return refuse(why, "corrupt ELF file: a segment lies beyond its end");
	if ((p->p_vaddr - p->p_offset) & (PAGE_BYTES - 1))
		return refuse(why, "corrupt ELF file: a segment's alignment");
	return 0;
}

/* As fs_image_pread: what lies in the head needs no message. */
static int64_t bytes_read(struct elf_file *e, void *dst, uint64_t bytes, uint64_t off)
{
	if (off > e->head_bytes || bytes > e->head_bytes - off)
		return fs_image_pread(e->image, dst, bytes, off);
	memcpy(dst, e->head + off, bytes);
	return (int64_t)bytes;
}

static int interp_read(struct elf_file *e, const Elf64_Phdr *p, const char **why)
{
	if (p->p_filesz < 2 || p->p_filesz > sizeof(e->interp) ||
	    bytes_read(e, e->interp, p->p_filesz, p->p_offset) != (int64_t)p->p_filesz || e->interp[p->p_filesz - 1] ||
	    strlen(e->interp) != p->p_filesz - 1)
		return refuse(why, "corrupt ELF file: its interpreter's name");
	return 0;
}

int elf_open(const char *path, struct elf_file *e)
{
	struct wire_stat st;
	int err = fs_image_exec(path, &e->image, &st, e->path, e->head, &e->head_bytes);

	if (err)
		return err;
	e->bytes = st.size;
	e->ino = st.ino;
	e->dev = makedev(st.dev_major, st.dev_minor);
	return 0;
}

int elf_read(struct elf_file *e, const char **why)
{
	uint64_t bytes;
	unsigned i, loads = 0;
	int err;

	memset(&e->eh, 0, sizeof(e->eh));
	e->interp[0] = 0;
	if (bytes_read(e, &e->eh, sizeof(e->eh), 0) < (int64_t)SELFMAG)
		return refuse(why, "not an ELF program and not a script");
	if ((err = header_check(e, why)))
		return err;
	bytes = e->eh.e_phnum * sizeof(Elf64_Phdr);
	if (e->eh.e_phoff > e->bytes || bytes_read(e, e->ph, bytes, e->eh.e_phoff) != (int64_t)bytes)
		return refuse(why, "corrupt ELF file: program headers");
	for (i = 0; i < e->eh.e_phnum; i++) {
		if (e->ph[i].p_type == PT_LOAD && ++loads && (err = segment_check(e, &e->ph[i], why)))
			return err;
		if (e->ph[i].p_type == PT_INTERP && (err = interp_read(e, &e->ph[i], why)))
			return err;
	}
	return loads ? 0 : refuse(why, "corrupt ELF file: nothing to load");
}

void elf_close(struct elf_file *e)
{
	fs_image_close(e->image);
}

static uint32_t prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0u) | (flags & PF_W ? PROT_WRITE : 0u) | (flags & PF_X ? PROT_EXEC : 0u);
}

/* The bytes behind a segment's file part, in its last file page, are zero. The file's copy filled that page whole. */
static int tail_zero(uint64_t from, uint64_t page_end, uint32_t prot)
{
	static const char zeros[PAGE_BYTES];

	if (from == page_end)
		return 0;
	if (!(prot & PROT_WRITE))
		return -ENOEXEC;
	return uaccess_out(from, zeros, page_end - from);
}

static int segment_map(struct thread *t, const struct elf_file *e, const Elf64_Phdr *p, uint64_t bias)
{
	uint64_t start = PAGE_DOWN(bias + p->p_vaddr), file_end = bias + p->p_vaddr + p->p_filesz;
	uint64_t mid = PAGE_UP(file_end), end = PAGE_UP(bias + p->p_vaddr + p->p_memsz);
	uint32_t prot = prot_of(p->p_flags);
	struct vm_file file = {
		.image = e->image, .off = PAGE_DOWN(p->p_offset), .path = e->path, .ino = e->ino, .dev = e->dev
	};
	int64_t at;
	int err;

	if (p->p_filesz) {
		at = vm_map(t, start, mid - start, prot, MAP_PRIVATE | MAP_FIXED, &file);
		if (at < 0)
			return (int)at;
		if (p->p_memsz > p->p_filesz && (err = tail_zero(file_end, mid, prot)))
			return err;
	} else {
		mid = start;
	}
	if (end > mid) {
		at = vm_map(t, mid, end - mid, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL);
		if (at < 0)
			return (int)at;
	}
	return 0;
}

/* Lowest and highest address of all segments. */
static void extent(const struct elf_file *e, uint64_t *low, uint64_t *high, uint64_t *align)
{
	unsigned i;

	*low = UINT64_MAX;
	*high = 0;
	*align = PAGE_BYTES;
	for (i = 0; i < e->eh.e_phnum; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (PAGE_DOWN(p->p_vaddr) < *low)
			*low = PAGE_DOWN(p->p_vaddr);
		if (PAGE_UP(p->p_vaddr + p->p_memsz) > *high)
			*high = PAGE_UP(p->p_vaddr + p->p_memsz);
		if (p->p_align > *align && !(p->p_align & (p->p_align - 1)) && p->p_align <= (1u << 21))
			*align = p->p_align;
	}
}

/* Reserve the whole extent, so that segments can be laid into it: *bias is set. */
static int reserve(struct thread *t, const struct elf_file *e, uint64_t base, uint64_t *bias, uint64_t *end)
{
	uint64_t low, high, align;
	uint32_t fixed = e->eh.e_type == ET_EXEC ? MAP_FIXED_NOREPLACE : 0;
	int64_t at;

	extent(e, &low, &high, &align);
	if (e->eh.e_type == ET_EXEC)
		base = low;
	at = vm_map(t, base, high - low + (fixed ? 0 : align), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, NULL);
	if (at < 0)
		return (int)at;
	*bias = fixed ? 0 : (((uint64_t)at + align - 1) & -align) - low;
	*end = *bias + high;
	if (!fixed) { /* give back what alignment left over */
		uint64_t start = *bias + low, slack = (uint64_t)at + high - low + align - *end;

		if ((start > (uint64_t)at && vm_unmap((uint64_t)at, start - (uint64_t)at)) ||
		    (slack && vm_unmap(*end, slack)))
			return -ENOMEM;
	}
	return 0;
}

int elf_map(struct thread *t, const struct elf_file *e, uint64_t base, struct elf_mapped *out)
{
	unsigned i;
	int err = reserve(t, e, base, &out->bias, &out->end);

	out->entry = out->bias + e->eh.e_entry;
	out->phdr = 0;
	for (i = 0; !err && i < e->eh.e_phnum; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type != PT_LOAD)
			continue;
		err = segment_map(t, e, p, out->bias);
		if (e->eh.e_phoff >= p->p_offset && e->eh.e_phoff < p->p_offset + p->p_filesz)
			out->phdr = out->bias + p->p_vaddr + (e->eh.e_phoff - p->p_offset);
	}
	return err;
}
