/*
 * What `ashlar vm` and the agent inside a virtual machine say to each other, over a virtio-serial port. Frames: a header,
 * then the payload. One session at a time on a port; whoever comes says hello, which ends what was before.
 *
 *	host			agent
 *	VM_HELLO		VM_HELLO, the same payload: what came before it was an earlier session's
 *	VM_WORDS...		arguments, environment, working directory, each ended by 0, in pieces
 *	VM_START		VM_STARTED: 0, or why not
 *	VM_INPUT		VM_TAKEN: so many bytes have gone into stdin; at most VM_WINDOW_BYTES may be outstanding
 *	VM_SIGNAL, VM_WINDOW	VM_OUTPUT, VM_ERRORS
 *				VM_ENDED, when the program has, and all that it wrote is sent
 *
 * Both are of one build: there is no version. Neither trusts the other: lengths and order are checked.
 */
#ifndef VM_WIRE_H
#define VM_WIRE_H
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/d2p.h"

#define VM_MAGIC 0x3141726c68736176ULL
#define VM_PAYLOAD_MAX STREAM_PIECE	   /* bytes of one frame without its header */
#define VM_WINDOW_BYTES (8 * STREAM_PIECE) /* of stdin on their way */
#define VM_PORTS 8u			   /* sessions of one machine at a time */

enum vm_frame_type {
	VM_HELLO = 1,
	VM_WORDS,
	VM_START,
	VM_STARTED,
	VM_INPUT,
	VM_TAKEN,
	VM_SIGNAL,
	VM_WINDOW,
	VM_OUTPUT,
	VM_ERRORS,
	VM_ENDED,
};

struct vm_frame {
	uint32_t type; /* enum vm_frame_type */
	uint32_t bytes;
};

struct vm_hello {
	uint64_t magic, nonce;
};

enum vm_start_flags {
	VM_START_FOLDER = 1, /* the working directory is made if it is not there */
};

/* argc words, envc more, and the working directory. */
struct vm_start {
	struct d2p_start_req req;
	uint32_t uid, gid;
	uint32_t flags;
	uint32_t reserved0;
};

/* VM_STARTED: errno. VM_TAKEN: bytes. VM_SIGNAL: its number. VM_ENDED: as waitpid tells it. VM_INPUT without payload: end. */
struct vm_number {
	uint32_t value;
};

#endif
