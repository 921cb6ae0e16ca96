/* The terminal of a program that the daemon started. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "pcomponent/daemon/start.h"

void pty_window(int fd, const struct window *w)
{
	struct winsize size = {
		.ws_row = w->rows, .ws_col = w->columns, .ws_xpixel = w->xpixel, .ws_ypixel = w->ypixel
	};

	(void)ioctl(fd, TIOCSWINSZ, &size);
}

static int modes_set(int fd, const struct d2p_start_req *req)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return -errno;
	t.c_iflag = req->iflag;
	t.c_oflag = req->oflag;
	t.c_lflag = req->lflag;
	/* Of the line's own settings none concerns a pseudo-terminal; eight bits are as good as any. */
	t.c_cflag = (req->cflag & ~(tcflag_t)(CSIZE | CBAUD | CIBAUD)) | CS8 | CREAD | (t.c_cflag & CBAUD);
	_Static_assert(NCCS <= sizeof(req->cc), "control characters");
	memcpy(t.c_cc, req->cc, NCCS);
	return tcsetattr(fd, TCSANOW, &t) ? -errno : 0;
}

int pty_open(const struct d2p_start_req *req, int *ours, int *theirs)
{
	int err;

	*theirs = -1;
	*ours = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*ours < 0)
		return -errno;
	if (unlockpt(*ours) || (*theirs = ioctl(*ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
		err = -errno;
	else
		err = modes_set(*theirs, req);
	if (err) {
		close(*ours);
		if (*theirs >= 0)
			close(*theirs);
		return err;
	}
	pty_window(*ours, &req->window);
	return 0;
}
