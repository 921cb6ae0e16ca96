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
#include "ashlar/proto/p2s.h"
#include "ashlar/base/cap.h"

struct thread;
struct wire_stat;

/* ---- set-up --------------------------------------------------------------------------------------------------- */

struct fs_config {
	struct net *net;    /* fd_floor set */
	const char *s_addr; /* storage component; its name for messages */
	const char *s_name;
	struct cap cap;
	uint32_t pid, member; /* of the tree; which of its processes */
	const char *cwd;      /* working directory to start in */
	uint32_t umask;
	uint32_t wait_s; /* how long calls wait for a lost storage component; 0: not at all, STORAGE_WAIT_FOREVER */
	int fd_floor;	 /* numbers from here on are ours, hidden from the program */
};
int fs_open(const struct fs_config *); /* connects, P2S_HELLO, P2S_BUFFER; 0 or -errno after a message */
/* The calling thread has become somebody else: from now on files are touched in that name. Waits for the component. */
void fs_creds_changed(void);
/* The calling thread, one behind the program, does not wait for a storage component that is gone: its requests fail. */
void fs_never_wait(void);
/*
 * Has the component ended that keeps locks of ours, and no call has met it? Asked by a thread that never waits. restore, by
 * one that may wait for seconds, then takes them again, before others do.
 */
bool fs_locks_lost(void);
void fs_locks_restore(void);
uint64_t fs_messages(void);	  /* requests sent, for the statistics */
uint64_t fs_unknown_ioctls(void); /* requests of unknown shape, answered ENOTTY */

/* ---- used by the loader (load/) and by mmap (vm/): no program memory involved --------------------------------- */

struct fs_image; /* an open file of the storage component, counted */

/*
 * Which file, and in which state it was when it was opened. Two that are alike are the same bytes, as far as the file system's
 * times tell one moment from the next. All zeros: not known.
 */
struct fs_version {
	uint64_t ino, dev, bytes;
	struct wire_time mtime, ctime;
	uint64_t mode;
};

/*
 * Open to execute it, by path as the program would (cwd, symlinks): a regular file that the user may execute, else -EACCES.
 * canonical: its path; head: its first bytes, less than P2S_EXEC_HEAD of them only where there are no more, or they cannot be
 * read. All of that in one round trip.
 */
int fs_image_exec(const char *path, struct fs_image **out, struct wire_stat *st, char canonical[4096], char *head,
		  uint32_t *head_bytes);
/*
 * The remote file behind a descriptor of the program: counted up. -EBADF, -ENODEV (a host object), -EACCES (not readable).
 * which: if not NULL, which one it is, by a message where that is not known.
 */
int fs_image_from_fd(int fd, struct fs_image **out, struct fs_version *which, char *canonical, size_t canonical_max);
/* The state that its file was opened in; all zeros where that is not known. It stays as long as the image. */
const struct fs_version *fs_image_version(struct fs_image *);
/* Read into local or freshly mapped, not yet registered memory: bytes read (short only at the end of the file) or -errno. */
int64_t fs_image_pread(struct fs_image *, void *dst, uint64_t bytes, uint64_t off);
/* Write all of it, at off: 0 or -errno. Nothing is held. */
int fs_image_pwrite(struct fs_image *, const void *src, uint64_t bytes, uint64_t off);
bool fs_image_writable(struct fs_image *);
/* Its state now: 0 or -errno. */
int fs_image_stat(struct fs_image *, struct wire_stat *st);
struct fs_image *fs_image_ref(struct fs_image *); /* one more fs_image_close is due */
void fs_image_close(struct fs_image *);
/* The descriptor that a program's path stands for by its text (/proc/self/fd/N, /dev/fd/N); -1: none. */
int fs_program_number(const char *path);
/* What /proc shows of a remote file's descriptor: its length; -EBADF: it is none. buf: PATH_MAX + 16. */
long fs_link_text(int fd, char *buf);
/* The program is loaded: what exec had kept of its file is let go. */
void fs_program_forget(void);
/* /proc/self/exe is another's for the program that takes our place: the file that it is now. */
void fs_exec_path(char path[4096]);

/* Tell /proc/self/{exe,cmdline,environ} what they are; all are copied. */
void fs_proc_self(const char *exe_canonical, char *const argv[], char *const envp[]);
/* The program's words with blanks between them, as many as have room. */
void fs_proc_args(char *to, size_t bytes);

/* ---- fork and exec ---------------------------------------------------------------------------------------------- */

/*
 * fork: prepare in the parent, before fork(2): takes all locks of fs/, sets the open files aside for the member (P2S_FORK),
 * and makes offsets and status flags shared from now on. parent: after fork(2), also a failed one. -errno of prepare:
 * nothing has happened. child: the locks are free, other threads' holds on files and slots are gone, the dispatcher's
 * descriptors are closed already; the connection is made at the first use, as what c says. Its cwd, umask and fd_floor are
 * not looked at: they are the parent's.
 */
int fs_fork_prepare(uint32_t member);
void fs_fork_parent(void);
int fs_fork_child(const struct fs_config *c);

/*
 * exec: save sets aside what the next program keeps (all but close-on-exec) for the member and appends a description of
 * descriptors, files, working directory and umask to fd; no other thread runs any more. number: the program's file, if it is given
 * by one (-1); *host: a descriptor for the next dispatcher that the caller closes if all fails, -1: none. Nothing is closed by it: a failed
 * execve leaves all as it is. restore, in the new dispatcher instead of fs_open: reads it from fd, whose bytes are the
 * caller's own and checked all the same; the connection is made at the first use.
 */
int fs_exec_save(uint32_t member, int fd, int number, int *host);
int fs_exec_restore(const struct fs_config *c, int fd);

/* ---- given by others, used by fs ------------------------------------------------------------------------------- */

/* vm/: text of /proc/self/maps, or of smaps, as the program should see it, into a malloc'ed buffer of *len bytes. */
char *vm_maps_text(bool smaps, size_t *len);
/* vm/: the program's own memory, in bytes. */
struct vm_totals {
	uint64_t size, size_peak, resident, resident_shared, resident_peak;
	uint64_t away; /* remote: as if it were swapped out */
	uint64_t data, stack, locked;
	uint64_t start_stack, start_brk; /* addresses */
};
void vm_totals(struct vm_totals *);
/*
 * vm/: a remote file is about to be read, or has been written in [off, off + bytes): pages of it that are mapped shared are
 * written back, or read anew. Any thread that holds nothing.
 */
void vm_file_reads(struct fs_image *);
void vm_file_written(struct fs_image *, uint64_t off, uint64_t bytes);

#endif
