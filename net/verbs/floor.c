/*
 * Descriptors of the libraries: plain numbers in public structs, so each is moved where the net wants it right after it was
 * made. librdmacm has none beside its channels and contexts.
 */
#include <errno.h>
#include <fcntl.h>
#include "net/verbs/verbs.h"

int vb_fd_prepare(int *fd, int floor)
{
	int up = net_fd_raise(*fd, floor), flags;

	*fd = up;
	if (up < 0)
		return up;
	flags = fcntl(up, F_GETFL);
	if (flags < 0 || fcntl(up, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(up, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int vb_channel_open(struct vb_net *net, struct rdma_event_channel **out)
{
	int err;

	*out = rdma_create_event_channel();
	if (!*out)
		return errno ? -errno : -ENODEV;
	err = vb_fd_prepare(&(*out)->fd, net->base.opt.fd_floor);
	if (err)
		vb_channel_close(out);
	return err;
}

void vb_channel_close(struct rdma_event_channel **channel)
{
	if (*channel)
		rdma_destroy_event_channel(*channel);
	*channel = NULL;
}

int vb_context_raise(struct ibv_context *ctx, int floor)
{
	int up = net_fd_raise(ctx->cmd_fd, floor);

	/* One that a fork's child has closed stays closed. */
	if (up == -EBADF)
		return 0;
	if (up < 0)
		return up;
	ctx->cmd_fd = up;
	return vb_fd_prepare(&ctx->async_fd, floor);
}
