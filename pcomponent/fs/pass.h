/*
 * Passing descriptors in messages (SCM_RIGHTS). The host kernel carries them, also those of remote files: what stands behind
 * such a number is the memfd of its offset and status flags (file.h), whose name ends with a token. The storage component is
 * told before the message goes (P2S_PASS), and gives the file to whoever of the tree shows the token (P2S_TAKE). A receiver of
 * another tree is shown nothing: it loses the descriptor as by a security module of the host kernel's, see pass_receive.
 */
#ifndef PCOMPONENT_FS_PASS_H
#define PCOMPONENT_FS_PASS_H
#include <stdbool.h>

#define PASS_MAX 253u /* descriptors of one message, as the host kernel has it */

struct file;
struct msghdr;

/* The remote files among those of a message that is being sent. */
struct passing {
	struct file *file[PASS_MAX];
	unsigned n;
};

/*
 * Local control data: make it ready to be sent. 0, or -errno as sendmsg has it: -EBADF, -EINVAL (more than PASS_MAX, or not well formed),
 * -ETOOMANYREFS, and the storage component's. Whatever it was, pass_end is due.
 */
int pass_begin(struct passing *, const struct msghdr *);
void pass_end(struct passing *, bool sent);
/*
 * Local control data that came. Descriptors of remote files become such. One that cannot, that is of another tree, or
 * whose number is above the program's limit, is closed with those that follow it in its array, which is shortened, and
 * MSG_CTRUNC set. peek: the message stays where it is.
 */
void pass_receive(struct msghdr *, bool peek);

#endif
