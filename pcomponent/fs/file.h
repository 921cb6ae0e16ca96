/*
 * File: an open file description, as dup shares it. Counted. Remote ones are a handle of the storage component, an
 * offset and status flags; the others stand for host descriptors of which we must know more than the host kernel does.
 */
#ifndef PCOMPONENT_FS_FILE_H
#define PCOMPONENT_FS_FILE_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum file_kind {
	FILE_REMOTE,
	FILE_FDS,  /* host: a list of our descriptors (/proc/self/fd): ours are left out of getdents */
	FILE_TEXT, /* host: a memfd with the text of a /proc file; only its name differs */
	FILE_NONE, /* a number taken by an open that is under way */
};

struct fs_image {
	char reserved; /* an image is a file that is only read */
};

struct file {
	struct fs_image image; /* first: see file_image */
	enum file_kind kind;
	uint32_t refs;
	uint32_t flags; /* O_*, as F_GETFL answers; atomic */
	uint32_t mode;	/* S_IFMT bits */
	uint64_t handle;
	char *path; /* canonical when it was opened */

	/* The offset. Whoever moves it owns it meanwhile (file_pos_begin), with no lock held. */
	pthread_mutex_t lock;
	pthread_cond_t pos_free;
	bool pos_busy;
	uint64_t pos; /* directories: the cookie */
};

/* One reference, the caller's. path is copied. NULL: no memory. */
struct file *file_new(enum file_kind, uint64_t handle, uint32_t flags, uint32_t mode, const char *path);
struct file *file_ref(struct file *);
void file_put(struct file *); /* NULL is fine; the last one closes the handle */

/* Own the offset (waits for others), and give it back with the new value. */
uint64_t file_pos_begin(struct file *);
void file_pos_end(struct file *, uint64_t pos);
/* A look at it, and setting it, between other threads' calls: where Linux does not hold it either. */
uint64_t file_pos_get(struct file *);
void file_pos_set(struct file *, uint64_t pos);

static inline uint32_t file_flags(const struct file *f)
{
	return __atomic_load_n(&f->flags, __ATOMIC_RELAXED);
}
bool file_readable(const struct file *);
bool file_writable(const struct file *);

static inline struct fs_image *file_image(struct file *f)
{
	return &f->image;
}
static inline struct file *image_file(struct fs_image *i)
{
	return (struct file *)i;
}

#endif
