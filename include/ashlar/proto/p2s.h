/*
 * Dispatcher to a storage component. Files by handle; handle 0 is the export's root. A path is the tail, not
 * terminated, no NUL inside, at most 4095 bytes; absolute paths start at the export's root; none leaves it. An empty path
 * with AT_EMPTY_PATH means the handle itself. Errors are Linux errnos as the call of the same name gives them, and:
 *  - EREMOTE: the path leads, by a symbolic link, below /proc, /sys or /dev, which are the processor component's own;
 *    P2S_RESOLVE tells where to;
 *  - ENXIO from P2S_OPEN: a FIFO, socket or device, which nobody opens across machines;
 *  - ETXTBSY from P2S_OPEN, P2S_TRUNCATE and P2S_EXEC between all processes of the component (scomponent/texts.h);
 *  - EACCES before P2S_HELLO, or for another process's pid in the header.
 * File data moves one-sided, from and to the buffer that the dispatcher granted by P2S_BUFFER, `buf` = offset in it.
 * umask is the dispatcher's affair: `mode` arrives with it applied.
 */
#ifndef ASHLAR_PROTO_P2S_H
#define ASHLAR_PROTO_P2S_H
#include "ashlar/net.h"
#include "ashlar/proto/wire.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/*
 * As P2M_HELLO. files: so many were set aside for this member, and are the connection's now, by P2S_FORK's handles.
 */
struct p2s_hello_req {
	struct cap cap;
	uint32_t pid;
	uint32_t member;
};
struct p2s_hello_rep {
	uint32_t readonly; /* the export is read-only */
	uint32_t files;
};

/* The dispatcher's io buffer: the storage component may read and write it one-sided. Once per connection. */
struct p2s_buffer_req {
	struct net_key key;
	uint64_t bytes;
};
struct p2s_buffer_rep {
	uint64_t reserved0;
};

struct wire_time {
	int64_t sec;
	uint32_t nsec;
	uint32_t reserved0;
};
/* As struct statx / struct stat have it. btime.nsec UINT32_MAX: the file system does not tell. */
struct wire_stat {
	uint64_t ino, size, blocks, nlink;
	uint32_t mode, uid, gid, blksize;
	uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
	struct wire_time atime, mtime, ctime, btime;
};
_Static_assert(sizeof(struct wire_stat) == 128, "wire_stat");

/*
 * Where a path starts and what it is. flags: AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, AT_REMOVEDIR,
 * AT_EACCESS as the call knows them; in P2S_OPEN also RESOLVE_* of openat2 but RESOLVE_CACHED (other bits than those).
 */
struct wire_at {
	uint64_t dir; /* directory handle; 0: root */
	uint32_t flags;
	uint32_t path_bytes;
};

/*
 * open: `flags` are Linux O_*. With an empty path and AT_EMPTY_PATH the file behind the handle is opened anew, as by
 * /proc/self/fd (also a deleted one). Reply tail: canonical path inside the export, absolute, not terminated.
 */
struct p2s_open_req {
	struct wire_at at;
	uint32_t flags, mode;
};
struct p2s_open_rep {
	uint64_t handle; /* > 0 */
	struct wire_stat stat;
};

struct p2s_close_req {
	uint64_t handle;
};
struct p2s_close_rep {
	uint64_t reserved0;
};

/* pread: up to `bytes` to buf; done < bytes only at the end of the file. */
struct p2s_read_req {
	uint64_t handle, off, buf;
	uint32_t bytes;
	uint32_t reserved0;
};
struct p2s_read_rep {
	uint32_t done;
	uint32_t reserved0;
};

/* pwrite; with append at the end of the file, whatever off says. end: file offset behind the last byte written. */
struct p2s_write_req {
	uint64_t handle, off, buf;
	uint32_t bytes;
	uint32_t append;
};
struct p2s_write_rep {
	uint64_t end;
	uint32_t done;
	uint32_t reserved0;
};

/* Directory entries from cookie (0: the start) as struct linux_dirent64 to buf; next: cookie to go on; done 0: the end. */
struct p2s_getdents_req {
	uint64_t handle, cookie, buf;
	uint32_t bytes;
	uint32_t reserved0;
};
struct p2s_getdents_rep {
	uint64_t next;
	uint32_t done;
	uint32_t reserved0;
};

struct p2s_stat_req {
	struct wire_at at;
};
struct p2s_stat_rep {
	struct wire_stat stat;
};

struct p2s_statfs_req {
	struct wire_at at;
};
struct p2s_statfs_rep {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags, fsid;
};

struct p2s_access_req {
	struct wire_at at;
	uint32_t mode;
	uint32_t reserved0;
};
struct p2s_access_rep {
	uint64_t reserved0;
};

/* Reply tail: the target. */
struct p2s_readlink_req {
	struct wire_at at;
};
struct p2s_readlink_rep {
	uint64_t reserved0;
};

/* unlink, or rmdir with AT_REMOVEDIR. */
struct p2s_unlink_req {
	struct wire_at at;
};
struct p2s_unlink_rep {
	uint64_t reserved0;
};

