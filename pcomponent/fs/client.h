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
/* All that, but at the first use: files may wait for us at the component (P2S_FORK). */
void client_open_later(const struct fs_config *, uint64_t files);
/* Make the io buffer, if there is none yet: 0 or -errno. */
int client_buffer(void);

/* A number of a file is closed: with it go the process's record locks on the file, whoever else has it open. */
void client_locks_leave(uint64_t handle);

/*
 * fork. lock: no call is under way until unlock, and none begins. set_aside, between them: for a member that is about to
 * be; n 0: all files, else (exec) those with these handles, and the record locks. 0 or -errno. child: as client_open_later, with what is known here of the files.
 */
void client_lock(void);
void client_unlock(void);
int client_set_aside(uint32_t member, const uint64_t *handles, uint32_t n);
void client_child(const struct fs_config *);

/*
 * Send a request and wait for its reply: 0 or the component's -errno. While the component is gone the call waits for it
 * (link.h), then -EIO; -EIO too for a file that was lost with it. Handles in requests and replies are the numbers of
 * handles.h. Any thread; the arguments are local memory. rep_tail may be NULL, but not for P2S_OPEN, P2S_EXEC, nor a
 * P2S_TAKE that gets a file.
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
void slots_open(char *addr);
int slot_get(struct slot *); /* 0, or -errno: there is no buffer */
int slot_get_image(struct slot *);
void slot_put(const struct slot *);

/* fork: no slot comes or goes between lock and unlock; child: all are free, the buffer is to be made anew. */
void slots_lock(void);
void slots_unlock(void);
void slots_child(void);

#endif
