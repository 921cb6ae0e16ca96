/* Passing: see pass.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/pass.h"
#include "pcomponent/sys/sys.h"

/* How many descriptors a part of control data has; 0: it has none. */
static size_t rights(const struct cmsghdr *c)
{
	if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
		return 0;
	return (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static int number(const struct cmsghdr *c, size_t i)
{
	int fd;

	memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
	return fd;
}

static int take(const struct cap *token, enum p2s_take_op op, struct p2s_take_rep *rep, char path[PATH_MAX])
{
	struct p2s_take_req req = { .token = *token, .op = op };
	uint32_t n = PATH_MAX - 1;
	int err = client_call(P2S_TAKE, &req, NULL, 0, rep, path, &n);

	if (!err)
		path[n] = '\0';
	return err;
}

/* It has come, or never will. Who cannot be told has nothing on its way either. */
static void done(const struct cap *token)
{
	struct p2s_take_rep rep;
	char none[PATH_MAX];

	take(token, P2S_TAKE_DONE, &rep, none);
}

/* ---- sending ---- */

static int pass_one(struct passing *p, int fd)
{
	struct p2s_pass_req req;
	struct p2s_pass_rep rep;
	struct file *f;
	int err = fd_pass(fd, &f);

	if (err || !f)
		return err;
	req = (struct p2s_pass_req){ .handle = f->handle, .token = f->token };
	err = client_call(P2S_PASS, &req, NULL, 0, &rep, NULL, NULL);
	if (err)
		file_put(f);
	else
		p->file[p->n++] = f;
	return err;
}

static bool fits(const struct msghdr *m, const struct cmsghdr *c)
{
	size_t left = m->msg_controllen - (size_t)((const char *)c - (const char *)m->msg_control);

	return c->cmsg_len >= sizeof(*c) && c->cmsg_len <= left;
}

int pass_begin(struct passing *p, const struct msghdr *m)
{
	struct cmsghdr *c;
	size_t i, all = 0;
	int err;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)m, c)) {
		if (!fits(m, c) || rights(c) > PASS_MAX - all)
			return -EINVAL;
		all += rights(c);
		for (i = 0; i < rights(c); i++) {
			err = pass_one(p, number(c, i));
			if (err)
				return err;
		}
	}
	return 0;
}

void pass_end(struct passing *p, bool sent)
{
	while (p->n) {
		struct file *f = p->file[--p->n];

		if (!sent)
			done(&f->token);
		file_put(f);
	}
}

/* ---- receiving ---- */

/* A remote file that this process does not have yet: 0 or -errno. */
static int taken(int fd, const struct cap *token, bool peek)
{
	struct p2s_take_rep rep;
	char path[PATH_MAX];
	struct file *f;
	int err = take(token, peek ? P2S_TAKE_PEEK : P2S_TAKE_FILE, &rep, path);

	if (err)
		return err;
	f = file_new(FILE_REMOTE, rep.handle, rep.flags, rep.stat.mode & S_IFMT, path);
	if (!f) {
		client_close_handle(rep.handle);
		return -ENOMEM;
	}
	file_shared_elsewhere(f, token);
	fd_install(fd, f);
	file_put(f);
	return 0;
}

static int receive_one(int fd, bool peek)
{
	struct cap token;

	if (fd >= fd_limit_get())
		return -EMFILE;
	if (!file_memfd_token(fd, &token))
		return 0;
	if (!fd_join(fd, &token))
		return taken(fd, &token, peek);
	if (!peek)
		done(&token);
	return 0;
}

/* A descriptor that is not kept. */
static void refuse(int fd, bool peek)
{
	struct cap token;

	if (!peek && file_memfd_token(fd, &token))
		done(&token);
	host1(SYS_close, fd);
}

/* Leave the first n descriptors of c in m; what follows c moves up. */
static void shorten(struct msghdr *m, struct cmsghdr *c, size_t n)
{
	size_t had = CMSG_ALIGN(c->cmsg_len), left = n ? CMSG_ALIGN(CMSG_LEN(n * sizeof(int))) : 0;
	char *end = (char *)m->msg_control + m->msg_controllen, *next = (char *)c + had;

	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	if (next < end)
		memmove((char *)c + left, next, (size_t)(end - next));
	m->msg_controllen = (size_t)((char *)c + left - (char *)m->msg_control) +
			    (next < end ? (size_t)(end - next) : 0);
	m->msg_flags |= MSG_CTRUNC;
}

/* How many of the descriptors of c stay. */
static size_t receive_all(const struct cmsghdr *c, bool peek)
{
	size_t i = 0, n = rights(c), left;

	while (i < n && !receive_one(number(c, i), peek))
		i++;
	for (left = i; i < n; i++)
		refuse(number(c, i), peek);
	return left;
}

void pass_receive(struct msghdr *m, bool peek)
{
	struct cmsghdr *c;
	size_t n;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		n = rights(c) ? receive_all(c, peek) : 0;
		if (n == rights(c))
			continue;
		shorten(m, c, n);
		if (!n)
			return;
	}
}
