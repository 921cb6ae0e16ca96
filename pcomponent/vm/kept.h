/*
 * Shared memory that is left to the tree's keeper (pcomponent/keep/keeper.h): the process's side. Memory files (memfd,
 * /dev/shm) carry a mark, a lock on a byte behind all contents (keep/wire.h): whoever maps one and has not been told to
 * leave it to the keeper marks it as in use, and so it is never evicted behind his back.
 */
#ifndef PCOMPONENT_VM_KEPT_H
#define PCOMPONENT_VM_KEPT_H
#include <stdbool.h>
#include <stdint.h>
#include "pcomponent/vm/vm.h"

/* What is to be mapped in place of what the program asked for. */
struct kept_object {
	int fd;		/* -1: as the program said */
	uint32_t flags; /* enum keep_flags */
	bool marked;	/* by this fd: it is in use, and not kept */
	bool keep;	/* to be left to the keeper */
};

/*
 * Without a lock, before a mapping of bytes of the object fd (-1: anonymous memory to be shared) is made: who is to have
 * it? press: it does not fit what may stay local. 0, or -errno: it cannot be mapped. close: when it is mapped, or not.
 */
int kept_choose(struct thread *t, int fd, uint64_t bytes, bool shared, bool press, struct kept_object *);
void kept_close(struct kept_object *);
/* The keeper does not have it: in use, by us. false: somebody else's keeper has it by now. */
bool kept_mark(const struct kept_object *);

/*
 * exclusive. map: the mapping v, which has no access yet, is left to the keeper, and gets its protection. -errno: it is
 * not, and still has no access. like: so is another of the same segment, in place of a descriptor; more: v has been there
 * before, and goes on. unmap: [start, end) is gone. discard: the contents of what [start, end) shows are.
 */
int kept_map(const struct vma *v, const struct kept_object *);
int kept_map_like(const struct vma *v, uint64_t like);
void kept_unmap(uint64_t start, uint64_t end);
void kept_discard(uint64_t start, uint64_t end);
/* exclusive: v, which the keeper has, is locked (enum vma_flags as mlock sets them), or is no more. 0, -ENOMEM: it has no room. */
int kept_lock(const struct vma *v, uint32_t flags);

/*
 * Without a lock: the file that stands for System V segment id, where a keeper has that; press: it is to have it, if nobody has
 * it attached. A descriptor, the caller's, or -errno: the host kernel has it.
 */
int kept_sysv(struct thread *t, int id, bool press);

/*
 * Files that a keeper has, for calls that the host kernel serves; no lock held. has: is it one? hold: n bytes from off on
 * are there until they are released, at most *n, which becomes less. discarded: contents from off on are no more.
 */
bool kept_file(int fd);
int kept_hold(int fd, uint64_t off, uint64_t *n, bool write);
void kept_release(int fd, uint64_t off, uint64_t n);
/*
 * Around a call that cuts [off, off + bytes) out of it (UINT64_MAX: to its end), or zeroes it: the host kernel zeroes parts of
 * pages where they are, so these are brought in. ok: the call was made.
 */
struct kept_cut {
	bool kept;
	uint64_t off, bytes;
	uint64_t held[2]; /* bytes, 0: none */
};
void kept_cut_begin(int fd, uint64_t off, uint64_t bytes, struct kept_cut *);
void kept_cut_end(int fd, const struct kept_cut *, bool ok);
void kept_discarded(int fd, uint64_t off, uint64_t bytes);

/*
 * exclusive. prepare: the child is known before it is there. 0 or -errno. parent: after fork(2), also a failed one. child:
 * its descriptors but kept_child_fd() are closed; every kept mapping is registered again, before program memory is touched.
 */
int kept_fork_prepare(void);
void kept_fork_parent(void);
int kept_child_fd(void);
int kept_fork_child(void);

/* Polls readable when the keeper is gone; -1: there is none. */
int kept_fd(void);
/* It is: the process ends. */
void kept_gone(void) __attribute__((noreturn));

#endif
