/*
 * Open, close, and where an open file is now. Nothing but regular files and directories is ever opened: the file is found
 * first without opening it (O_PATH), looked at, and then opened by that descriptor, so that no other can slip in.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include "scomponent/attr.h"
#include "scomponent/resolve.h"
#include "scomponent/state.h"

#define OPEN_KNOWN                                                                                                 \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | \
	 O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE | 0100000)
#define O_TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

static bool wants_writing(unsigned flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_TRUNC | O_TMPFILE_BIT);
}

/* May a file of this kind, which exists, be opened with these flags? */
static int kind_check(const struct client *c, int fd, const struct stat *st, unsigned flags)
{
	struct statfs fs;

	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (S_ISDIR(st->st_mode) && flags & O_CREAT)
		return -EISDIR;
	if (!S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode) && flags & O_DIRECTORY)
		return -ENOTDIR;
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode))
		return -ENXIO;
	/* A /proc inside the export would hand out this very process. */
	if (S_ISREG(st->st_mode) && !fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC)
		return -EACCES;
	if (S_ISREG(st->st_mode) && wants_writing(flags) && text_used(&c->s->texts, st, TEXT_RUNS))
		return -ETXTBSY;
	if (c->s->readonly && wants_writing(flags))
		return S_ISDIR(st->st_mode) && !(flags & O_TMPFILE_BIT) ? -EISDIR : -EROFS;
	return 0;
}

