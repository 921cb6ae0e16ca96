/* Segments of the keeper (segment.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/keep/segment.h"
#include "pcomponent/keep/wire.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/sys.h"

#define SPARE_BYTES (16UL << 30) /* of addresses: it may grow */
#define LOOK_PAGES 4096u	 /* of one mincore */

static struct list segments = { &segments, &segments };

bool segments_any(void)
{
	return segments.next != &segments;
}

struct segment *segment_find(int fd)
{
	struct list *pos, *next;
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	list_for_each_safe(pos, next, &segments) {
		struct segment *s = container_of(pos, struct segment, link);

		if (s->ino == st.st_ino && s->dev == st.st_dev)
			return s;
	}
	return NULL;
}

/* An opening of our own, for writing: the mark on it is ours alone. */
static int open_again(int fd)
{
	char path[32];
	int low, high;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	low = open(path, O_RDWR | O_CLOEXEC);
	high = low < 0 ? -errno : fcntl(low, F_DUPFD_CLOEXEC, proc_fd_floor());
	if (low >= 0)
		close(low);
	return high;
}

static int mark(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = KEEP_MARK_OFF, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &l) ? -EBUSY : 0;
}

struct segment *segment_new(int fd, bool anonymous, int *err)
{
	struct segment *s = calloc(1, sizeof(*s));
	struct stat st;
	void *at;

	*err = -ENOMEM;
	if (!s)
		return NULL;
	s->fd = open_again(fd);
	if (s->fd < 0 || fstat(s->fd, &st) || (*err = mark(s->fd))) {
		*err = s->fd < 0 ? s->fd : *err;
		goto fail;
	}
	*err = -ENOMEM;
	s->reserved = ((uint64_t)st.st_size * 4 + SPARE_BYTES) & -PAGE_BYTES;
	at = mmap(NULL, s->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		goto fail;
	s->at = (uint64_t)at;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->anonymous = anonymous;
	list_add_tail(&segments, &s->link);
	*err = 0;
	return s;
fail:
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	return NULL;
}

int segment_extend(struct segment *s, uint64_t bytes)
{
	uint64_t from = s->bytes;
	int err;

	if (bytes <= from)
		return 0;
	if (bytes > s->reserved)
		return -ENOMEM;
	if (mmap((void *)(s->at + from), bytes - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, s->fd,
		 (off_t)from) == MAP_FAILED)
		return -errno;
	err = excache_register(s->at + from, s->at + bytes);
	if (err)
		return err;
	s->bytes = bytes;
	segment_take(s, from, bytes - from);
	return 0;
}

void segment_take(struct segment *s, uint64_t off, uint64_t bytes)
{
	uint64_t end = bytes < s->bytes && off < s->bytes - bytes ? off + bytes : s->bytes;
	unsigned char there[LOOK_PAGES];

	for (off &= -PAGE_BYTES; off < end; off += LOOK_PAGES * PAGE_BYTES) {
		uint64_t n = (end - off + PAGE_BYTES - 1) / PAGE_BYTES, from, i;

		n = n < LOOK_PAGES ? n : LOOK_PAGES;
		if (mincore((void *)(s->at + off), n * PAGE_BYTES, there))
			return;
		for (from = i = 0; i <= n; i++) {
			if (i < n && (there[i] & 1))
				continue;
			if (from < i)
				excache_take(s->at + off + from * PAGE_BYTES, s->at + off + i * PAGE_BYTES);
			from = i + 1;
		}
	}
}

void segment_discard(struct segment *s, uint64_t off, uint64_t bytes)
{
	uint64_t end = bytes < s->bytes && off < s->bytes - bytes ? off + bytes : s->bytes;

	/* Parts of pages are zeroed by whoever cut them, where the page is. */
	off = (off + PAGE_BYTES - 1) & -PAGE_BYTES;
	end = end == s->bytes ? end : end & -PAGE_BYTES;
	if (off >= end)
		return;
	excache_forget(s->at + off, s->at + end);
	(void)madvise((void *)(s->at + off), end - off, MADV_REMOVE);
}

void segment_end(struct segment *s, struct excache_port *port)
{
	list_del(&s->link);
	if (s->bytes && s->anonymous)
		excache_forget(s->at, s->at + s->bytes);
	else if (s->bytes && excache_give_up(port, s->at, s->at + s->bytes))
		sys_message("pages of shared memory are lost with their memory component, and are zeros");
	(void)munmap((void *)s->at, s->reserved);
	close(s->fd); /* and the mark with it: what is there is the host kernel's, and whole */
	free(s);
}
