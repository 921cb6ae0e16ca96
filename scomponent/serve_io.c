/*
 * Data of open files. It goes through our own registered memory: read from the file and then written one-sided into the
 * process's buffer, or the other way round. Bounds are checked before anything moves.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/loop.h"
#include "scomponent/resolve.h"
#include "scomponent/state.h"

/* The open file, if `bytes` at `buf` lie within the process's buffer and within one transfer. */
static int io_check(struct client *c, uint64_t id, uint64_t buf, uint32_t bytes, struct handle **h)
{
	*h = handles_get(&c->files, id);
	if (!*h)
		return -EBADF;
	if (bytes > IO_SLOT_BYTES)
		return -EINVAL;
	if (buf > c->buffer_bytes || bytes > c->buffer_bytes - buf)
		return -ERANGE;
	return 0;
}

static uint64_t deadline(struct client *c)
{
	return loop_now(c->s->loop) + TRANSFER_MS * NS_PER_MS;
}

static struct net_sge io_sge(struct client *c, uint32_t bytes)
{
	return (struct net_sge){ .addr = net_mr_addr(c->s->io), .bytes = bytes, .mr = c->s->io };
}

/* The transfer failed: -EIO whatever the reason, as no errno of a file call says "your buffer is gone". */
static int io_give(struct client *c, uint64_t buf, uint32_t bytes)
{
	struct net_sge sge = io_sge(c, bytes);

	if (!bytes)
		return 0;
	return net_write_sync(c->data, c->buffer, buf, &sge, 1, deadline(c)) ? -EIO : 0;
}

static int io_take(struct client *c, uint64_t buf, uint32_t bytes)
{
	struct net_sge sge = io_sge(c, bytes);

	if (!bytes)
		return 0;
	return net_read_sync(c->data, c->buffer, buf, &sge, 1, deadline(c)) ? -EIO : 0;
}

int serve_read(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_read_req *req = body;
	struct client *c = client_of(rq);
	struct p2s_read_rep *rep = out;
	struct handle *h;
	uint32_t done = 0;
	ssize_t n;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	if (req->reserved0 || req->off > INT64_MAX)
		return -EINVAL;
	err = io_check(c, req->handle, req->buf, req->bytes, &h);
	if (err)
		return err;
	do {
		n = pread(h->fd, (char *)net_mr_addr(c->s->io) + done, req->bytes - done, (off_t)(req->off + done));
		if (n < 0 && !done)
			return -errno;
		done += n > 0 ? (uint32_t)n : 0;
	} while (n > 0 && done < req->bytes);
	rep->done = done;
	return io_give(c, req->buf, done);
}

/* At the end of the file, atomically against all who append. The descriptor's own position tells where that was. */
static ssize_t write_append(struct handle *h, const struct iovec *v, uint64_t *end)
{
	ssize_t n = pwritev2(h->fd, v, 1, -1, RWF_APPEND);

	if (n >= 0)
		*end = (uint64_t)lseek(h->fd, 0, SEEK_CUR);
	return n;
}

/* A descriptor with O_APPEND appends whatever the offset says: follow what the program has set by fcntl. */
static int append_follow(struct handle *h, bool append)
{
	int flags;

	if (h->append == append)
		return 0;
	flags = fcntl(h->fd, F_GETFL);
	if (fcntl(h->fd, F_SETFL, append ? flags | O_APPEND : flags & ~O_APPEND))
		return -errno;
	h->append = append;
	return 0;
}

struct writing {
	struct client *c;
	struct handle *h;
	const struct p2s_write_req *req;
	struct p2s_write_rep *rep;
};

/* In the user's name: whether set-user-id bits go, and reserved blocks may be taken, depends on who writes. */
static int write_file(void *arg)
{
	struct writing *w = arg;
	struct iovec v = { .iov_base = net_mr_addr(w->c->s->io), .iov_len = w->req->bytes };
	ssize_t n = w->req->append ? write_append(w->h, &v, &w->rep->end)
				   : pwrite(w->h->fd, v.iov_base, v.iov_len, (off_t)w->req->off);

	if (n < 0)
		return -errno;
	w->rep->done = (uint32_t)n;
	if (!w->req->append)
		w->rep->end = w->req->off + (uint64_t)n;
	return 0;
}

