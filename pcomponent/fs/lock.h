/* Locks on remote files, as system calls ask for them. */
#ifndef PCOMPONENT_FS_LOCK_H
#define PCOMPONENT_FS_LOCK_H
#include <stdint.h>

struct file;
struct thread;

/* fcntl: F_GETLK, F_SETLK, F_SETLKW and F_OFD_*; addr: the program's struct flock. */
long lock_remote(struct thread *t, struct file *f, int cmd, uint64_t addr);
/* flock; op as the call has it. */
long flock_remote(struct thread *t, struct file *f, uint64_t op);

#endif
