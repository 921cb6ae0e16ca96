/* What the node daemon asks of Linux: to stand by a process that is not its child, by a pidfd. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

/* The state is the first word behind the name, which may hold any character: so look from its end. */
static bool host_process_stopped(int32_t host_pid)
{
	char path[64], text[512], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", host_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	end = strrchr(text, ')');
	return end && (strncmp(end, ") T", 3) == 0 || strncmp(end, ") t", 3) == 0);
}

const struct daemon_host daemon_host_linux = {
	.process_open = host_process_open,
	.process_kill = host_process_kill,
	.process_close = host_process_close,
	.process_stopped = host_process_stopped,
};
