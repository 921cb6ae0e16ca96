/* /proc/self/maps and the totals of /proc/self/status as the program should see them: its own mappings, no others. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
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

char *vm_maps_text(size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);
	struct vma *v;

	if (!f)
		return NULL;
	vm_lock_exclusive();
	for (v = table_find(0); v; v = table_next(v)) {
		int n;

		if (v->flags & VMA_OURS)
			continue;
		n = fprintf(f, "%lx-%lx %c%c%c%c %08lx 00:00 0 ", v->start, v->end, v->prot & PROT_READ ? 'r' : '-',
			    v->prot & PROT_WRITE ? 'w' : '-', v->prot & PROT_EXEC ? 'x' : '-',
			    v->flags & VMA_SHARED ? 's' : 'p', v->off);
		fprintf(f, "%*s%s\n", n < 73 && *label(v) ? 73 - n : 0, "", label(v));
	}
	vm_unlock_exclusive();
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Resident bytes of a mapping that is not under the ExCache: the host kernel knows. */
static uint64_t resident_native(const struct vma *v)
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

void vm_totals(uint64_t *size_bytes, uint64_t *resident_bytes)
{
	struct vma *v;

	*size_bytes = *resident_bytes = 0;
	vm_lock_exclusive();
	for (v = table_find(0); v; v = table_next(v)) {
		if (v->flags & VMA_OURS)
			continue;
		*size_bytes += v->end - v->start;
		*resident_bytes += v->flags & VMA_REGISTERED ? excache_resident(v->start, v->end, NULL)
							     : resident_native(v);
	}
	vm_unlock_exclusive();
}
