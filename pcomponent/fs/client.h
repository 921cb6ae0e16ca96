/*
 * Client: the dispatcher's side of the edge to the storage component. One connection for all threads, requests go one
 * after the other under its mutex; file data moves through slots of one registered buffer.
 */
#ifndef PCOMPONENT_FS_CLIENT_H
#define PCOMPONENT_FS_CLIENT_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/lists.h"

struct fs_config;

/* Connect, say hello, grant the buffer. 0 or -errno after a message. */
int client_open(const struct fs_config *);

/*
 * Send a request and wait for its reply: 0 or the component's -errno. While the component is gone the call waits for it
 * (link.h), then -EIO; -EIO too for a file that was lost with it. Handles in requests and replies are the numbers of
 * handles.h. Any thread; the arguments are local memory. rep_tail may be NULL, but not for P2S_OPEN.
 */
int client_call(enum msg_id, const void *req, const void *tail, uint32_t tail_bytes, void *rep, void *rep_tail,
		uint32_t *rep_tail_bytes);
/* Close a handle; its reply is not waited for. */
void client_close_handle(uint64_t handle);

uint64_t client_messages(void);
bool client_readonly(void);

/*
 * A slot of IO_SLOT_BYTES of the buffer. slot_get waits while all are in use. Held only for a request and the copy to or
 * from program memory that goes with it, never over a call that waits for somebody else. The last slot is for images
 * alone: a copy that holds a slot may need a page of a file, which comes by an image.
 */
struct slot {
	unsigned index;
	char *addr;
	uint64_t buf; /* offset, as messages name it */
};
int slots_open(char *addr);
void slot_get(struct slot *);
void slot_get_image(struct slot *);
void slot_put(const struct slot *);

#endif
