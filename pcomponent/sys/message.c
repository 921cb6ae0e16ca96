/* Lines for the user, on the standard error the program was started with (sys.h). */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "pcomponent/sys/message.h"
#include "pcomponent/sys/sys.h"

static int line_fd = 2;

void message_open(int fd_floor)
{
	int fd = fcntl(2, F_DUPFD_CLOEXEC, fd_floor);

	if (fd >= 0)
		line_fd = fd;
	log_set_fd(line_fd);
}

int message_fd(void)
{
	return line_fd;
}

void sys_message(const char *fmt, ...)
{
	char line[768] = "ashlar: ";
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + 8, sizeof(line) - 9, fmt, ap);
	va_end(ap);
	n = n < (int)sizeof(line) - 9 ? n + 8 : (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (write(line_fd, line, (size_t)n) < 0)
		return; /* nobody reads: nothing better to do */
}
