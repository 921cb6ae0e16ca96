/*
 * Dispatcher to a storage component. Files by handle; handle 0 is the export's root. A path is the tail, not
 * terminated, no NUL inside, at most 4095 bytes; absolute paths start at the export's root; none leaves it. An empty path
 * with AT_EMPTY_PATH means the handle itself. Errors are Linux errnos as the call of the same name gives them.
 * File data moves one-sided, from and to the buffer that the dispatcher granted by P2S_BUFFER, `buf` = offset in it.
 * umask is the dispatcher's affair: `mode` arrives with it applied.
 */
#ifndef ASHLAR_PROTO_P2S_H
#define ASHLAR_PROTO_P2S_H
#include "ashlar/net.h"
#include "ashlar/proto/wire.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

struct p2s_hello_req {
	struct cap cap;
	uint32_t pid;
	uint32_t reserved0;
};
struct p2s_hello_rep {
	uint32_t readonly; /* the export is read-only */
	uint32_t reserved0;
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
/* As struct statx / struct stat have it. */
struct wire_stat {
	uint64_t ino, size, blocks, nlink;
	uint32_t mode, uid, gid, blksize;
	uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
	struct wire_time atime, mtime, ctime, btime;
};
_Static_assert(sizeof(struct wire_stat) == 128, "wire_stat");

/* Where a path starts and what it is. */
struct wire_at {
	uint64_t dir;	/* directory handle; 0: root */
	uint32_t flags; /* AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, AT_REMOVEDIR, AT_EACCESS as the call knows them */
	uint32_t path_bytes;
};

/* open: `flags` are Linux O_*. Reply tail: canonical path inside the export, absolute, not terminated. */
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

struct p2s_mkdir_req {
	struct wire_at at;
	uint32_t mode;
	uint32_t reserved0;
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

/* truncate, or ftruncate with AT_EMPTY_PATH. */
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

/* fsync, or fdatasync. */
struct p2s_sync_req {
	uint64_t handle;
	uint32_t data_only;
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

#pragma GCC diagnostic pop
#endif
