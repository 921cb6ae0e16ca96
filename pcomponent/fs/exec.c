/*
 * exec: what the next program keeps goes through a memfd, as a description of fixed layout: a head, then the handles, the
 * files, the numbers, the record locks, and the paths of all of these, one behind the other. The bytes are the same process's own, but its
 * program may have got at the descriptor: nothing in them is believed that would lead out of our tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/handles.h"
#include "pcomponent/fs/ownlocks.h"
#include "pcomponent/fs/program.h"
#include "pcomponent/sys/sys.h"

#define SAVED_MAGIC 0x53465845u /* "EXFS" */
#define SAVED_MAX (64u << 20)	/* bytes of a description */
#define NO_FILE UINT32_MAX

struct saved_head {
	uint32_t magic, umask;
	uint32_t limit; /* the program's RLIMIT_NOFILE, as it counts for new numbers */
	uint32_t n_handles, n_files, n_fds;
	uint32_t cwd;	    /* index of its directory; NO_FILE: one of the host's, by cwd_bytes of path */
	uint32_t cwd_bytes; /* its path comes first */
	uint32_t n_locks;
	uint32_t program; /* index of its file, if it is given by a number; NO_FILE: none of the storage component's */
	int32_t number, host; /* that number, and the host's descriptor for it; -1: none */
};

struct saved_handle {
	uint64_t number, real, ino;
	uint32_t dev[2];
	uint32_t flags, flock_op;
	uint32_t path_bytes, reserved0;
};

struct saved_file {
	uint64_t handle, pos;
	uint32_t kind, flags, mode;
	uint32_t shared; /* offset and status flags are in the memfd behind its numbers */
	uint32_t path_bytes, reserved0;
	struct cap token;
};

struct saved_fd {
	uint32_t fd, file;
};

struct saved_lock {
	uint64_t handle, start, end;
	uint32_t type, ofd;
};

/* ---- save ---- */

struct saving {
	struct saved_head head;
	struct saved_handle *handles;
	struct saved_file *files;
	struct saved_fd *fds;
	const struct file **file; /* of files */
	struct saved_lock *locks;
	uint64_t *closing; /* handles of numbers that exec closes */
	uint32_t n_closing;
	char *paths;
	size_t n_paths;
	int err;
};

static void path_save(struct saving *s, const char *path, uint32_t bytes)
{
	char *more = s->err ? NULL : realloc(s->paths, s->n_paths + bytes + 1);

	if (!more) {
		s->err = -ENOMEM;
		return;
	}
	s->paths = more;
	memcpy(s->paths + s->n_paths, path, bytes);
	s->n_paths += bytes;
}

/* The index of f among the saved files; a new one is added. */
static uint32_t file_index(struct saving *s, struct file *f)
{
	uint32_t i = s->head.n_files;

	while (i && s->file[i - 1] != f)
		i--;
	if (i)
		return i - 1;
	i = s->head.n_files++;
	s->file[i] = f;
	s->files[i] = (struct saved_file){
		.handle = f->handle,
		.pos = f->pos, /* no other thread uses it */
		.kind = f->kind,
		.flags = file_flags(f),
		.mode = f->mode,
		.shared = file_is_shared(f),
		.token = f->token,
		.path_bytes = (uint32_t)strlen(f->path),
	};
	return i;
}

static void fd_save(int fd, struct file *f, bool cloexec, void *arg)
{
	struct saving *s = arg;

	if (cloexec && f->kind == FILE_REMOTE)
		s->closing[s->n_closing++] = f->handle;
	if (!cloexec)
		s->fds[s->head.n_fds++] = (struct saved_fd){ (uint32_t)fd, file_index(s, f) };
}

static void handle_save(struct saving *s, uint64_t number)
{
	struct saved_handle *out = &s->handles[s->head.n_handles];
	const struct handle *h = handle_get(number);

	if (!h)
		return;
	*out = (struct saved_handle){
		.number = number,
		.real = h->real,
		.ino = h->ino,
		.dev = { h->dev[0], h->dev[1] },
		.flags = h->flags,
		.flock_op = h->flock_op,
		.path_bytes = (uint32_t)strlen(h->path),
	};
	s->head.n_handles++;
	path_save(s, h->path, out->path_bytes);
}

