/*
 * Pid files. A number alone may be another process by now, so the file also holds when the process started, and in
 * which boot; and what is done to the process is done by a pidfd, which was opened before the two were compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "cli/standing.h"

#define BOOT_BYTES 40

/* A small file as text, without its newline. */
static bool text_of(int dir, const char *path, char *buf, size_t bytes)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, bytes - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return n > 0;
}

static bool boot_of(char *boot)
{
	return text_of(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, BOOT_BYTES);
}

/* When the process started, in ticks since boot; 0: there is none, or it has ended and waits for its parent. */
static unsigned long long start_of(long pid)
{
	unsigned long long start = 0;
	char path[64], text[1024];
	const char *end;
	char state;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if (!text_of(AT_FDCWD, path, text, sizeof(text)) || !(end = strrchr(text, ')')))
		return 0;
	if (sscanf(end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
		   &start) != 2 ||
	    state == 'Z' || state == 'X')
		return 0;
	return start;
}

int pid_file_write(const struct standing *s, const char *part)
{
	char name[NAME_BYTES + 8], boot[BOOT_BYTES], line[128];
	int fd, len, err = 0;

	if (!boot_of(boot))
		return -EIO;
	snprintf(name, sizeof(name), "%s.pid", part);
	len = snprintf(line, sizeof(line), "%ld %llu %s\n", (long)getpid(), start_of(getpid()), boot);
	fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, line, (size_t)len) != len)
		err = -EIO;
	close(fd);
	return err;
}

int pid_file_open(const struct standing *s, const char *part)
{
	char name[NAME_BYTES + 8], line[128], boot[BOOT_BYTES], its_boot[BOOT_BYTES];
	unsigned long long start;
	long pid;
	int fd;

	snprintf(name, sizeof(name), "%s.pid", part);
	if (!text_of(s->fd, name, line, sizeof(line)) || sscanf(line, "%ld %llu %39s", &pid, &start, its_boot) != 3 ||
	    pid <= 1 || !boot_of(boot) || strcmp(boot, its_boot) != 0)
		return -1;
	fd = pidfd_open((pid_t)pid, 0);
	if (fd >= 0 && start_of(pid) == start && start && pidfd_send_signal(fd, 0, NULL, 0) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

void pid_file_remove(const struct standing *s, const char *part)
{
	char name[NAME_BYTES + 8];

	snprintf(name, sizeof(name), "%s.pid", part);
	unlinkat(s->fd, name, 0);
}
