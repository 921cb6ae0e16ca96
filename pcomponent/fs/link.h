/*
 * Link: the connection to the storage component, and its second life. When the component ends, calls on files wait until
 * it is back under the same address; then we prove who we are again, open all files again and take their flocks again. Not thread-safe: the client's lock is held, so all that want a file wait together.
 */
#ifndef PCOMPONENT_FS_LINK_H
#define PCOMPONENT_FS_LINK_H
#include <stdbool.h>
#include <stdint.h>

struct fs_config;
struct rpc;

int link_open(const struct fs_config *); /* 0, or -errno after a message */
/*
 * The same, but the connection is made by link_begin. files: so many are set aside for us at the component; if it has as
 * many for us when we come, our handles are what they were, else it was restarted, and they are opened again. An older
 * buffer of this address space is unmapped.
 */
void link_open_later(const struct fs_config *, uint64_t files);
/*
 * Before a call. Where there is no connection it is begun: the call goes right behind our hello, with the handles as they
 * should be. 0; else link_restore is to be called with the error.
 */
int link_begin(void);
/*
 * After a call that was answered: what the component said to our hello. 0; 1: handles that the call named were not those of
 * the files, as the component was restarted; now they are, and such a call has done nothing and may be made again. -errno:
 * as a failed connection.
 */
int link_settle(void);
bool link_is_later(void); /* not settled */
/* Has the connection ended, and no call has met that? Then one try to restore it; one that fails leaves it to link_begin. */
bool link_lost(void);
void link_try(void);
/* Rises when handles at the component have become others. */
uint32_t link_lives(void);
/* The io buffer: made here; granted ahead of a call that needs it; granted: 0, or -errno that the component said to that. */
int link_buffer_make(void);
int link_buffer_grant(void);
int link_buffer_granted(void);
struct rpc *link_rpc(void);
char *link_buffer(void);
bool link_readonly(void);
/* Did the last call end with err because the connection failed, and not by the component's answer? */
bool link_failed(int err);

/*
 * The connection failed with err: wait until the component is back, for fs_config.wait_s seconds at most. Signals that
 * end or stop the program act meanwhile. 0, or -EIO after a message: it is given up. The files that could not be opened
 * again are lost, each with a message.
 */
int link_restore(int err);

/* Close a handle of the component without waiting for the reply. */
void link_close_handle(uint64_t real, uint32_t pid);

#endif
