/* Reading and writing: the two kinds of files behind one pair of calls. */
#ifndef PCOMPONENT_FS_RW_H
#define PCOMPONENT_FS_RW_H
#include <stdbool.h>
#include <stdint.h>
#include "pcomponent/fs/uiter.h"

struct file;
struct thread;

#define OFF_NONE (-1) /* use and move the file's own offset */

/* What a read or write is to do: from the call's number and arguments. */
struct rw {
	struct uiter it;
	int fd;
	bool write;
	int64_t off;	/* OFF_NONE or >= 0 */
	uint32_t flags; /* RWF_* */
};

/* Bytes or -errno; f is remote, the access mode has been checked by nobody yet. */
long remote_rw(struct file *f, struct rw *);
/* Bytes, -errno, or -SYS_RESTART when nothing was moved. */
long host_rw(struct thread *, struct rw *);
/* The same from or to local memory, of a file. */
long host_rw_local(struct thread *, int fd, char *buf, uint64_t n, int64_t off, bool write);

#endif
