/* Operations on files of the storage component, without program memory: what more than one system call needs. */
#ifndef PCOMPONENT_FS_REMOTE_H
#define PCOMPONENT_FS_REMOTE_H
#include <stdint.h>
#include "ashlar/proto/p2s.h"
#include "pcomponent/fs/path.h"

struct file;
struct fs_version;
struct wire_stat;

/* Open p (a PATH_REMOTE) with O_* flags; mode with the umask applied. *out is the caller's reference. st may be NULL. */
long remote_open(const struct path *p, uint32_t flags, uint32_t mode, struct file **out, struct wire_stat *st);
/* Open p to execute it; its first bytes. As remote_open, and -EACCES. */
long remote_exec(const struct path *p, struct file **out, struct wire_stat *st, char head[P2S_EXEC_HEAD],
		 uint32_t *head_bytes);
/* at_flags: AT_SYMLINK_NOFOLLOW */
long remote_stat(const struct path *p, uint32_t at_flags, struct wire_stat *st);
long remote_which(const struct file *f, struct fs_version *which); /* asks only where it is not known */
long remote_stat_file(const struct file *, struct wire_stat *st);
long remote_access(const struct path *p, uint32_t at_flags, uint32_t mode);
/* Where f is now, as a link of /proc shows it (a deleted file with the usual suffix): its length. buf: PATH_MAX + 16. */
long remote_link_text(const struct file *f, char *buf);

/* One transfer to or from a slot: bytes done, or -errno. bytes <= IO_SLOT_BYTES. */
long remote_read_slot(const struct file *, uint64_t off, uint64_t buf, uint32_t bytes);
/* *off: where to, and behind the last byte afterwards. */
long remote_write_slot(const struct file *, uint64_t *off, bool append, uint64_t buf, uint32_t bytes);

#endif
