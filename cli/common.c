/* Errors and descriptors of the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "ashlar/launch.h"
#include "cli/cli.h"

int cli_error(const char *fmt, ...)
{
	char line[1024] = "ashlar: ";
	size_t len = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	len = strlen(line);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return EXIT_ASHLAR; /* nobody listens; the exit status says it too */
	return EXIT_ASHLAR;
}

const char *cli_why(int err)
{
	static char text[160];
	bool machine = err == EPERM || err == ENOSYS || err == EMFILE || err == ENFILE || err == EAGAIN ||
		       err == EINVAL;

	snprintf(text, sizeof(text), "%s%s", strerror(err), machine ? " (ashlar doctor says how to mend it)" : "");
	return text;
}

int fd_high_floor(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= 2 * LAUNCH_FD_MIN)
		return LAUNCH_FD_MIN;
	return r.rlim_cur > 128 ? 64 : 16;
}

int fd_high(int fd)
{
	int high, saved;

	if (fd < 0)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, fd_high_floor());
	saved = errno;
	close(fd);
	errno = saved;
	return high;
}
