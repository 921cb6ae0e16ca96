/* See core_door.h. One request at a time: who comes meanwhile waits in the socket's queue. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "pcomponent/proc/core_door.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/resize.h"

#define REQUEST_MS 1000

static struct {
	int listener, peer, file; /* peer: whose request is carried out; -1: nobody's */
	uint32_t uid;		  /* of the start: the program may have become another */
} door = { -1, -1, -1, 0 };

int core_door_open(uint32_t pid)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, CORE_DOOR_FORMAT, getpid(), pid);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

	/* In the child of a fork, who asked the parent is no matter of ours. */
	door.peer = door.file = -1;
	door.uid = getuid();
	door.listener = proc_fd_raise(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (door.listener < 0)
		return door.listener;
	/* Without it there is no core file to be had, no more: somebody may have taken the name. */
	if (bind(door.listener, (void *)&sa, len) || listen(door.listener, 1)) {
		close(door.listener);
		door.listener = -1;
	}
	return door.listener;
}

static void answer(int peer, int err, const struct core_result *r)
{
	struct core_answer a = { .magic = CORE_DOOR_MAGIC, .err = err };

	if (r) {
		a.bytes = r->bytes;
		a.pages = r->pages;
		a.lost = r->lost;
	}
	(void)!send(peer, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(peer);
}

/* The file's descriptor, above the program's; or -errno. */
static int request_read(int peer)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct timeval patience = { .tv_sec = REQUEST_MS / 1000 };
	struct cmsghdr *c;
	int fd;

	if (setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    recvmsg(peer, &m, MSG_CMSG_CLOEXEC) != 1)
		return -EPROTO;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return proc_fd_raise(fd);
}

bool core_door_busy(void)
{
	return door.peer >= 0;
}

void core_door_look(void)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int peer, fd;

	peer = proc_fd_raise(accept4(door.listener, NULL, NULL, SOCK_CLOEXEC));
	if (peer < 0)
		return;
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &len) || (who.uid && who.uid != door.uid)) {
		answer(peer, -EPERM, NULL);
		return;
	}
	if ((fd = request_read(peer)) < 0) {
		answer(peer, fd, NULL);
		return;
	}
	door.peer = peer;
	door.file = fd;
	resize_core_ask(fd);
}

void core_door_done(void)
{
	struct core_result r;

	if (door.peer < 0 || !resize_core_done(&r))
		return;
	close(door.file);
	answer(door.peer, r.err, &r);
	door.peer = door.file = -1;
}
