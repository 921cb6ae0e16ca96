/* Ending parts of a standing rack: asked to by SIGTERM, killed when they do not. */
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "cli/standing.h"

#define STOP_MS 5000u

/* Wait until all have ended (their descriptor is then -1) or the time is over; how many are left. */
static unsigned wait_ended(struct pollfd *fds, unsigned n, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_ns();
		unsigned left = 0;

		for (unsigned i = 0; i < n; i++)
			left += fds[i].fd >= 0;
		if (!left || now >= deadline)
			return left;
		if (poll(fds, n, (int)((deadline - now) / NS_PER_MS) + 1) <= 0)
			continue;
		for (unsigned i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			waitid(P_PIDFD, (id_t)fds[i].fd, NULL, WEXITED | WNOHANG); /* if it is our child */
			close(fds[i].fd);
			fds[i].fd = -1;
		}
	}
}

void parts_stop(const struct standing *s, const char *const *names, const pid_t *children, unsigned n)
{
	struct pollfd fds[STANDING_PARTS_MAX];

	for (unsigned i = 0; i < n; i++) {
		int fd = children ? pidfd_open(children[i], 0) : pid_file_open(s, names[i]);

		fds[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
		if (fds[i].fd < 0)
			continue;
		pidfd_send_signal(fds[i].fd, SIGTERM, NULL, 0);
		pidfd_send_signal(fds[i].fd, SIGCONT, NULL, 0);
	}
	if (wait_ended(fds, n, clock_ns() + STOP_MS * NS_PER_MS)) {
		for (unsigned i = 0; i < n; i++)
			if (fds[i].fd >= 0) {
				cli_error("%s does not end, and is killed", names[i]);
				pidfd_send_signal(fds[i].fd, SIGKILL, NULL, 0);
			}
		wait_ended(fds, n, clock_ns() + STOP_MS * NS_PER_MS);
	}
	for (unsigned i = 0; i < n; i++)
		pid_file_remove(s, names[i]);
}
