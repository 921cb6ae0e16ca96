/* Segments of the keeper (segment.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
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

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return proc_fd_raise(open(path, O_RDWR | O_CLOEXEC));
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
	s->sysv = -1;
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

/* ---- System V ---- */

/*
 * The host kernel has no userfaultfd for its segments, so a memory file takes the place of one. Who attaches it attaches the
 * host kernel's besides, unseen, which counts; that has the contents while nobody has attached it.
 */

/* Pages of [from, from + bytes), which are there, to the same place behind `to`. */
static void copy_present(const char *from, char *to, uint64_t bytes)
{
	unsigned char there[LOOK_PAGES];

	for (uint64_t off = 0; off < bytes; off += LOOK_PAGES * PAGE_BYTES) {
		uint64_t n = (bytes - off + PAGE_BYTES - 1) / PAGE_BYTES;

		n = n < LOOK_PAGES ? n : LOOK_PAGES;
		if (mincore((void *)(uintptr_t)(from + off), n * PAGE_BYTES, there))
			return;
		for (uint64_t i = 0; i < n; i++)
			if (there[i] & 1)
				memcpy(to + off + i * PAGE_BYTES, from + off + i * PAGE_BYTES, PAGE_BYTES);
	}
}

static int sysv_take(int id, int fd, uint64_t bytes)
{
	char *from = shmat(id, NULL, SHM_RDONLY), *to;
	struct shmid_ds ds;
	int err = 0;

	if (from == (char *)-1)
		return -errno;
	to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (to == MAP_FAILED)
		err = -ENOMEM;
	else if (shmctl(id, IPC_STAT, &ds) || ds.shm_nattch != 1)
		err = -EBUSY;
	else
		copy_present(from, to, bytes);
	if (to != MAP_FAILED)
		(void)munmap(to, bytes);
	(void)shmdt(from);
	return err;
}

static struct segment *sysv_new(int id, int *err)
{
	struct segment *s = NULL;
	struct shmid_ds ds;
	uint64_t bytes;
	int fd;

	if (shmctl(id, IPC_STAT, &ds) || ds.shm_nattch) {
		*err = -EBUSY;
		return NULL;
	}
	bytes = (ds.shm_segsz + PAGE_BYTES - 1) & -PAGE_BYTES;
	fd = memfd_create("ashlar-sysv", MFD_CLOEXEC);
	*err = fd < 0 || ftruncate(fd, (off_t)bytes) ? -errno : sysv_take(id, fd, bytes);
	if (!*err)
		s = segment_new(fd, true, err);
	if (s)
		s->sysv = id;
	if (fd >= 0)
		close(fd);
	return s;
}

struct segment *segment_sysv(int id, bool begin, int *err)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &segments) {
		struct segment *s = container_of(pos, struct segment, link);

		if (s->sysv == id)
			return s;
	}
	*err = -ENOENT;
	return begin ? sysv_new(id, err) : NULL;
}

/* Back to the host kernel's segment, piece by piece, if that goes on. */
static int sysv_back(const struct segment *s, struct excache_port *port)
{
	struct shmid_ds ds;
	char *to = (char *)-1;
	int err = 0, e;

	if (!shmctl(s->sysv, IPC_STAT, &ds) && !(ds.shm_perm.mode & SHM_DEST))
		to = shmat(s->sysv, NULL, 0);
	for (uint64_t off = 0, n; off < s->bytes && to != (char *)-1; off += n) {
		n = s->bytes - off < LOOK_PAGES * PAGE_BYTES ? s->bytes - off : LOOK_PAGES * PAGE_BYTES;
		e = excache_give_up(port, s->at + off, s->at + off + n);
		err = err ? err : e;
		copy_present((const char *)s->at + off, to + off, n);
		(void)madvise((void *)(s->at + off), n, MADV_REMOVE);
	}
	if (to != (char *)-1)
		(void)shmdt(to);
	excache_forget(s->at, s->at + s->bytes);
	return err;
}

void segment_end(struct segment *s, struct excache_port *port)
{
	int err = 0;

	list_del(&s->link);
	if (s->bytes && s->sysv >= 0)
		err = sysv_back(s, port);
	else if (s->bytes && s->anonymous)
		excache_forget(s->at, s->at + s->bytes);
	else if (s->bytes)
		err = excache_give_up(port, s->at, s->at + s->bytes);
	if (err)
		sys_message("pages of shared memory are lost with their memory component, and are zeros");
	(void)munmap((void *)s->at, s->reserved);
	close(s->fd); /* and the mark with it: what is there is the host kernel's, and whole */
	free(s);
}
