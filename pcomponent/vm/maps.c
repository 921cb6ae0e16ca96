/* /proc/self/maps and the totals of /proc/self/status as the program should see them: its own mappings, no others. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/vm/layout.h"

static const char *label(const struct vma *v)
{
	if (v->flags & VMA_STACK)
		return "[stack]";
	if (v->flags & VMA_BRK)
		return "[heap]";
	return names_get(v->name);
}

uint64_t layout_resident(const struct vma *v)
{
	unsigned char vec[1024];
	uint64_t at, n, i, pages = 0;

	for (at = v->start; at < v->end; at += n) {
		n = v->end - at < sizeof(vec) * PAGE_BYTES ? v->end - at : sizeof(vec) * PAGE_BYTES;
		if (!(v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) || mincore((void *)at, n, vec))
			continue;
		for (i = 0; i < n / PAGE_BYTES; i++)
			pages += vec[i] & 1;
	}
	return pages * PAGE_BYTES;
}

static uint64_t resident_of(const struct vma *v)
{
	return v->flags & VMA_REGISTERED ? excache_resident(v->start, v->end, NULL) : layout_resident(v);
}

static uint64_t away_of(const struct vma *v)
{
	return v->flags & VMA_REGISTERED ? excache_away(v->start, v->end) : 0;
}

/* What the program made as one mapping may be several of ours. */
struct shown {
	struct vma v;
	uint64_t resident, away;
};

static void head_line(FILE *f, const struct vma *v)
{
	uint64_t ino, dev;
	int n;

	names_file(v->name, &ino, &dev);
	n = fprintf(f, "%lx-%lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end, v->prot & PROT_READ ? 'r' : '-',
		    v->prot & PROT_WRITE ? 'w' : '-', v->prot & PROT_EXEC ? 'x' : '-',
		    v->flags & VMA_SHARED ? 's' : 'p', v->off, major(dev), minor(dev), ino);
	fprintf(f, "%*s%s\n", n < 73 && *label(v) ? 73 - n : 0, "", label(v));
}

static void size_line(FILE *f, const char *name, uint64_t bytes)
{
	fprintf(f, "%-16s%8lu kB\n", name, bytes / 1024);
}

static void flag_words(FILE *f, const struct vma *v)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = { { VMA_SHARED, "sh" },	 { VMA_GROWSDOWN, "gd" }, { VMA_LOCKED, "lo" },
		      { VMA_LOCKONFAULT, "lf" }, { VMA_DONTFORK, "dc" },  { VMA_DONTDUMP, "dd" },
		      { VMA_WIPEONFORK, "wf" },	 { VMA_NORESERVE, "nr" } };

	fprintf(f, "VmFlags: %s%s%smr mw me ", v->prot & PROT_READ ? "rd " : "", v->prot & PROT_WRITE ? "wr " : "",
		v->prot & PROT_EXEC ? "ex " : "");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (v->flags & words[i].flag)
			fprintf(f, "%s ", words[i].word);
	fputc('\n', f);
}

static void sizes(FILE *f, const struct shown *s)
{
	bool shared = s->v.flags & VMA_SHARED, file = (s->v.flags & VMA_FILE) && !(s->v.prot & PROT_WRITE);

	size_line(f, "Size:", s->v.end - s->v.start);
	size_line(f, "KernelPageSize:", PAGE_BYTES);
	size_line(f, "MMUPageSize:", PAGE_BYTES);
	size_line(f, "Rss:", s->resident);
	size_line(f, "Pss:", s->resident);
	size_line(f, "Shared_Clean:", 0);
	size_line(f, "Shared_Dirty:", shared && !file ? s->resident : 0);
	size_line(f, "Private_Clean:", file ? s->resident : 0);
	size_line(f, "Private_Dirty:", !shared && !file ? s->resident : 0);
	size_line(f, "Referenced:", s->resident);
	size_line(f, "Anonymous:", shared || file ? 0 : s->resident);
	size_line(f, "LazyFree:", 0);
	size_line(f, "AnonHugePages:", 0);
	size_line(f, "Swap:", s->away);
	size_line(f, "SwapPss:", s->away);
	size_line(f, "Locked:", s->v.flags & VMA_LOCKED ? s->resident : 0);
	flag_words(f, &s->v);
}

static void show(FILE *f, const struct shown *s, bool smaps)
{
	if (s->v.start == s->v.end)
		return;
	head_line(f, &s->v);
	if (smaps)
		sizes(f, s);
}

char *vm_maps_text(bool smaps, size_t *len)
{
	struct shown s = { .v = { 0 } };
	char *text = NULL;
	FILE *f = open_memstream(&text, len);
	struct vma *v;

	if (!f)
		return NULL;
	vm_lock_exclusive();
	for (v = table_find(0); v; v = table_next(v)) {
		if (v->flags & VMA_OURS)
			continue;
		if (s.v.start == s.v.end || !table_goes_on(&s.v, v)) {
			show(f, &s, smaps);
			s = (struct shown){ .v = *v };
		}
		s.v.end = v->end;
		if (smaps) {
			s.resident += resident_of(v);
			s.away += away_of(v);
		}
	}
	show(f, &s, smaps);
	vm_unlock_exclusive();
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

void vm_totals(struct vm_totals *m)
{
	struct table_sums sums;
	struct vma *v;

	vm_lock_exclusive();
	sums = table_sums();
	*m = (struct vm_totals){ .size = sums.bytes,
				 .size_peak = sums.peak,
				 .data = sums.data,
				 .locked = sums.locked,
				 .start_stack = layout.stack_start,
				 .start_brk = layout.brk_start };
	for (v = table_find(0); v; v = table_next(v)) {
		uint64_t resident = v->flags & VMA_OURS ? 0 : resident_of(v);

		m->resident += resident;
		m->resident_shared += v->flags & VMA_SHARED ? resident : 0;
		m->away += away_of(v);
		m->stack += v->flags & VMA_STACK ? v->end - v->start : 0;
	}
	layout.resident_peak = m->resident > layout.resident_peak ? m->resident : layout.resident_peak;
	m->resident_peak = layout.resident_peak;
	vm_unlock_exclusive();
}
