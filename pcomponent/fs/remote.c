/* Remote files: see remote.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/remote.h"

#define O_LARGEFILE_BIT 0100000u /* always set on x86-64, as F_GETFL shows */
#define OPEN_WIRE                                                                                           \
	(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DIRECT | O_DIRECTORY | \
	 O_NOFOLLOW | O_NOATIME | O_PATH | O_TMPFILE)
/* Of an open's flags, those that stay with the file. */
#define OPEN_STAY (~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC))

struct wire_at path_at(const struct path *p, uint32_t flags)
{
	return (struct wire_at){
		.dir = p->dir ? p->dir->handle : 0,
		.flags = flags | (*p->str ? 0 : AT_EMPTY_PATH),
		.path_bytes = (uint32_t)strlen(p->str),
	};
}

static uint32_t flags_stay(uint32_t flags)
{
	if (flags & O_PATH)
		return flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
	return (flags & OPEN_STAY) | O_LARGEFILE_BIT;
}

static struct fs_version version_of(const struct wire_stat *st)
{
	return (struct fs_version){ .ino = st->ino,
				    .dev = makedev(st->dev_major, st->dev_minor),
				    .bytes = st->size,
				    .mtime = st->mtime,
				    .ctime = st->ctime,
				    .mode = st->mode };
}

long remote_open(const struct path *p, uint32_t flags, uint32_t mode, struct file **out, struct wire_stat *st)
{
	struct p2s_open_req req = { .at = path_at(p, p->rules), .flags = flags & OPEN_WIRE, .mode = mode };
	struct p2s_open_rep rep;
	char where[PATH_MAX];
	uint32_t n = sizeof(where) - 1;
	int err = client_call(P2S_OPEN, &req, p->str, req.at.path_bytes, &rep, where, &n);

	if (err)
		return err;
	where[n] = '\0';
	*out = file_new(FILE_REMOTE, rep.handle, flags_stay(flags), rep.stat.mode & S_IFMT, where);
	if (!*out) {
		client_close_handle(rep.handle);
		return -ENOMEM;
	}
	(*out)->version = version_of(&rep.stat);
	if (st)
		*st = rep.stat;
	return 0;
}

long remote_exec(const struct path *p, struct file **out, struct wire_stat *st, char head[P2S_EXEC_HEAD],
		 uint32_t *head_bytes)
{
	struct p2s_exec_req req = { .at = path_at(p, 0) };
	struct p2s_exec_rep rep;
	char where[PATH_MAX + P2S_EXEC_HEAD];
	uint32_t n = sizeof(where);
	int err = client_call(P2S_EXEC, &req, p->str, req.at.path_bytes, &rep, where, &n);

	if (err)
		return err;
	memcpy(head, where + rep.path_bytes, rep.head_bytes);
	*head_bytes = rep.head_bytes;
	*st = rep.stat;
	where[rep.path_bytes < PATH_MAX ? rep.path_bytes : PATH_MAX - 1] = '\0';
	*out = file_new(FILE_REMOTE, rep.handle, flags_stay(O_RDONLY), rep.stat.mode & S_IFMT, where);
	if (!*out) {
		client_close_handle(rep.handle);
		return -ENOMEM;
	}
	(*out)->version = version_of(&rep.stat);
	return 0;
}

long remote_stat(const struct path *p, uint32_t at_flags, struct wire_stat *st)
{
	struct p2s_stat_req req = { .at = path_at(p, at_flags) };
	struct p2s_stat_rep rep;
	int err = client_call(P2S_STAT, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);

	if (!err)
		*st = rep.stat;
	return err;
}

long remote_stat_file(const struct file *f, struct wire_stat *st)
{
	struct p2s_stat_req req = { .at = { .dir = f->handle, .flags = AT_EMPTY_PATH } };
	struct p2s_stat_rep rep;
	int err = client_call(P2S_STAT, &req, NULL, 0, &rep, NULL, NULL);

	if (!err)
		*st = rep.stat;
	return err;
}

long remote_which(const struct file *f, struct fs_version *which)
{
	struct wire_stat st;
	long err = f->version.ino ? 0 : remote_stat_file(f, &st);

	if (!err)
		*which = f->version.ino ? f->version : version_of(&st);
	return err;
}

long remote_access(const struct path *p, uint32_t at_flags, uint32_t mode)
{
	struct p2s_access_req req = { .at = path_at(p, at_flags), .mode = mode };
	struct p2s_access_rep rep;

	return client_call(P2S_ACCESS, &req, p->str, req.at.path_bytes, &rep, NULL, NULL);
}

long remote_link_text(const struct file *f, char *buf)
{
	struct p2s_path_req req = { .handle = f->handle };
	struct p2s_path_rep rep;
	uint32_t n = PATH_MAX;
	int err = client_call(P2S_PATH, &req, NULL, 0, &rep, buf, &n);

	if (err)
		return err;
	strcpy(buf + n, rep.deleted ? " (deleted)" : "");
	return (long)strlen(buf);
}

long remote_read_slot(const struct file *f, uint64_t off, uint64_t buf, uint32_t bytes)
{
	struct p2s_read_req req = { .handle = f->handle, .off = off, .buf = buf, .bytes = bytes };
	struct p2s_read_rep rep;
	int err = client_call(P2S_READ, &req, NULL, 0, &rep, NULL, NULL);

	if (err)
		return err;
	return rep.done <= bytes ? (long)rep.done : -EIO; /* a component may lie; our buffer ends here */
}

long remote_write_slot(const struct file *f, uint64_t *off, bool append, uint64_t buf, uint32_t bytes)
{
	struct p2s_write_req req = { .handle = f->handle, .off = *off, .buf = buf, .bytes = bytes, .append = append };
	struct p2s_write_rep rep;
	int err = client_call(P2S_WRITE, &req, NULL, 0, &rep, NULL, NULL);

	if (err)
		return err;
	*off = rep.end;
	return rep.done <= bytes ? (long)rep.done : -EIO;
}
