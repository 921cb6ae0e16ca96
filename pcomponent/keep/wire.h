/*
 * What a process says to the keeper of its tree (keeper.h), and hears: one packet each over a Unix socket, one question at
 * a time. A segment is named by a descriptor that goes with the packet, or by where the process has it mapped; the keeper looks
 * itself which object that is.
 */
#ifndef PCOMPONENT_KEEP_WIRE_H
#define PCOMPONENT_KEEP_WIRE_H
#include <stdbool.h>
#include <stdint.h>

enum keep_op {
	KEEP_BEGIN =
		1, /* with its userfaultfd: before anything else; of a forked process, which has its parent's mappings */
	KEEP_CLONE, /* with a socket, the process's that is about to be forked: all mappings are its own as well */
	KEEP_MAP, /* with the segment: [addr, addr + bytes) shows it from `off` on; registered, not to be written yet */
	KEEP_UNMAP,   /* of all mappings: [addr, addr + bytes) */
	KEEP_DISCARD, /* with the segment: the contents of [off, off + bytes) are gone: zeros */
	KEEP_HOLD,    /* with the segment: [off, off + bytes) is there, and stays, until it is released */
	KEEP_RELEASE, /* with the segment: as it was held */
	KEEP_LOCK,    /* what is mapped at `like`, from `off` of its segment on: is there, and stays: mlock(2) */
	KEEP_UNLOCK,  /* may go again */
	KEEP_SYSV,    /* the memory file that stands for System V segment `like` comes with the answer */
};

enum keep_flags {
	KEEP_NEW = 1,	    /* map, sysv: the segment may begin to be kept */
	KEEP_ANONYMOUS = 2, /* map: nobody but those that map it can find it */
	KEEP_LAZY = 16,	    /* lock: when it comes it stays */
	KEEP_WRITE = 4,	    /* hold: it will be written */
	KEEP_PRIVATE = 8,   /* map: what is written there is not seen by others */
};

struct keep_req {
	uint32_t op, flags;
	int32_t pid; /* begin: of the host */
	uint32_t reserved0;
	uint64_t addr, bytes, off;
	uint64_t like; /* map, discard without a descriptor: of the segment that is mapped here */
};

struct keep_rep {
	int32_t err; /* 0, -errno; -ENOENT: it is not kept here; -EBUSY: somebody has it mapped who is not known here */
	uint32_t reserved0;
};

/* One packet, with a descriptor or without. */
struct keep_packet {
	void *bytes;
	uint64_t n;
	int fd; /* -1: none. Received: the caller's, close on exec */
};
/* 0, or -EPIPE: the other side has ended. */
int keep_send(int sock, const struct keep_packet *);
/* 1, or 0: the other side has ended, or says something else. -EAGAIN: nothing is there, and it was not to wait. */
int keep_receive(int sock, struct keep_packet *, bool now);

/*
 * The byte of a segment whose lock says who has it: for writing, a keeper; for reading, whoever has it mapped and has
 * not been told to leave it to one. Open file description locks: they last as long as the mapping, in forked processes
 * too. Programs cannot lock it.
 */
#define KEEP_MARK_OFF (1LL << 62)
/* Held bytes of one request at most. */
#define KEEP_HOLD_BYTES (32u << 10)
/* The abstract name of a tree's keeper: the tree's number, and its node daemon's address. */
#define KEEP_NAME_FORMAT "ashlar-keeper-%u-%.60s"

#endif
