/*
 * Programs that are given by a descriptor (execveat with AT_EMPTY_PATH, /proc/self/fd/N, /dev/fd/N): files without a name,
 * files of the export whose number is closed by the very exec, and host objects with contents (a memfd, a file of /dev/shm),
 * which are read from a mapping of ours.
 */
#ifndef PCOMPONENT_FS_PROGRAM_H
#define PCOMPONENT_FS_PROGRAM_H
#include <stdbool.h>
#include <stdint.h>
#include "pcomponent/fs/path.h"

/* The number that path stands for by its text, open or not; -1: none. */
int program_number(const char *path);
/* The host object that path stands for: a descriptor, not the caller's. -1: none. */
int program_host(const char *path);
/* The remote file that path stands for, when it is the one that was kept over the exec: p is set. */
bool program_kept(const char *path, struct path *p);

/*
 * A host object to read from and to execute: a file of kind FILE_MAPPED, the caller's use. -EACCES: no regular file, or not
 * executable. st as that of a remote one.
 */
int program_open(int fd, struct file **out, struct wire_stat *st);
/* The contents: bytes done. */
int64_t program_read(const struct file *, void *dst, uint64_t bytes, uint64_t off);
/* Before the file is freed. */
void program_unmap(const struct file *);

/*
 * exec. number: of the program that takes our place. keep_host: a copy of its descriptor that outlives execve, -1: it is no host
 * object; -errno. keep, in the next dispatcher: the number was this file (NULL), or this descriptor, which is taken over (-1),
 * until fs_program_forget.
 */
int program_keep_host(int number, int floor);
void program_keep(int number, struct file *, int host);

#endif