static void cwd_save(struct saving *s, const struct cwd *c)
{
	s->head.cwd = c->dir ? file_index(s, c->dir) : NO_FILE;
	s->head.cwd_bytes = (uint32_t)strlen(c->path);
	path_save(s, c->path, s->head.cwd_bytes);
}

static bool lock_usable(uint64_t handle, void *arg)
{
	const struct saving *s = arg;
	uint32_t i;

	for (i = 0; i < s->head.n_handles; i++)
		if (s->handles[i].number == handle)
			return true;
	return false;
}

/* One without a handle that is kept is of no file that the next program can name, or close. */
static bool lock_save(const struct p2s_lock_req *req, void *arg)
{
	struct saving *s = arg;
	struct saved_lock *more;

	if (!req->handle)
		return true;
	more = realloc(s->locks, (s->head.n_locks + 1) * sizeof(*more));
	if (!more) {
		s->err = -ENOMEM;
		return false;
	}
	s->locks = more;
	more[s->head.n_locks++] = (struct saved_lock){ req->handle, req->start, req->end, req->type, req->ofd };
	return true;
}

/* Set the handles of the saved files aside, then note them: what they are at the component may change by the former. */
static void handles_save(struct saving *s, uint32_t member)
{
	uint64_t *numbers = malloc((s->head.n_files + 1) * sizeof(*numbers));
	uint32_t i, n = 0;

	if (!numbers) {
		s->err = -ENOMEM;
		return;
	}
	for (i = 0; i < s->head.n_files; i++)
		if (s->files[i].kind == FILE_REMOTE)
			numbers[n++] = s->files[i].handle;
	client_lock();
	if (n)
		s->err = client_set_aside(member, numbers, n);
	for (i = 0; i < n && !s->err; i++)
		handle_save(s, numbers[i]);
	if (!s->err)
		ownlocks_each(lock_usable, lock_save, s);
	client_unlock();
	free(numbers);
}

static int bytes_write(int fd, const void *p, size_t n)
{
	ssize_t put;

	for (; n; p = (const char *)p + put, n -= (size_t)put) {
		put = write(fd, p, n);
		if (put < 0)
			return -errno;
	}
	return 0;
}

static int saving_write(const struct saving *s, int fd)
{
	int err = bytes_write(fd, &s->head, sizeof(s->head));

	if (!err)
		err = bytes_write(fd, s->handles, s->head.n_handles * sizeof(*s->handles));
	if (!err)
		err = bytes_write(fd, s->files, s->head.n_files * sizeof(*s->files));
	if (!err)
		err = bytes_write(fd, s->fds, s->head.n_fds * sizeof(*s->fds));
	if (!err)
		err = bytes_write(fd, s->locks, s->head.n_locks * sizeof(*s->locks));
	return err ? err : bytes_write(fd, s->paths, s->n_paths);
}

/* Only what is open can be kept, and be a program. */
static void program_save(struct saving *s, int number, int *host)
{
	struct file *f = number < 0 ? NULL : fd_remote(number);

	s->head.number = number;
	s->head.program = f ? file_index(s, f) : NO_FILE;
	file_put(f);
	*host = f ? -1 : program_keep_host(number, fd_floor());
	s->head.host = *host;
	if (*host < -1) {
		s->err = *host;
		*host = -1;
	}
}

