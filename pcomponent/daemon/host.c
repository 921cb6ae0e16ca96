/* What the node daemon asks of Linux: to stand by a process that is not its child, by a pidfd. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
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

static int host_process_signal(int fd, int signal)
{
	return pidfd_send_signal(fd, signal, NULL, 0) ? -errno : 0;
}

/* A small file of /proc as text. */
static int proc_read(int32_t pid, const char *name, char *buf, size_t bytes)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, bytes - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0 ? 0 : -ESRCH;
}

/* /proc/PID/stat: "pid (name) state ...", where the name may hold anything. */
static int stat_parse(char *text, struct process_usage *u)
{
	unsigned long long utime, stime, start;
	uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK), now_ns;
	char *name = strchr(text, '('), *end = strrchr(text, ')');
	struct timespec now;
	char state;

	if (!name || !end || end < name ||
	    sscanf(end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
		   &state, &utime, &stime, &start) != 4)
		return -ESRCH;
	*end = 0;
	snprintf(u->program, sizeof(u->program), "%s", name + 1);
	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	u->state = (unsigned char)state;
	u->cpu_ns = (utime + stime) * ns_per_tick;
	u->age_ms = now_ns > start * ns_per_tick ? (now_ns - start * ns_per_tick) / NS_PER_MS : 0;
	return 0;
}

static int host_process_usage(int fd, int32_t host_pid, struct process_usage *u)
{
	unsigned long long anon_kb = 0;
	char text[4096];
	const char *line;
	int err = proc_read(host_pid, "stat", text, sizeof(text));

	if (!err)
		err = stat_parse(text, u);
	if (!err)
		err = proc_read(host_pid, "status", text, sizeof(text));
	if (!err && (line = strstr(text, "\nRssAnon:")))
		sscanf(line + 9, "%llu", &anon_kb);
	u->bytes = anon_kb << 10;
	/* Only now is it sure that the number was its all the time. */
	return err ? err : host_process_signal(fd, 0);
}

const struct daemon_host daemon_host_linux = {
	.process_open = host_process_open,
	.process_kill = host_process_kill,
	.process_close = host_process_close,
	.process_signal = host_process_signal,
	.process_usage = host_process_usage,
};
