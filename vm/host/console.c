/* What the machines told on their serial ports. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "vm/host/host.h"

#define TAIL_BYTES 16384
#define TAIL_LINES 12
#define FOLLOW_MS 100

static int file_open(const struct standing *s, const char *node, const char *suffix)
{
	char path[NAME_BYTES + 16];

	snprintf(path, sizeof(path), "%s%s", node, suffix);
	return openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Of hostile text what a terminal can take without harm. */
static void line_print(FILE *to, const char *line, size_t len)
{
	fputs("ashlar:   ", to);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] >= ' ' && line[i] != 0x7f)
			fputc(line[i], to);
	fputc('\n', to);
}

static void file_tail(const struct standing *s, const char *node, const char *suffix)
{
	char text[TAIL_BYTES + 1];
	int fd = file_open(s, node, suffix);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t n = fd < 0 ? 0 : pread(fd, text, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
	const char *line;
	int lines = 0;

	if (fd >= 0)
		close(fd);
	n = n > 0 ? n : 0;
	text[n] = 0;
	/* The end of process 1 is a panic; what it said before it is the news, not where the kernel was. */
	line = strstr(text, "Kernel panic");
	if (line)
		n = line + strcspn(line, "\n") - text;
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	text[n] = 0;
	for (line = text + n; line > text; line--)
		if (line[-1] == '\n' && ++lines == TAIL_LINES)
			break;
	while (line < text + n) {
		size_t len = strnlen(line, (size_t)(text + n - line)), eol = strcspn(line, "\n");

		line_print(stderr, line, eol < len ? eol : len);
		line += eol + 1;
	}
}

void console_tail(const struct standing *s, const char *node)
{
	file_tail(s, node, ".console");
	file_tail(s, node, ".log"); /* where QEMU itself has a complaint */
}

int vm_console(const char *name, const char *node, bool follow)
{
	static struct plan plan;
	struct standing s;
	char buf[8192];
	int fd, err = rack_look(name, &s, &plan);

	if (err || !plan_node(&plan, node))
		return EXIT_ASHLAR;
	fd = file_open(&s, node, ".console");
	if (fd < 0)
		return cli_error("%s has no console: %s", node, strerror(errno));
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n > 0 && fwrite(buf, 1, (size_t)n, stdout) == (size_t)n)
			continue;
		if (fflush(stdout) || n < 0 || !follow || !part_alive(&s, node))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = FOLLOW_MS * (long)NS_PER_MS }, NULL);
	}
	close(fd);
	return 0;
}
