/* The agent's process: opens the ports, waits for edges. See agent.h. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "vm/guest/agent.h"

#define STEPS_MAX 64 /* of one port, then the others have their turn */

static int epoll_fd;

int agent_watch(int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

/* The first number in a port's name is that of its device, which depends on what else the machine has. */
static unsigned ports_open(struct port *port)
{
	unsigned n = 0;
	glob_t names;

	if (glob("/dev/vport*p*", 0, NULL, &names))
		return 0;
	for (size_t i = 0; i < names.gl_pathc && n < VM_PORTS; i++) {
		port[n].fd = open(names.gl_pathv[i], O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (port[n].fd < 0 || agent_watch(port[n].fd))
			fprintf(stderr, "agent: %s: %s\n", names.gl_pathv[i], strerror(errno));
		else
			job_init(&port[n++].job);
	}
	globfree(&names);
	return n;
}

int main(void)
{
	static struct port port[VM_PORTS];
	unsigned n;

	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	n = epoll_fd < 0 ? 0 : ports_open(port);
	while (n > 0) {
		struct epoll_event e[16];
		bool more = false;

		for (unsigned i = 0; i < n; i++) {
			int steps = 0;

			while (port_step(&port[i]) && ++steps < STEPS_MAX)
				;
			more |= steps == STEPS_MAX;
		}
		if (epoll_wait(epoll_fd, e, 16, more ? 0 : -1) < 0 && errno != EINTR)
			break;
	}
	fprintf(stderr, "agent: cannot go on: %s\n", strerror(errno));
	return 1;
}
