/*
 * The layout of the program's address space: which mappings it has and what they are. The dispatcher decides it (the
 * host kernel only follows), below WINDOW_END.
 *
 * Lock: a big-reader lock. Faults hold it shared (their own flag, no cache line that all write); every change of the
 * layout holds it exclusive and so excludes faults and evictions. Nobody touches program memory while holding it.
 *
 * Registering late: nothing is under the ExCache while all that the process may write (and the copies of its files) fits
 * its budget. The first mapping that does not fit brings everything under it. A NORESERVE mapping larger than an eighth
 * of the budget is registered when it is made and not counted.
 */
#ifndef PCOMPONENT_VM_VM_H
#define PCOMPONENT_VM_VM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pcomponent/vm/window.h"

struct thread;
struct fs_image;

enum vma_flags {
	VMA_REGISTERED = 1, /* under the ExCache */
	VMA_HOST = 2,	    /* a mapping of a host object, or shared memory: never registered */
	VMA_NORESERVE = 4,
	VMA_FILE = 8,	/* holds a copy of a file: counts whatever its protection */
	VMA_STACK = 16, /* the main thread's */
	VMA_BRK = 32,
	VMA_SHARED = 64, /* MAP_SHARED, for /proc/self/maps */
	VMA_OURS = 128, /* the dispatcher's, inside the window by the host kernel's choice: not to be touched or seen */
	VMA_GROWSDOWN = 256,
	VMA_UNREAD = 512,  /* of a file, not read so far or behind its end: no access in the host kernel (file.c) */
	VMA_LOCKED = 1024, /* mlock: what is in it stays */
	VMA_LOCKONFAULT = 2048,
	/* What a fork does with it: the child has no such mapping, or finds zeros. Both are the program's advice. */
	VMA_DONTFORK = 4096,
	VMA_WIPEONFORK = 8192,
	VMA_DONTDUMP = 16384, /* not in a core file */
	VMA_CHARGED = 32768,  /* of VMA_HOST: memory, and this process pays for it (charge.c) */
	VMA_SYSV = 65536,     /* attached by shmat */
	VMA_PAGES = 131072,   /* of a remote file, shared (pages.h): access in the host kernel differs by page */
	VMA_KEPT = 1048576,   /* of VMA_HOST: the tree's keeper has it (kept.h) */
	VMA_NOWRITE = 262144, /* shared, of a file not opened for writing: no protection may allow it */
	VMA_WRITTEN = 524288, /* of VMA_FILE: could be written at some time, so that it may differ from its file */
};

struct vma {
	uint64_t start, end;
	uint64_t off;	/* in the file */
	uint32_t flags; /* enum vma_flags */
	uint32_t prot;
	uint32_t name; /* index of its file's path, 0: none */
};

/* budget_bytes: what may be local. The main stack is there afterwards. 0 or -errno. */
int vm_open(uint64_t budget_bytes);

/* Of the keeper, which has no program: all that it holds is under its ExCache. */
void vm_open_keeper(uint64_t budget_bytes);

/*
 * exec in place: nothing of the program's is mapped any more but a new main stack, all else is as after vm_open. Only where
 * nothing is under the ExCache; no lock held. 0 or -errno: what is there is neither the old program nor a new one.
 */
int vm_reset(void);

/*
 * Change it while the program runs. What no longer fits is brought under the ExCache; the caller then sees to it that no
 * more is resident (excache_fit). 0 or -errno: it stays as it was.
 */
int vm_budget_set(uint64_t budget_bytes);
/* Bytes of the program that count against the budget; *registered: they are under the ExCache. Takes no lock. */
uint64_t vm_weight(bool *registered);

void vm_lock_shared(struct thread *t);
void vm_unlock_shared(struct thread *t);
/* Under the lock, shared: the thread's port to the ExCache is there, opened if need be. 0 or -errno. */
int vm_port(struct thread *t);
void vm_lock_exclusive(void);
void vm_unlock_exclusive(void);
/* A thread of the dispatcher that takes the lock shared and is none of the program's; once. */
void vm_lock_helper(struct thread *t);

/* shared: is addr in registered memory, and in which mapping? */
bool vm_registered(uint64_t addr, uint64_t *start, uint64_t *end);
/* shared: is any of [start, end) registered? */
bool vm_registered_in(uint64_t start, uint64_t end);
/* shared, after a miss: now and then, see what of shared memory is there (charge.c). */
void vm_charge(void);

/*
 * Faults that the host kernel has no mapping or no access for; they take the lock themselves. grow: nothing is mapped at
 * addr, but what lies above it grows down: true, try again. file: a mapping may not be accessed as its file has not been
 * read there: 0 it has now, try again; -EFAULT it ends before, or cannot be read (BUS_ADRERR); 1 that is not why.
 */
bool vm_fault_grow(struct thread *t, uint64_t addr);
int vm_fault_file(struct thread *t, uint64_t addr, uint32_t prot);
/* Without the lock, on a helper thread: read what is mapped of files, as long as all fits the budget. */
void vm_read_files(struct thread *t);
uint64_t vm_stack_top(void);
/*
 * exclusive, in a forked child whose registered memory is registered again: what its parent advised for it (DONTFORK,
 * WIPEONFORK) is done, locks are none of its own, and shared memory stays charged to the parent.
 */
void vm_forked(void);
/* exclusive: fn for each registered range, until it fails; what it returned. */
int vm_each_registered(int (*fn)(uint64_t start, uint64_t end));

/* ---- for the loader and the calls; addresses and lengths page aligned; -errno as mmap(2) ---- */

struct vm_file { /* a private file mapping's source; NULL: anonymous */
	struct fs_image *image;
	uint64_t off;	   /* page aligned */
	const char *path;  /* for maps */
	uint64_t ino, dev; /* with the path: which file */
};
/*
 * MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_32BIT, MAP_NORESERVE, MAP_SHARED, MAP_GROWSDOWN, MAP_LOCKED, MAP_POPULATE are looked
 * at; addr is a hint otherwise. The address, or -errno.
 */
int64_t vm_map(struct thread *t, uint64_t addr, uint64_t bytes, uint32_t prot, uint32_t flags,
	       const struct vm_file *file);
/* A shared mapping of a remote file: writable, or of one that is mapped so already. */
int64_t vm_map_pages(struct thread *t, const uint64_t a[6], uint64_t bytes, const struct vm_file *file);
/* Write back what was written through shared mappings in [start, end): 0 or -errno. No lock held. */
int vm_sync(uint64_t start, uint64_t end);
/*
 * Before a fork (1), in the parent, and where it failed (-1): one process more has what is mapped shared. exclusive. ends:
 * before the process ends or becomes another program; no lock held.
 */
void vm_shared_processes(int more);
void vm_ends(void);

/* A mapping of the host object a[4] (device, shared memory), or of memory to be shared, as mmap(2). */
int64_t vm_map_host(struct thread *t, const uint64_t a[6], uint64_t bytes);
/* As munmap(2), of a range within the window; what is the dispatcher's there stays. 0 or -errno. */
int vm_unmap(uint64_t addr, uint64_t bytes);
/* grows_down: from the beginning of the mapping at addr on, which must be one that grows down. */
int vm_protect(struct thread *t, uint64_t addr, uint64_t bytes, uint32_t prot, bool grows_down);
/* Where the program's stack pointer starts; its break: behind its image. */
void vm_stack_start(uint64_t sp);
void vm_brk_start(uint64_t addr);
/* Bytes the program may have local. */
uint64_t vm_budget(void);

#endif
