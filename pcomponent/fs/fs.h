/*
 * Files of the program: one table maps each descriptor to a file of the storage component or to a host object (pipe,
 * socket, epoll, terminal, /dev, /proc, /sys). Descriptor numbers are real kernel descriptors: a remote file holds its
 * number by a descriptor of /dev/null (poll and epoll answer for it as for a regular file), so close, dup, fcntl and
 * the lowest-number rule stay native.
 */
#ifndef PCOMPONENT_FS_FS_H
#define PCOMPONENT_FS_FS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "ashlar/launch.h"
#include "ashlar/net.h"
#include "ashlar/base/cap.h"

struct thread;
struct wire_stat;

/* ---- set-up --------------------------------------------------------------------------------------------------- */

struct fs_config {
	struct net *net;    /* fd_floor set */
	const char *s_addr; /* storage component; its name for messages */
	const char *s_name;
	struct cap cap;
	uint32_t pid;
	const char *cwd; /* working directory to start in */
	uint32_t umask;
	uint32_t wait_s; /* how long calls wait for a lost storage component; 0: not at all, STORAGE_WAIT_FOREVER */
	int fd_floor;	 /* numbers from here on are ours, hidden from the program */
};
int fs_open(const struct fs_config *); /* connects, P2S_HELLO, P2S_BUFFER; 0 or -errno after a message */
uint64_t fs_messages(void);	       /* requests sent, for the statistics */
uint64_t fs_unknown_ioctls(void);      /* requests of unknown shape, answered ENOTTY */

/* ---- used by the loader (load/) and by mmap (vm/): no program memory involved --------------------------------- */

struct fs_image; /* an open file of the storage component, counted */

/* Open for reading, by path as the program would (cwd, symlinks). *path gets the canonical path (caller's buffer). */
int fs_image_open(const char *path, struct fs_image **out, struct wire_stat *st, char *canonical, size_t canonical_max);
/* The remote file behind a descriptor of the program: counted up. -EBADF, -ENODEV (a host object), -EACCES (not readable). */
int fs_image_from_fd(int fd, struct fs_image **out, struct wire_stat *st, char *canonical, size_t canonical_max);
/* Read into local or freshly mapped, not yet registered memory: bytes read (short only at the end of the file) or -errno. */
int64_t fs_image_pread(struct fs_image *, void *dst, uint64_t bytes, uint64_t off);
void fs_image_close(struct fs_image *);
/* May the user execute it? 0 or -EACCES. */
int fs_image_access_exec(const char *path);

/* Tell /proc/self/{exe,cmdline} what they are. argv is kept by reference. */
void fs_proc_self(const char *exe_canonical, char *const argv[]);
/* The program's words with blanks between them, as many as have room. */
void fs_proc_args(char *to, size_t bytes);

/* ---- given by others, used by fs ------------------------------------------------------------------------------- */

/* vm/: text of /proc/self/maps as the program should see it, into a malloc'ed buffer of *len bytes. */
char *vm_maps_text(size_t *len);
/* vm/: for /proc/self/status: VmSize and VmRSS in bytes of the program's own memory. */
void vm_totals(uint64_t *size_bytes, uint64_t *resident_bytes);

#endif
