/*
 * Path: from a path argument to who serves it. Paths that, joined with the working directory and made normal by their
 * text, lie at or below /proc, /sys and /dev are the host's; all others the storage component's. /proc/self (and our own
 * number) is looked into: its links may lead back to remote files, and some of its files are ours to write.
 *
 * A symbolic link on the storage component may lead to the host's part: it then answers -EREMOTE, and path_do asks it
 * where to (P2S_RESOLVE) and has the operation done again.
 */
#ifndef PCOMPONENT_FS_PATH_H
#define PCOMPONENT_FS_PATH_H
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/proto/p2s.h"

struct file;
struct thread;

enum path_where {
	PATH_REMOTE, /* str, from dir (NULL: the root); empty: dir itself */
	PATH_HOST,   /* str, absolute */
	PATH_FD,     /* the host object fd itself (AT_EMPTY_PATH) */
};

/* What a PATH_HOST is of our own. */
enum path_virtual {
	VIRT_NONE,
	VIRT_FDS, /* the list of descriptors */
	VIRT_MAPS,
	VIRT_SMAPS,
	VIRT_STATM,
	VIRT_STAT,
	VIRT_CMDLINE,
	VIRT_STATUS,
	VIRT_DENIED, /* shows or changes memory behind the ExCache's back */
	VIRT_LINK_EXE,
	VIRT_LINK_CWD,
	VIRT_LINK_FD, /* of the remote file dir */
};

struct path {
	enum path_where where;
	enum path_virtual virt;
	struct file *dir; /* counted */
	int fd;
	uint32_t rules; /* RESOLVE_* of openat2 */
	char str[PATH_MAX];
};

/* How the last name is meant. */
enum path_flags {
	PATH_NOFOLLOW = 1, /* a symbolic link stands for itself */
	PATH_EMPTY = 2,	   /* AT_EMPTY_PATH: an empty path is the descriptor */
};

/* Take a path argument of the program. 0 or -errno; then path_put. */
long path_get(int dirfd, uint64_t addr, unsigned flags, struct path *);
/* The same for a path in local memory. */
long path_get_local(int dirfd, const char *str, unsigned flags, struct path *);
/*
 * As openat2 takes a path, rules: RESOLVE_*. Below /proc, /sys and /dev BENEATH and IN_ROOT go by the path's text and
 * follow no links (ELOOP), since links there lead anywhere.
 */
long path_get_rules(int dirfd, uint64_t addr, unsigned flags, uint32_t rules, struct path *);
/* What a descriptor stands for, as PATH_EMPTY has it. */
long path_get_fd(int fd, struct path *);
/* After -EREMOTE: where the path really leads. True: p has changed, do the operation again. */
bool path_reroute(struct path *, unsigned flags);
void path_put(struct path *);

/* Fetch, do, do again after -EREMOTE, put. */
typedef long path_op(struct thread *t, struct path *p, void *arg);
long path_do(struct thread *t, int dirfd, uint64_t addr, unsigned flags, path_op *op, void *arg);
/* The same without the fetching. */
long path_do_with(struct thread *t, struct path *p, unsigned flags, path_op *op, void *arg);

/* The start of a request about a PATH_REMOTE; its tail is p->str. flags: AT_* to pass on. */
struct wire_at path_at(const struct path *, uint32_t flags);

/* Join and make normal by text alone: no empty names, no dots. out has PATH_MAX. 0 or -ENAMETOOLONG. */
int path_normal(const char *base, const char *rest, char *out);
/* Does `..` in the text lead above where it starts? */
bool path_leaves(const char *str);
/* Is a normal path one of the host's? */
bool path_is_host(const char *normal);

#endif
