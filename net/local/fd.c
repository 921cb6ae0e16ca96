/* Descriptor numbers: in a program's process ours must not take the low ones, which the program counts on. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "net/local/local.h"

int local_fd_place(const struct net *net, int fd)
{
	int moved;

	if (fd < 0)
		return -errno;
	if (fd >= net->opt.fd_floor)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, net->opt.fd_floor);
	if (moved < 0)
		moved = -errno;
	close(fd);
	return moved;
}