/* kind 0: a directory, 1: a FIFO, 2: a socket, as mknod makes it. */
struct p2s_mkdir_req {
	struct wire_at at;
	uint32_t mode;
	uint32_t kind;
};
struct p2s_mkdir_rep {
	uint64_t reserved0;
};

/* Two paths, one behind the other in the tail. flags: RENAME_*. */
struct p2s_rename_req {
	struct wire_at from, to;
	uint32_t flags;
	uint32_t reserved0;
};
struct p2s_rename_rep {
	uint64_t reserved0;
};

struct p2s_link_req {
	struct wire_at from, to;
};
struct p2s_link_rep {
	uint64_t reserved0;
};

/* Tail: target, then the new path. */
struct p2s_symlink_req {
	struct wire_at at;
	uint32_t target_bytes;
	uint32_t reserved0;
};
struct p2s_symlink_rep {
	uint64_t reserved0;
};

/* truncate, or ftruncate with AT_EMPTY_PATH; with AT_SYMLINK_FOLLOW as well truncate of the file behind the handle. */
struct p2s_truncate_req {
	struct wire_at at;
	uint64_t bytes;
};
struct p2s_truncate_rep {
	uint64_t reserved0;
};

struct p2s_chmod_req {
	struct wire_at at;
	uint32_t mode;
	uint32_t reserved0;
};
struct p2s_chmod_rep {
	uint64_t reserved0;
};

struct p2s_chown_req {
	struct wire_at at;
	uint32_t uid, gid; /* UINT32_MAX: leave */
};
struct p2s_chown_rep {
	uint64_t reserved0;
};

/* nsec may be UTIME_NOW or UTIME_OMIT. */
struct p2s_utimens_req {
	struct wire_at at;
	struct wire_time atime, mtime;
};
struct p2s_utimens_rep {
	uint64_t reserved0;
};

enum p2s_sync_what { P2S_SYNC_ALL, P2S_SYNC_DATA, P2S_SYNC_FS };
/* fsync, fdatasync or syncfs. */
struct p2s_sync_req {
	uint64_t handle;
	uint32_t what; /* enum p2s_sync_what */
	uint32_t reserved0;
};
struct p2s_sync_rep {
	uint64_t reserved0;
};

/* fallocate(2). */
struct p2s_fallocate_req {
	uint64_t handle, off, bytes;
	uint32_t mode;
	uint32_t reserved0;
};
struct p2s_fallocate_rep {
	uint64_t reserved0;
};

/* Where the file behind a handle is now. Reply tail: as P2S_OPEN gives it; deleted: it has no name any more. */
struct p2s_path_req {
	uint64_t handle;
};
struct p2s_path_rep {
	uint32_t deleted;
	uint32_t reserved0;
};

/*
 * Follow symbolic links (of the last name too, but for AT_SYMLINK_NOFOLLOW) up to where the path enters /proc, /sys or
 * /dev. Reply tail: the absolute path from there on. foreign 0: it never does, the tail says how far it exists.
 */
struct p2s_resolve_req {
	struct wire_at at;
};
struct p2s_resolve_rep {
	uint32_t foreign;
	uint32_t reserved0;
};

/* lseek with SEEK_END, SEEK_DATA, SEEK_HOLE: what depends on the file. The offset itself is the dispatcher's. */
struct p2s_seek_req {
	uint64_t handle;
	int64_t off;
	uint32_t whence;
	uint32_t reserved0;
};
struct p2s_seek_rep {
	uint64_t off;
};

/* flock(2); never waits: -EWOULDBLOCK. The lock is the handle's. */
struct p2s_flock_req {
	uint64_t handle;
	uint32_t op;
	uint32_t reserved0;
};
struct p2s_flock_rep {
	uint64_t reserved0;
};

/* What the component holds, and counters of refusals: for tests and tools. */
struct p2s_usage_req {
	uint64_t reserved0;
};
struct p2s_usage_rep {
	uint64_t handles;		 /* of this process */
	uint64_t processes, all_handles; /* of the component */
	uint64_t refused;		 /* requests before P2S_HELLO, wrong capabilities, other processes' pids */
};

/* As P2M_GUARD (-EBUSY: there is a guard): files that were set aside for members of the tree are closed when this connection closes. */
struct p2s_guard_req {
	struct cap cap;
	uint32_t pid;
	uint32_t reserved0;
};
struct p2s_guard_rep {
	uint64_t reserved0;
};

/*
 * Set open files of this connection aside for a member of the tree that is about to be: it has them, under the same
 * handles and with the same open file descriptions, from its P2S_HELLO on, whatever becomes of this connection. n: how
 * many handles the tail names (uint64_t each); 0: all. May be sent several times for one member. A member's first hello
 * takes them; one that never comes ends by P2S_LEFT. -EEXIST: the member has said hello. -EBADF: a handle is not open.
 * exec: the caller is about to become that member: it gets the caller's record locks when the caller's last connection closes.
 * -EINVAL: member 0. -EAGAIN: files of MEMBERS_MAX members wait already. -ENFILE: FILES_PER_PROCESS_MAX of this member, or
 * FILES_PER_TREE_MAX of the tree. A failed request has set nothing aside.
 */
