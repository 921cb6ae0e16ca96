/* What the node daemon asks of Linux: to stand by a process that is not its child, by a pidfd. */
#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "pcomponent/daemon/daemon.h"

static int host_process_open(int32_t host_pid)
{
	int fd = pidfd_open(host_pid, 0); /* close-on-exec by itself */

	return fd < 0 ? -errno : fd;
}

static void host_process_kill(int fd)
{
	pidfd_send_signal(fd, SIGKILL, NULL, 0);
}

static void host_process_close(int fd)
{
	close(fd);
}

const struct daemon_host daemon_host_linux = {
	.process_open = host_process_open,
	.process_kill = host_process_kill,
	.process_close = host_process_close,
};