int fs_exec_save(uint32_t member, int fd, int number, int *host)
{
	struct saving s = { .head = { .magic = SAVED_MAGIC, .umask = umask_get(), .limit = (uint32_t)fd_limit_get() } };
	unsigned n = fd_count() + 1; /* and the working directory */
	struct cwd *c = cwd_get();
	uint32_t i;

	s.handles = calloc(n, sizeof(*s.handles));
	s.files = calloc(n, sizeof(*s.files));
	s.fds = calloc(n, sizeof(*s.fds));
	s.file = calloc(n, sizeof(*s.file));
	s.closing = calloc(n, sizeof(*s.closing));
	if (!s.handles || !s.files || !s.fds || !s.file || !s.closing)
		s.err = -ENOMEM;
	if (!s.err) {
		fd_each(fd_save, &s);
		cwd_save(&s, c);
		program_save(&s, number, host);
	}
	for (i = 0; !s.err && i < s.n_closing; i++)
		client_locks_leave(s.closing[i]);
	if (!s.err)
		handles_save(&s, member);
	for (i = 0; !s.err && i < s.head.n_files; i++)
		path_save(&s, s.file[i]->path, s.files[i].path_bytes);
	if (!s.err)
		s.err = saving_write(&s, fd);
	cwd_put(c);
	free(s.handles);
	free(s.files);
	free(s.fds);
	free(s.file);
	free(s.closing);
	free(s.locks);
	free(s.paths);
	return s.err;
}

/* ---- restore ---- */

struct restoring {
	struct saved_head head;
	struct saved_handle *handles;
	struct saved_file *files;
	struct saved_fd *fds;
	struct saved_lock *locks;
	const char *paths;
	size_t n_paths;
	struct file **file;
};

/* The whole of fd from where it stands, into memory of *bytes. */
static int bytes_read(int fd, char **out, size_t *bytes)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat st;
	char *p;
	ssize_t n;

	if (at < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_size - at < (off_t)sizeof(struct saved_head) || st.st_size - at > SAVED_MAX)
		return -EINVAL;
	*bytes = (size_t)(st.st_size - at);
	p = malloc(*bytes);
	if (!p)
		return -ENOMEM;
	n = read(fd, p, *bytes);
	if (n != (ssize_t)*bytes) {
		free(p);
		return n < 0 ? -errno : -EINVAL;
	}
	*out = p;
	return 0;
}

/* Cut the bytes into their parts: 0, or -EINVAL where the counts do not fit them. */
static int parts_find(struct restoring *r, char *bytes, size_t n)
{
	uint64_t fixed;

	memcpy(&r->head, bytes, sizeof(r->head));
	fixed = sizeof(r->head) + (uint64_t)r->head.n_handles * sizeof(*r->handles) +
		(uint64_t)r->head.n_files * sizeof(*r->files) + (uint64_t)r->head.n_fds * sizeof(*r->fds) +
		(uint64_t)r->head.n_locks * sizeof(*r->locks);
	if (r->head.magic != SAVED_MAGIC || fixed > n || r->head.umask & ~0777u || r->head.limit > INT_MAX)
		return -EINVAL;
	r->handles = (struct saved_handle *)(bytes + sizeof(r->head));
	r->files = (struct saved_file *)(r->handles + r->head.n_handles);
	r->fds = (struct saved_fd *)(r->files + r->head.n_files);
	r->locks = (struct saved_lock *)(r->fds + r->head.n_fds);
	r->paths = (const char *)(r->locks + r->head.n_locks);
	r->n_paths = n - fixed;
	return 0;
}

/* The next path, a copy: NULL when it is no path, or there is no memory. */
static char *path_take(struct restoring *r, uint32_t bytes)
{
	char *path;

	if (bytes > r->n_paths || bytes >= PATH_MAX || memchr(r->paths, 0, bytes))
		return NULL;
	path = calloc(1, bytes + 1);
	if (path)
		memcpy(path, r->paths, bytes);
	r->paths += bytes;
	r->n_paths -= bytes;
	return path;
}

static int handle_restore(struct restoring *r, const struct saved_handle *in)
{
	struct handle h = { .real = in->real,
			    .ino = in->ino,
			    .dev = { in->dev[0], in->dev[1] },
			    .flags = in->flags,
			    .flock_op = in->flock_op,
			    .used = true,
			    .closing = true, /* until a file is found to have it */
			    .forked = true };
	int err;

	h.path = path_take(r, in->path_bytes);
	if (!h.path || in->reserved0)
		err = -EINVAL;
	else
		err = handle_add_as(in->number, &h);
	if (err)
		free(h.path);
	return err;
}