int serve_write(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_write_req *req = body;
	struct client *c = client_of(rq);
	struct writing w = { .c = c, .req = req, .rep = out };
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	if (req->append > 1 || req->off > INT64_MAX)
		return -EINVAL;
	err = io_check(c, req->handle, req->buf, req->bytes, &w.h);
	if (!err)
		err = append_follow(w.h, req->append);
	if (!err)
		err = io_take(c, req->buf, req->bytes);
	return err ? err : client_run(c, CREDS_FS, write_file, &w);
}

/*
 * Going on where the last one ended needs no seek; the start always does, to see new entries. A cookie of a handle that
 * was never read comes from one before a restart. ext4 (6.18) gives an empty listing to whoever starts at the end and
 * then goes to the start, unless something was read before: so read something.
 */
static int dents_seek(const struct scomponent *s, struct handle *h, uint64_t cookie, uint32_t bytes)
{
	if (cookie && cookie == h->cookie)
		return 0;
	if (cookie && !h->cookie &&
	    (lseek(h->fd, 0, SEEK_SET) < 0 || syscall(SYS_getdents64, h->fd, net_mr_addr(s->io), bytes) < 0))
		return -errno;
	return lseek(h->fd, (off_t)cookie, SEEK_SET) < 0 ? -errno : 0;
}

int serve_getdents(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_getdents_req *req = body;
	struct client *c = client_of(rq);
	struct p2s_getdents_rep *rep = out;
	struct handle *h;
	long n;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	if (req->reserved0)
		return -EINVAL;
	err = io_check(c, req->handle, req->buf, req->bytes, &h);
	if (err)
		return err;
	err = dents_seek(c->s, h, req->cookie, req->bytes);
	if (err)
		return err;
	n = syscall(SYS_getdents64, h->fd, net_mr_addr(c->s->io), req->bytes);
	if (n < 0)
		return -errno;
	h->cookie = rep->next = (uint64_t)lseek(h->fd, 0, SEEK_CUR);
	rep->done = (uint32_t)n;
	return io_give(c, req->buf, rep->done);
}

int serve_seek(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_seek_req *req = body;
	struct client *c = client_of(rq);
	struct p2s_seek_rep *rep = out;
	struct handle *h;
	off_t off;

	(void)tail;
	(void)tail_bytes;
	if (!c)
		return -EACCES;
	if (req->reserved0 || (req->whence != SEEK_END && req->whence != SEEK_DATA && req->whence != SEEK_HOLE))
		return -EINVAL;
	h = handles_get(&c->files, req->handle);
	if (!h)
		return -EBADF;
	h->cookie = 0; /* the position moves */
	off = lseek(h->fd, req->off, (int)req->whence);
	if (off < 0)
		return -errno;
	rep->off = (uint64_t)off;
	return 0;
}

int serve_flock(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_flock_req *req = body;
	struct client *c = client_of(rq);
	struct handle *h;

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (!c)
		return -EACCES;
	if (req->reserved0 || (req->op != LOCK_SH && req->op != LOCK_EX && req->op != LOCK_UN))
		return -EINVAL;
	h = handles_get(&c->files, req->handle);
	if (!h)
		return -EBADF;
	return flock(h->fd, (int)req->op | LOCK_NB) ? -errno : 0;
}

int serve_sync(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_sync_req *req = body;
	struct client *c = client_of(rq);
	struct handle *h;
	int ret = 0;

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (!c)
		return -EACCES;
	if (req->reserved0 || req->what > P2S_SYNC_FS)
		return -EINVAL;
	h = handles_get(&c->files, req->handle);
	if (!h)
		return -EBADF;
	switch ((enum p2s_sync_what)req->what) {
	case P2S_SYNC_ALL:
		ret = fsync(h->fd);
		break;
	case P2S_SYNC_DATA:
		ret = fdatasync(h->fd);
		break;
	case P2S_SYNC_FS:
		ret = syncfs(h->fd);
		break;
	}
	return ret ? -errno : 0;
}

int serve_fallocate(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *out)
{
	const struct p2s_fallocate_req *req = body;
	struct client *c = client_of(rq);
	struct handle *h;

	(void)tail;
	(void)tail_bytes;
	(void)out;
	if (!c)
		return -EACCES;
	if (req->reserved0 || req->off > INT64_MAX || req->bytes > INT64_MAX)
		return -EINVAL;
	h = handles_get(&c->files, req->handle);
	if (!h)
		return -EBADF;
	return fallocate(h->fd, (int)req->mode, (off_t)req->off, (off_t)req->bytes) ? -errno : 0;
}
