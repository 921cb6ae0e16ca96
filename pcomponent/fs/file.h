/*
 * File: an open file description, as dup shares it. Remote ones are a handle of the storage component, an offset and status
 * flags; the others stand for host descriptors of which we must know more than the host kernel does.
 *
 * Two counts: what stands (descriptors, the working directory, images) holds a file, a call uses it. A child of fork has
 * what stands, and none of the calls of its parent's other threads.
 *
 * fork and exec share an open file description between processes. From then on offset and status flags lie in a memfd
 * that stands behind the file's descriptors instead of /dev/null, so that they go where the descriptors go, and last as
 * long. Whoever owns the offset holds a flock on the memfd, by an opening of his own: it ends with him, however he ends.
 *
 * A message to another process (SCM_RIGHTS) shares it as well. The memfd's name ends with a token that the storage component
 * gives the file for (pass.h): a name is there for good, so nobody who has the memfd can make it stand for another file.
 */
#ifndef PCOMPONENT_FS_FILE_H
#define PCOMPONENT_FS_FILE_H
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/list.h"
#include "pcomponent/fs/fs.h"

enum file_kind {
	FILE_REMOTE,
	FILE_FDS,    /* host: a list of our descriptors (/proc/self/fd): ours are left out of getdents */
	FILE_TEXT,   /* host: a memfd with the text of a /proc file; only its name differs */
	FILE_MAPPED, /* host: the contents of a program that is given by a descriptor, see program.h; only an image */
	FILE_NONE,   /* a number taken by an open that is under way */
};

struct fs_image {
	char reserved; /* an image is a file that is only read */
};

struct file {
	struct fs_image image; /* first: see file_image */
	enum file_kind kind;
	struct list link; /* of all files */
	uint64_t counts;  /* holds, and uses << 32; atomic */
	uint32_t flags;	  /* O_*; atomic. The status flags of a shared file are in its memfd */
	uint32_t mode;	  /* S_IFMT bits */
	uint64_t handle;  /* FILE_MAPPED: address */
	char *path;	  /* canonical when it was opened */
	struct fs_version version;

	/* The offset. Whoever moves it owns it meanwhile (file_pos_begin), with no lock held. */
	pthread_mutex_t lock;
	pthread_cond_t pos_free;
	bool pos_busy;
	bool shared;	  /* atomic */
	struct cap token; /* shared: in the name of its memfd */
	int own;	  /* shared: this process's own opening of the memfd; -1: none yet */
	uint64_t pos;	  /* not shared: the offset; directories: the cookie; FILE_MAPPED: bytes */
};

/* One use, the caller's. path is copied. NULL: no memory. */
struct file *file_new(enum file_kind, uint64_t handle, uint32_t flags, uint32_t mode, const char *path);
struct file *file_ref(struct file *);
void file_put(struct file *); /* NULL is fine; the end of the last hold and use closes the handle */
struct file *file_hold(struct file *);
void file_drop(struct file *);

/*
 * Own the offset (waits for others, of other processes too), and give it back with the new value. begin: 0, or -ENFILE,
 * -ENOMEM for lack of a descriptor for a shared one: then nothing is owned.
 */
int file_pos_begin(struct file *, uint64_t *pos);
void file_pos_end(struct file *, uint64_t pos);
/* A look at it, and setting it, between other threads' calls: where Linux does not hold it either. */
int file_pos_get(struct file *, uint64_t *pos);
int file_pos_set(struct file *, uint64_t pos);

/* What F_GETFL answers, and F_SETFL sets: of flags those in mask. 0 or as file_pos_begin. */
#define FILE_STATUS_FLAGS (O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK)
int file_status(struct file *, uint32_t *flags);
int file_status_set(struct file *, uint32_t flags, uint32_t mask);

/* The memfd of a file that is about to be shared, with a new token: a descriptor or -errno. */
int file_memfd(struct cap *token);
/* Is fd the memfd of a shared file, this process's or another's? */
bool file_memfd_token(int fd, struct cap *token);

/*
 * fork. share: begin to keep offset and status flags in memfd, an empty one that is about to stand behind all descriptors
 * of the file; 0 or -errno. shared_elsewhere: a new file, which nobody uses yet, has them where
 * others do. lock: no file comes or goes until unlock. child: no other thread uses any file.
 */
int file_share(struct file *, int memfd, const struct cap *token);
void file_shared_elsewhere(struct file *, const struct cap *token);
static inline bool file_is_shared(const struct file *f)
{
	return __atomic_load_n(&f->shared, __ATOMIC_ACQUIRE);
}
void files_lock(void);
void files_unlock(void);
void files_child(void);

/* What was given at file_new, and O_PATH and the access mode of it are for ever. */
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
