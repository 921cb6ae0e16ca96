/*
 * Resolve: from a path in a request to a file below the export's root. The host kernel confines every path (openat2:
 * `..` and absolute links stay inside, links of /proc that jump are not followed). What lies below /proc, /sys or /dev
 * is the processor component's own and answered -EREMOTE (see proto/p2s.h).
 */
#ifndef SCOMPONENT_RESOLVE_H
#define SCOMPONENT_RESOLVE_H
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct scomponent;
struct wire_at;

/* What openat2 may be asked to resolve by, in a wire_at's flags of P2S_OPEN. */
#define OPEN_RULES (RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT)
#define PROC_FD_BYTES 32
/* "/proc/self/fd/N": a name for an open file that works where only a path is taken. Returns buf. */
char *proc_fd(char *buf, int fd);

/*
 * Copy a path of n bytes out of a message. 0; -EINVAL: a NUL inside, or at->flags unknown; -ENAMETOOLONG; -ENOENT:
 * empty without AT_EMPTY_PATH. buf has PATH_MAX bytes.
 */
int path_decode(const struct wire_at *at, const char *bytes, char *buf);

/* A file found; fd is O_PATH (or a handle's own). */
struct target {
	int fd;
	bool own; /* fd is closed by target_put */
};
int resolve(struct client *, const struct wire_at *, const char *path, bool follow, struct target *);
void target_put(struct target *);

/*
 * The directory that holds the last name of path, and that name (with its trailing slash, if it has one: the host kernel
 * judges it). -EBUSY: the path has no last name, being the root.
 */
#define LAST_NAME_BYTES (NAME_MAX + 2)
int resolve_parent(struct client *, const struct wire_at *, const char *path, struct target *,
		   char name[LAST_NAME_BYTES]);

/* openat2 below the export, by the rules in at (see OPEN_RULES). A descriptor or -errno. */
int open_below(struct client *, const struct wire_at *, const char *path, uint64_t flags, uint64_t mode);

/*
 * Path of fd inside the export into buf (PATH_MAX bytes): its length, -ENOENT when it lies outside. *deleted (may be
 * NULL): it has no name any more, the path is its last.
 */
int canonical_path(const struct scomponent *, int fd, char *buf, bool *deleted);

/* Is this (canonical or at least normal) path /proc, /sys, /dev or below? */
bool path_is_foreign(const char *path);

/*
 * Follow links name by name until the path turns foreign. out (PATH_MAX): what P2S_RESOLVE answers. True: foreign.
 * start: canonical path of the directory that path is relative to.
 */
bool walk_foreign(const struct scomponent *, const char *start, const char *path, bool follow, char *out);

#endif
