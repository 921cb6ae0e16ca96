/* Inside vm/: the state of the layout, and the step that brings memory under the ExCache. */
#ifndef PCOMPONENT_VM_LAYOUT_H
#define PCOMPONENT_VM_LAYOUT_H
#include "pcomponent/fs/fs.h"
#include "pcomponent/vm/table.h"

struct layout {
	uint64_t budget;
	uint64_t mmap_top;	     /* mappings without a wish go below */
	uint64_t stack_start;	     /* the stack pointer that the program began with */
	uint64_t resident_peak;	     /* the most that was resident when somebody asked */
	uint64_t brk_start, brk_end; /* brk_end: as the program set it, not aligned */
	bool registered;	     /* all of it is under the ExCache */
	uint64_t charged;	     /* bytes of shared memory that the ExCache has been told of */
	uint32_t lock_future;	     /* VMA_LOCKED, VMA_LOCKONFAULT: of new mappings (mlockall) */
};
extern struct layout layout;

/* A look at the program's mapping that holds addr, taking the lock for it. false: there is none. */
bool layout_look(uint64_t addr, struct vma *out);
/* exclusive: enter a mapping that the host kernel has made; under the ExCache at once when everything is. 0 or -errno. */
int layout_add(const struct vma *v, bool *reclaim);
/*
 * exclusive: after the table gained weight. Registers a mapping that needs it, and everything once the weight exceeds
 * the budget. *reclaim is set when the caller must run layout_reclaim after unlocking. 0 or -errno.
 */
int layout_settle(bool *reclaim);
/* Without the lock: bring what is resident below the budget. */
void layout_reclaim(struct thread *t);
/* Without the lock, under the ExCache: room for so many lines more, which others may take. 0, -EIO. */
int layout_make_room(struct thread *t, unsigned lines);
/* exclusive: make [start, end) free of mappings: contents, registration, table. */
int layout_clear(uint64_t start, uint64_t end, bool host_too);

/* exclusive: the most that may be pinned, so that the rest has room in the budget once all is under the ExCache. */
uint64_t layout_pin_max(bool registered);
/* exclusive: what of shared memory is there now is charged to the budget. */
void charge_now(void);
/* Bytes of a mapping that is not under the ExCache that are resident: the host kernel knows. */
uint64_t layout_resident(const struct vma *v);

/* exclusive: where a mapping goes that is asked for with these MAP_ flags: its address, or -errno. */
int64_t layout_place(uint64_t addr, uint64_t bytes, uint32_t flags);
/* exclusive: enum vma_flags of MAP_ flags, and what mlockall asked for */
uint32_t layout_flags(uint32_t flags);

/*
 * exclusive: do the program's limits leave room for a mapping of that kind in place of what is in [start, end)? For so many
 * more pinned bytes in the budget? 0 or -ENOMEM.
 */
int layout_room(uint64_t start, uint64_t end, uint32_t flags, uint32_t prot);
int layout_pin_room(uint64_t bytes);

/* exclusive: attachments of System V segments that the keeper has ended; those of which nothing is left end in the host kernel. */
void sysv_sweep(void);

/* Before all else: the main stack. 0 or -errno. */
int stack_make(void);

/*
 * Mapped files, by index, each held open: a mapping outlives its file's name and descriptors. exclusive. 0: out of memory,
 * or none. sweep: after mappings went, find the files that none names any more; reap, without the lock: let them go.
 */
uint32_t names_add(const struct vm_file *file);
uint32_t names_add_text(const char *text, uint64_t ino, uint64_t dev); /* none of ours: a name for maps */
const char *names_get(uint32_t i);
void names_file(uint32_t i, uint64_t *ino, uint64_t *dev);
struct fs_image *names_image(uint32_t i); /* NULL: it has none; names_sweep may let it go */
void names_sweep(void);
/* Files mapped shared (pages.h): the entry of one, 0: there is none; a new one, with room for so many bytes; its pages. */
struct pages;
uint32_t names_shared(uint64_t ino, uint64_t dev);
uint32_t names_add_shared(const struct vm_file *file, uint64_t bytes);
struct pages *names_pages(uint32_t i);
bool names_any_shared(void); /* any thread */
uint32_t names_count(void);
void names_reap(void);

/*
 * exclusive: pages of files that the program before this one had read and never written (reuse.c). keep: all such pages, out
 * of their mappings, which are about to be cleared. take: those of [off, off + bytes) of a file in that state, the caller's
 * from then on; NULL: they are not here. fit: no more than that many bytes in all; they count against no other limit.
 */
void reuse_keep(void);
char *reuse_take(const struct fs_version *version, uint64_t off, uint64_t bytes);
void reuse_fit(uint64_t bytes);

/* exclusive: a mapping of a file, in the table, is as if it had never been read. 0 or -errno. */
int layout_unread(struct vma *v);

/* Without the lock: bring all of [start, end) in that is mapped with access, for writing where that is allowed. 0, -ENOMEM. */
int vm_populate(uint64_t start, uint64_t end);
/* A range as madvise and friends take it; *end page aligned. 0; -EINVAL: not aligned, or too long to be one; -ENOMEM: not ours. */
int vm_range(uint64_t addr, uint64_t bytes, uint64_t *end);
/* May the program lock memory at all, and so many bytes more? */
bool vm_lock_may(void);
bool vm_lock_allowed(uint64_t bytes);

#endif
