/* See terminal.h. */
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "cli/terminal.h"

static struct termios before;
static bool raw;

void terminal_window(struct window *w)
{
	struct winsize size = { 0 };

	(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	*w = (struct window){ size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel };
}

void terminal_describe(struct d2p_start_req *req)
{
	struct termios t;

	req->flags = 0;
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &t))
		return;
	req->flags = START_TERMINAL | (isatty(STDERR_FILENO) ? 0 : START_STDERR);
	req->iflag = t.c_iflag;
	req->oflag = t.c_oflag;
	req->cflag = t.c_cflag;
	req->lflag = t.c_lflag;
	memcpy(req->cc, t.c_cc, sizeof(t.c_cc));
	terminal_window(&req->window);
}

void terminal_raw(void)
{
	struct termios t;

	if (raw || tcgetattr(STDIN_FILENO, &before))
		return;
	t = before;
	cfmakeraw(&t);
	raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

void terminal_restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	raw = false;
}

bool escape_filter(struct escape *e, const char *typed, size_t n, char *out, size_t *n_out)
{
	*n_out = 0;
	for (size_t i = 0; i < n; i++) {
		char c = typed[i];

		if (e->held) {
			e->held = false;
			if (c == '.')
				return true;
			out[(*n_out)++] = '~';
			e->inside = true;
			if (c == '~')
				continue;
		} else if (c == '~' && !e->inside) {
			e->held = true;
			continue;
		}
		e->inside = c != '\r' && c != '\n';
		out[(*n_out)++] = c;
	}
	return false;
}
