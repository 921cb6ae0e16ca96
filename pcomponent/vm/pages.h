/*
 * Pages of a remote file that is mapped shared: local memory that the mapping process and those it forks share, brought in
 * page by page when touched. Pages that are written through a mapping are written back by msync, by a read(2) of the file,
 * at the mapping's end and at exit; whoever is killed before loses them. A page is written back whole, so what others write
 * into it meanwhile by write(2) elsewhere is lost; calls of these processes see and change the same pages.
 */
#ifndef PCOMPONENT_VM_PAGES_H
#define PCOMPONENT_VM_PAGES_H
#include <stdint.h>
#include "pcomponent/vm/vm.h"

struct pages; /* of one file; counted */

/* Room for mappings up to file offset `bytes` and beyond; image is counted up. NULL: no memory. */
struct pages *pages_make(struct fs_image *image, uint64_t bytes);
struct pages *pages_get(struct pages *);
/* Without the layout lock: the last one writes back and lets the file go. */
void pages_put(struct pages *);

/* exclusive: show [off, off + bytes) of it at `at`, in place of what is mapped there; without access. 0 or -errno. */
int pages_show(const struct pages *, uint64_t off, uint64_t bytes, uint64_t at);

/*
 * Without the lock: an access to addr, in a mapping v of it whose protection allows it. 0: try again; -EFAULT: the file ends
 * before; other -errno as the page cannot be had.
 */
int pages_fault(struct pages *, const struct vma *v, uint64_t addr, bool write);

/* Without the lock: write back what was written in [off, off + bytes). name: the index that its mappings have. 0 or -errno. */
int pages_flush(struct pages *, uint32_t name, uint64_t off, uint64_t bytes);
/* After write(2): what of [off, off + bytes) is here is read anew. */
void pages_reread(struct pages *, uint64_t off, uint64_t bytes);
/* One process more (1) or less (-1) shares it by fork. */
void pages_processes(struct pages *, int more);

#endif