static int file_restore(struct restoring *r, uint32_t i)
{
	const struct saved_file *in = &r->files[i];
	char *path = path_take(r, in->path_bytes);
	bool remote = in->kind == FILE_REMOTE;
	struct handle *h = remote ? handle_get(in->handle) : NULL;
	struct file *f;

	if (!path || in->reserved0 || in->shared > 1 || (!remote && in->kind != FILE_FDS && in->kind != FILE_TEXT) ||
	    (remote && (!h || !h->closing)) || in->pos > INT64_MAX || in->mode & ~(uint32_t)S_IFMT) {
		free(path);
		return -EINVAL;
	}
	if (h)
		h->closing = false;
	f = file_new(in->kind, remote ? in->handle : 0, in->flags, in->mode, path);
	free(path);
	if (!f)
		return -ENOMEM;
	f->pos = in->pos;
	if (remote && in->shared)
		file_shared_elsewhere(f, &in->token);
	r->file[i] = f;
	return 0;
}

static int lock_restore(const struct saved_lock *in)
{
	const struct p2s_lock_req req = {
		.handle = in->handle, .start = in->start, .end = in->end, .type = in->type, .ofd = in->ofd
	};

	if (!handle_get(in->handle) || in->start > in->end || in->end > INT64_MAX || in->ofd > 1 ||
	    (in->type != F_RDLCK && in->type != F_WRLCK))
		return -EINVAL;
	ownlocks_note(&req);
	return 0;
}

static int cwd_restore(struct restoring *r, const char *path)
{
	struct file *dir = r->head.cwd == NO_FILE ? NULL : r->file[r->head.cwd];

	return cwd_set(dir ? file_ref(dir) : NULL, path);
}

static int program_restore(struct restoring *r)
{
	if ((r->head.program != NO_FILE && r->head.program >= r->head.n_files) ||
	    (r->head.host >= 0 && r->head.host < fd_floor()))
		return -EINVAL;
	if (r->head.host >= 0 && fcntl(r->head.host, F_SETFD, FD_CLOEXEC))
		return -EINVAL;
	program_keep(r->head.number, r->head.program == NO_FILE ? NULL : r->file[r->head.program], r->head.host);
	return 0;
}

static int parts_restore(struct restoring *r)
{
	char *cwd = path_take(r, r->head.cwd_bytes);
	uint32_t i;
	int err = 0;

	if (!cwd || !*cwd || (r->head.cwd != NO_FILE && r->head.cwd >= r->head.n_files))
		err = -EINVAL;
	for (i = 0; !err && i < r->head.n_handles; i++)
		err = handle_restore(r, &r->handles[i]);
	for (i = 0; !err && i < r->head.n_files; i++)
		err = file_restore(r, i);
	for (i = 0; !err && i < r->head.n_fds; i++)
		err = r->fds[i].file < r->head.n_files ? fd_restore(r->fds[i].fd, r->file[r->fds[i].file]) : -EINVAL;
	for (i = 0; !err && i < r->head.n_locks; i++)
		err = lock_restore(&r->locks[i]);
	if (!err)
		err = cwd_restore(r, cwd);
	if (!err)
		err = program_restore(r);
	free(cwd);
	return err;
}

/* Only the exec itself is lost by an error: who restores ends the process. */
int fs_exec_restore(const struct fs_config *c, int fd)
{
	struct restoring r = { 0 };
	size_t n = 0, i;
	char *bytes = NULL;
	int err = fdtable_open(c->fd_floor);

	if (!err)
		err = bytes_read(fd, &bytes, &n);
	if (!err)
		err = parts_find(&r, bytes, n);
	if (!err) {
		r.file = calloc(r.head.n_files + 1ul, sizeof(*r.file));
		err = r.file ? parts_restore(&r) : -ENOMEM;
	}
	if (!err) {
		umask_set(r.head.umask);
		fd_limit((int)r.head.limit);
		client_open_later(c, handles_live());
	}
	for (i = 0; r.file && i < r.head.n_files; i++)
		file_put(r.file[i]);
	free(r.file);
	free(bytes);
	if (err)
		sys_message("the files that this program was to keep are not what they were: %s", strerror(-err));
	return err;
}