/* Open anew what a descriptor of ours refers to. */
static int reopen(int fd, unsigned flags, unsigned mode)
{
	char link[PROC_FD_BYTES];

	fd = open(proc_fd(link, fd), (int)(flags & ~(unsigned)(O_NOFOLLOW | O_CREAT | O_EXCL)) | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

/* The path has just been looked at, but may have changed since: look again at what was opened. */
static int open_create(struct client *c, const struct wire_at *at, const char *path, unsigned flags, unsigned mode)
{
	int fd = open_below(c, at, path, flags | O_NONBLOCK | O_NOCTTY, mode);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
		close(fd);
		return -ENXIO;
	}
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

/* The directory must be ours as well: a new name in /dev is the processor component's affair. */
static int open_new(struct client *c, const struct wire_at *at, const char *path, unsigned flags, unsigned mode)
{
	char name[LAST_NAME_BYTES];
	struct target dir;
	int err = resolve_parent(c, at, path, &dir, name);

	if (err)
		return err;
	target_put(&dir);
	return c->s->readonly ? -EROFS : open_create(c, at, path, flags, mode);
}

static int open_existing(struct client *c, const struct wire_at *at, const char *path, unsigned flags, unsigned mode,
			 struct target *t)
{
	struct stat st;
	int err;

	if (fstat(t->fd, &st))
		return -errno;
	if (flags & O_PATH) {
		if (flags & O_DIRECTORY && !S_ISDIR(st.st_mode))
			return -ENOTDIR;
		if (!t->own)
			return fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
		t->own = false;
		return t->fd;
	}
	err = kind_check(c, t->fd, &st, flags);
	if (err)
		return err;
	return flags & O_CREAT && *path ? open_create(c, at, path, flags, mode) : reopen(t->fd, flags, mode);
}

static int open_file(struct client *c, const struct wire_at *at, const char *path, unsigned flags, unsigned mode)
{
	bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	struct target t;
	int fd;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (!(flags & (O_CREAT | O_TMPFILE_BIT)))
		mode = 0;
	fd = resolve(c, at, path, follow, &t);
	if (fd == -ENOENT && flags & O_CREAT)
		return open_new(c, at, path, flags, mode);
	if (fd)
		return fd;
	fd = open_existing(c, at, path, flags, mode, &t);
	target_put(&t);
	return fd;
}

static int handle_add(struct client *c, int fd, unsigned flags, uint64_t *id)
{
	*id = handles_add(&c->files, fd, flags & O_APPEND && !(flags & O_PATH));
	if (!*id)
		return -ENOMEM;
	if (!(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY)
		text_know(&c->s->texts, handles_get(&c->files, *id), TEXT_WRITES);
	handles_count(c->process, 1);
	return 0;
}

/* The opened file's attributes, path and handle; -errno: it is closed. The path's length. */
static int open_done(struct client *c, int fd, unsigned flags, struct wire_stat *st, char where[PATH_MAX], uint64_t *id)
{
	int n = 0, err = attr_get(fd, st);

	if (!err)
		n = err = canonical_path(c->s, fd, where, NULL);
	if (err >= 0)
		err = handle_add(c, fd, flags, id);
	if (err < 0)
		close(fd);
	return err < 0 ? err : n;
}

int serve_open(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_open_req *req = body;
	struct client *c = client_of(rq);
	struct wire_at plain = req->at;
	struct p2s_open_rep *rep = out;
	char path[PATH_MAX], where[PATH_MAX];
	int err, fd, n;

	if (!c)
		return -EACCES;
	if (tail_bytes != req->at.path_bytes || req->flags & ~(uint32_t)OPEN_KNOWN || req->mode & ~07777u)
		return -EINVAL;
	plain.flags &= ~(uint32_t)OPEN_RULES;
	err = path_decode(&plain, tail, path);
	if (err)
		return err;
	err = client_room(c);
	if (err)
		return err;
	fd = open_file(c, &req->at, path, req->flags, req->mode);
	if (fd < 0)
		return fd == -EMFILE ? -ENFILE : fd; /* our limit, not the program's */
	n = open_done(c, fd, req->flags, &rep->stat, where, &rep->handle);
	if (n < 0)
		return n;
	rpc_reply_tail(rq, where, (uint32_t)n);
	return 0;
}

/* What is found is looked at, then opened by the descriptor that was looked at. */
static int open_exec(struct client *c, const struct wire_at *at, const char *path)
{
	struct target t;
	struct stat st;
	int err = resolve(c, at, path, true, &t);

	if (err)
		return err;
	if (fstat(t.fd, &st) || syscall(SYS_faccessat2, t.fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EACCES;
	else if (text_used(&c->s->texts, &st, TEXT_WRITES))
		err = -ETXTBSY;
	else
		err = kind_check(c, t.fd, &st, O_RDONLY);
	if (!err)
		err = reopen(t.fd, O_RDONLY, 0);
	target_put(&t);
	return err;
}

int serve_exec(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_exec_req *req = body;
	struct client *c = client_of(rq);
	struct p2s_exec_rep *rep = out;
	char path[PATH_MAX], where[PATH_MAX + P2S_EXEC_HEAD];
	ssize_t head;
	int err, fd, n;

	if (!c)
		return -EACCES;
	if (tail_bytes != req->at.path_bytes)
		return -EINVAL;
	err = path_decode(&req->at, tail, path);
	if (!err)
		err = client_room(c);
	if (err)
		return err;
	fd = open_exec(c, &req->at, path);
	if (fd < 0)
		return fd == -EMFILE ? -ENFILE : fd; /* our limit, not the program's */
	n = open_done(c, fd, O_RDONLY, &rep->stat, where, &rep->handle);
	if (n < 0)
		return n;
	head = pread(fd, where + n, P2S_EXEC_HEAD, 0);
	if (head >= SELFMAG && !memcmp(where + n, ELFMAG, SELFMAG)) /* a script may be changed while it runs */
		text_know(&c->s->texts, handles_get(&c->files, rep->handle), TEXT_RUNS);
	rep->path_bytes = (uint32_t)n;
	rep->head_bytes = head > 0 ? (uint32_t)head
				   : 0; /* a medium that cannot be read says so where more of it is read */
	rpc_reply_tail(rq, where, rep->path_bytes + rep->head_bytes);
	return 0;
}

int serve_close(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_close_req *req = body;
	struct client *c = client_of(rq);
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (!c)
		return -EACCES;
	err = handles_del(&c->files, req->handle);
	if (err)
		return err;
	handles_count(c->process, -1);
	return 0;
}

int serve_path(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_path_req *req = body;
	struct client *c = client_of(rq);
	struct p2s_path_rep *rep = out;
	char where[PATH_MAX];
	struct handle *h;
	bool deleted;
	int n;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	h = handles_get(&c->files, req->handle);
	if (!h)
		return -EBADF;
	n = canonical_path(c->s, h->fd, where, &deleted);
	if (n < 0)
		return n;
	rep->deleted = deleted;
	rpc_reply_tail(rq, where, (uint32_t)n);
	return 0;
}

int serve_resolve(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_resolve_req *req = body;
	char path[PATH_MAX], start[PATH_MAX] = "/", where[PATH_MAX] = "";
	struct client *c = client_of(rq);
	struct p2s_resolve_rep *rep = out;
	struct handle *h;
	int err;

	if (!c)
		return -EACCES;
	if (tail_bytes != req->at.path_bytes)
		return -EINVAL;
	err = path_decode(&req->at, tail, path);
	if (err)
		return err;
	if (req->at.dir) {
		h = handles_get(&c->files, req->at.dir);
		if (!h)
			return -EBADF;
		err = canonical_path(c->s, h->fd, start, NULL);
		if (err < 0)
			return err;
	}
	rep->foreign = walk_foreign(c->s, start, path, !(req->at.flags & AT_SYMLINK_NOFOLLOW), where);
	rpc_reply_tail(rq, where, (uint32_t)strlen(where));
	return 0;
}