struct p2s_fork_req {
	uint32_t member;
	uint32_t n;
	uint32_t exec;
	uint32_t reserved0;
};
struct p2s_fork_rep {
	uint64_t files; /* set aside by this request */
};

/* As P2M_LEFT. */
struct p2s_left_req {
	uint32_t member;
	uint32_t reserved0;
};
struct p2s_left_rep {
	uint64_t reserved0;
};

/*
 * Record locks, as fcntl(2) has them: of the process (the member of the tree), or of the open file description (ofd). start
 * and end: bytes of the file, both inclusive, end INT64_MAX: all that follow. type: F_RDLCK, F_WRLCK, F_UNLCK. pid: what
 * others are told of the owner. Nothing waits here: -EAGAIN. WAIT: as SET, of a caller that asks again until it is done;
 * -EDEADLK: who is in the way waits for the caller. GET: who would be in the way; type F_UNLCK: nobody. -EBADF: the handle
 * is not open for that. -ENOLCK: LOCKS_PER_TREE_MAX. They end with the member's last connection, or the last handle.
 */
enum p2s_lock_op { P2S_LOCK_SET, P2S_LOCK_WAIT, P2S_LOCK_GET };
struct p2s_lock_req {
	uint64_t handle, start, end;
	uint32_t op; /* enum p2s_lock_op */
	uint32_t type;
	uint32_t ofd;
	uint32_t pid;
};
struct p2s_lock_rep {
	uint64_t start, end;
	uint32_t type;
	uint32_t pid; /* UINT32_MAX: of an open file description */
};

/*
 * Open a file to execute it: as P2S_OPEN with O_RDONLY, of a regular file that the process may execute; else -EACCES. Reply
 * tail: the canonical path as P2S_OPEN gives it, then the first bytes of the file, P2S_EXEC_HEAD where it has so many: what a
 * small program's headers need, or the first line of a script.
 */
#define P2S_EXEC_HEAD 1024
struct p2s_exec_req {
	struct wire_at at;
};
struct p2s_exec_rep {
	uint64_t handle; /* > 0 */
	uint32_t path_bytes, head_bytes;
	struct wire_stat stat;
};

/*
 * The process has become somebody else, and the host kernel has agreed: requests that come after this one touch files in
 * this name. The component believes it as far as Linux would allow it: who came as root may take any user as long as he has
 * CAP_SETUID, and any group, by CAP_SETGID; once he said that he has given up one of them he has not got it any more. All others
 * may change between the users, and the groups, that they have. The tail holds the supplementary groups (uint32_t each); without
 * CAP_SETGID they stay as they are. -EPERM: not believed. From then on the connection is nobody's: all but the data of open files
 * gets EACCES, until a change that is believed.
 */
enum creds_which { CREDS_REAL, CREDS_EFFECTIVE, CREDS_SAVED, CREDS_FS, CREDS_WHICH };
#define CREDS_SETUID 1u
#define CREDS_SETGID 2u
struct p2s_creds_req {
	uint32_t uid[CREDS_WHICH], gid[CREDS_WHICH];
	uint32_t groups; /* in the tail */
	uint32_t caps;	 /* CREDS_*: that it has, and may use */
};
struct p2s_creds_rep {
	uint64_t reserved0;
};

/*
 * Pass an open file to other processes of the tree: whoever shows the token takes it, being the same open file description, as
 * long as some process of the tree has it open, or it is on its way: passed once more often than taken. The token is the
 * caller's choice, 128 random bits, and stays the file's. -EBADF: no such file. -EEXIST: the token is another file's, or the
 * file has another. -ETOOMANYREFS: PASSED_PER_TREE_MAX files are on their way, none of them for more than PASSED_MS. Of those
 * that are, the one that was passed longest ago is given up for a new one; all are when the tree is over.
 */
struct p2s_pass_req {
	uint64_t handle;
	struct cap token;
};
struct p2s_pass_rep {
	uint64_t reserved0;
};

/*
 * Take a file that was passed: it has a new handle for this connection; flags: O_* as it was opened, status flags left out
 * (they are the dispatchers' affair). PEEK: it stays on its way. DONE: it has come, or never will, and the caller wants no
 * handle. Reply tail: as P2S_OPEN, but for DONE, which gets nothing. -ENOENT: nothing of this tree has the token. -ENFILE as P2S_OPEN.
 */
enum p2s_take_op { P2S_TAKE_FILE, P2S_TAKE_PEEK, P2S_TAKE_DONE };
struct p2s_take_req {
	struct cap token;
	uint32_t op; /* enum p2s_take_op */
	uint32_t reserved0;
};
struct p2s_take_rep {
	uint64_t handle; /* > 0 */
	uint32_t flags;
	uint32_t reserved0;
	struct wire_stat stat;
};

#pragma GCC diagnostic pop
#endif
