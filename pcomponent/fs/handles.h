/*
 * Handles: the numbers by which fs/ knows its remote files stay the same when the storage component comes back after an
 * end, where every file gets another handle. Each is remembered by what is needed to open it again. Not thread-safe: the
 * client's lock is held.
 */
#ifndef PCOMPONENT_FS_HANDLES_H
#define PCOMPONENT_FS_HANDLES_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/proto/lists.h"

#define REQUEST_BYTES_MAX 64u /* fixed part of any request of the edge */

struct handle {
	uint64_t real;	   /* at the component; 0: the file is lost */
	uint64_t ino;	   /* what must be found again under the path */
	uint32_t dev[2];   /* major, minor */
	uint32_t flags;	   /* O_* to open it again with */
	uint32_t flock_op; /* LOCK_SH, LOCK_EX; 0: none */
	bool used;
	bool closing; /* closed before the connection was there to say so */
	bool forked;  /* other processes may have it too, and with it its lock */
	char *path;   /* canonical, when it was opened */
};

/* Remember an open file; path is copied. Its number (> 0), or 0: no memory. */
uint64_t handle_add(uint64_t real, const char *path, uint32_t flags, const struct wire_stat *st);
/* Forget it: the handle at the component, 0 when there is none. */
uint64_t handle_remove(uint64_t number);
/* Keep a closed one in mind until it can be told. 0. */
uint64_t handle_close_later(uint64_t number);
struct handle *handle_get(uint64_t number); /* NULL: not one of ours */
/* How many the component has open. */
uint64_t handles_live(void);
/* Forget those that are kept to be closed; fn is told the handle at the component. */
void handles_close(void (*fn)(uint64_t real));
/* Be known under a given number, free so far; path is taken over. 0, -ENOMEM or -EINVAL. */
int handle_add_as(uint64_t number, const struct handle *);
/* Call fn for each open file. */
void handles_each(void (*fn)(struct handle *, uint64_t number, void *arg), void *arg);

/* Put the component's handles for our numbers into a copy of a request. -EIO: the file is lost. */
int handles_translate(enum msg_id, void *req);
/* Does the request, which is translated, name any? */
bool handles_named(enum msg_id, const void *req);

#endif
