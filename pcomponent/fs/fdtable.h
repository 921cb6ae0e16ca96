/*
 * Descriptor table: which of the program's descriptors are files of ours; all others are host objects with the host
 * kernel's own numbers. A file's number is held by a descriptor of /dev/null. The number and its entry change together,
 * under the table's lock, so that no thread sees one without the other.
 */
#ifndef PCOMPONENT_FS_FDTABLE_H
#define PCOMPONENT_FS_FDTABLE_H
#include <stdbool.h>
#include "pcomponent/fs/file.h"

int fdtable_open(int fd_floor);
int fd_floor(void);
/* The program's limit of open files is now this; above the floor it does not reach. */
void fd_limit(int limit);

/* The file behind a descriptor, counted; NULL: a host object, or closed, or hidden. */
struct file *fd_file(int fd);
/* The same, remote files only. */
struct file *fd_remote(int fd);
/* One of the dispatcher's numbers? To the program it is closed. */
bool fd_hidden(int fd);

/*
 * Take the lowest free number before the file is opened, so that EMFILE comes before anything is created or truncated.
 * Until fd_install puts f (counted up) behind it, or fd_unreserve gives it back, it is open to nobody.
 */
long fd_reserve(bool cloexec);
void fd_install(int fd, struct file *f);
void fd_unreserve(int fd);
/* A host descriptor just made for the program: the same number, or -EMFILE after closing it when it is above the limit. */
long fd_adopt(long fd);
/*
 * Make a host descriptor under the table's lock and let f (counted up) stand behind it: for files that are host
 * descriptors. make returns the number or -errno.
 */
long fd_install_host(struct file *f, long (*make)(void *arg), void *arg);

long fd_close(int fd);
/* dup with the lowest number from `from` on, dup2/dup3 to a given one. */
long fd_dup(int fd, int from, bool cloexec);
long fd_dup_to(int fd, int to, int flags);
long fd_close_range(unsigned first, unsigned last, unsigned flags);

#endif
