/* Segments in the keeper, the processes that map them, and their mappings. All under the layout lock, exclusive to change. */
#ifndef PCOMPONENT_KEEP_SEGMENT_H
#define PCOMPONENT_KEEP_SEGMENT_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/list.h"

struct excache_port;

struct segment {
	struct list link;
	uint64_t dev, ino;
	int fd;
	uint64_t at, bytes, reserved; /* where it is mapped here, how much of it, and how far it may grow */
	unsigned maps;
	bool anonymous;
	int sysv; /* id of the System V segment that it stands for, -1: none */
};

struct mapping {
	struct list link;
	struct segment *segment;
	uint64_t addr, bytes, off;
	bool writes; /* what is written there is the segment's */
};

struct hold {
	struct list link;
	struct segment *segment;
	uint64_t at, bytes; /* here */
	bool locked;	    /* by mlock, not for a call */
};

struct client {
	struct list link;
	int sock, uffd; /* uffd -1: it has not begun */
	int32_t pid;	/* of the host; 0: not told */
	struct list mappings, holds;
	struct segment *claimed; /* it was told of that, and will map it; NULL: none */
};

extern struct list clients;

/* The kept segment behind fd, or NULL. */
struct segment *segment_find(int fd);
/* The segment behind fd is kept from now on; fd stays the caller's. NULL: *err says why not. */
struct segment *segment_new(int fd, bool anonymous, int *err);
/* The one that stands for System V segment id; begin: it is made if need be, and if nobody has that attached. */
struct segment *segment_sysv(int id, bool begin, int *err);
/* At least so much of it is mapped here. 0 or -ENOMEM. */
int segment_extend(struct segment *, uint64_t bytes);
/* Nobody maps it any more: back to the host kernel. */
void segment_end(struct segment *, struct excache_port *);
/* What of [off, off + bytes) is there are lines from now on. */
void segment_take(struct segment *, uint64_t off, uint64_t bytes);
/* Contents are gone. */
void segment_discard(struct segment *, uint64_t off, uint64_t bytes);

/* NULL: no memory. */
struct client *client_new(int sock);
void client_free(struct client *, struct excache_port *);
int client_map(struct client *, struct segment *, const struct mapping *);
int client_unmap(struct client *, uint64_t addr, uint64_t bytes, struct excache_port *);
int client_clone(const struct client *, struct client *to);
/* What is clean is protected in [addr, addr + bytes), which it has just mapped. */
int client_protect_clean(const struct client *, const struct mapping *);
const struct mapping *client_find(const struct client *, uint64_t addr);

/* It will map that next, so it does not end before; NULL: no more. */
void client_claim(struct client *, struct segment *, struct excache_port *);
int client_hold(struct client *, struct segment *, uint64_t at, uint64_t bytes);
/* The same for mlock(2), and of any part of it that is locked the end. */
int client_mlock(struct client *, struct segment *, uint64_t at, uint64_t bytes);
void client_munlock(struct client *, uint64_t at, uint64_t bytes, struct excache_port *);
/* bytes UINT64_MAX: all that it holds. */
void client_release(struct client *, uint64_t at, uint64_t bytes, struct excache_port *);

/* ioctls on its userfaultfd. 0 or -errno; a process that has ended needs nothing. */
int client_protect(const struct client *, uint64_t addr, uint64_t pages, bool protect);
void client_wake(const struct client *, uint64_t addr);
/* An access to that page ends with SIGBUS. */
int client_poison(const struct client *, uint64_t addr);

#endif
