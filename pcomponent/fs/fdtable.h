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
int fd_limit_get(void);

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

/*
 * fork. A memfd takes the place of /dev/null for each remote file that has an offset (file.h), and the lock is held from
 * here on, unless -errno. parent, child: it is free again.
 */
int fdtable_fork(void);
void fdtable_parent(void);
int fdtable_child(void); /* 0 or -errno */

/*
 * Passing to another process (pass.h). pass: make what goes behind a number fit to be passed. 0, *out: its remote file, one
 * use, the caller's; NULL: a host object. -EBADF: none of the program's; -ENOMEM, -ENFILE, -EMFILE.
 * join: a descriptor that came is the memfd of a file that has other numbers here, and becomes one more; false: it is not.
 */
int fd_pass(int fd, struct file **out);
bool fd_join(int fd, const struct cap *token);

/*
 * exec. Each number with a file behind it, under the lock; how many there are. restore: f (held) stands behind a number
 * that is open, and free in the table; -EINVAL.
 */
void fd_each(void (*fn)(int fd, struct file *, bool cloexec, void *arg), void *arg);
unsigned fd_count(void);
int fd_restore(uint32_t fd, struct file *f);
/* exec in place: close what is close-on-exec. */
void fd_close_on_exec(void);

/* Open the memfd behind a number (of a shared file) once more, above the floor. -ENFILE, -ENOMEM; -EBADF: f is closed. */
int fd_open_again(int fd);
int fd_open_own(const struct file *f);

#endif
