/* See vfork.h. */
#include "pcomponent/proc/vfork.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/uaccess.h"

struct told {
	uint64_t at;
	uint64_t bytes;
};

static struct vfork self = { .ends = { -1, -1 } }; /* of the process, as a child */

/* As much as there is, page by page: the stack may end before. */
static size_t frames_in(char *to, uint64_t at)
{
	size_t n = 0;

	while (n < VFORK_BYTES) {
		size_t piece = PAGE_BYTES - ((at + n) & (PAGE_BYTES - 1));

		if (piece > VFORK_BYTES - n)
			piece = VFORK_BYTES - n;
		if (uaccess_in(to + n, at + n, piece))
			break;
		n += piece;
	}
	return n;
}

int vfork_open(struct vfork *v, uint64_t sp)
{
	int low[2];

	v->before = malloc(VFORK_BYTES);
	if (!v->before)
		return -ENOMEM;
	if (pipe2(low, O_CLOEXEC)) {
		free(v->before);
		return -errno;
	}
	for (int i = 0; i < 2; i++) {
		v->ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, proc_fd_floor());
		close(low[i]);
	}
	if (v->ends[0] < 0 || v->ends[1] < 0) {
		close(v->ends[0]);
		close(v->ends[1]);
		free(v->before);
		return -EAGAIN;
	}
	v->at = sp;
	v->bytes = frames_in(v->before, sp);
	return 0;
}

static bool read_all(int fd, void *to, size_t n)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		got = read(fd, (char *)to + done, n - done);
		if (got == 0 || (got < 0 && errno != EINTR))
			return false;
		done += got > 0 ? (size_t)got : 0;
	}
	return true;
}

void vfork_wait(struct vfork *v)
{
	struct told w;

	close(v->ends[1]);
	while (read_all(v->ends[0], &w, sizeof(w)) && w.bytes <= v->bytes && w.at >= v->at &&
	       w.at - v->at <= v->bytes - w.bytes && read_all(v->ends[0], v->before, w.bytes))
		(void)uaccess_out(w.at, v->before, w.bytes); /* a page that is no more has no reader either */
	close(v->ends[0]);
	free(v->before);
}

void vfork_forked(const struct vfork *v)
{
	free(self.before);
	self = v ? *v : (struct vfork){ .ends = { -1, -1 } };
}

int vfork_child_fd(void)
{
	return self.ends[1];
}

/* One stretch of bytes that differ, in one write: the pipe holds more than all of them. */
static void tell(const char *now, size_t from, size_t n)
{
	struct {
		struct told head;
		char bytes[VFORK_BYTES];
	} *m = malloc(sizeof(*m));
	ssize_t put;

	if (!m)
		return;
	m->head = (struct told){ self.at + from, n };
	memcpy(m->bytes, now + from, n);
	do
		put = write(self.ends[1], m, sizeof(m->head) + n);
	while (put < 0 && errno == EINTR);
	free(m);
}

void vfork_child_tells(void)
{
	char *now;
	size_t n, i, from;

	if (self.ends[1] < 0 || !(now = malloc(VFORK_BYTES)))
		return;
	n = frames_in(now, self.at);
	if (n > self.bytes)
		n = self.bytes;
	for (i = 0; i < n; i = from) {
		while (i < n && now[i] == self.before[i])
			i++;
		for (from = i; from < n && now[from] != self.before[from];)
			from++;
		if (from > i)
			tell(now, i, from - i);
	}
	memcpy(self.before, now, n);
	free(now);
}

void vfork_child_leaves(void)
{
	if (self.ends[1] >= 0)
		close(self.ends[1]);
	vfork_forked(NULL);
}
