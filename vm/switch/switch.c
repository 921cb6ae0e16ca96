/* See switch.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "vm/switch/switch.h"
#include "vm/switch/table.h"

#define ETHERNET_HEADER 14
#define BURST 32 /* frames of one port, then the others have their turn */
#define BUFFER_BYTES (1 << 20)

struct queued {
	uint32_t bytes;
	uint8_t frame[];
};

struct port {
	const char *name;
	int rx, tx; /* tx: connected while the machine is there, so that its room can be waited for */
	bool connected;
	struct queued *queue[SWITCH_QUEUE_FRAMES];
	unsigned first, n;
};

struct vm_switch {
	struct port port[SWITCH_PORTS_MAX];
	unsigned n;
	struct mac_table table;
	struct switch_count *count;
};

static struct sockaddr_un address(const char *name, const char *suffix)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%.*s.%s", (int)NAME_BYTES, name, suffix);
	return a;
}

/* A machine that is started anew has a new socket of the same name. */
static bool port_connect(struct port *p)
{
	struct sockaddr_un a = address(p->name, "net");

	p->connected = connect(p->tx, (struct sockaddr *)&a, sizeof(a)) == 0;
	return p->connected;
}

/* 0; -EAGAIN: later; others: it is lost. */
static int frame_send(struct vm_switch *s, struct port *p, const void *frame, size_t bytes)
{
	struct switch_count *c = &s->count[p - s->port];
	int err = ENOTCONN;

	for (int tries = 0; tries < 2; tries++) {
		if (!p->connected && !port_connect(p))
			break;
		if (send(p->tx, frame, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			c->frames_out++;
			c->bytes_out += bytes;
			return 0;
		}
		err = errno;
		if (err == EAGAIN || err == ENOBUFS)
			return -EAGAIN;
		p->connected = false;
	}
	c->lost++;
	return -err;
}

static void queue_empty(struct vm_switch *s, struct port *p)
{
	while (p->n) {
		struct queued *q = p->queue[p->first];

		if (frame_send(s, p, q->frame, q->bytes) == -EAGAIN)
			return;
		free(q);
		p->first = (p->first + 1) % SWITCH_QUEUE_FRAMES;
		p->n--;
	}
}

static void frame_out(struct vm_switch *s, struct port *p, const void *frame, size_t bytes)
{
	struct queued *q;

	if (!p->n && frame_send(s, p, frame, bytes) != -EAGAIN)
		return;
	q = p->n < SWITCH_QUEUE_FRAMES ? malloc(sizeof(*q) + bytes) : NULL;
	if (!q) {
		s->count[p - s->port].lost++;
		return;
	}
	q->bytes = (uint32_t)bytes;
	memcpy(q->frame, frame, bytes);
	p->queue[(p->first + p->n++) % SWITCH_QUEUE_FRAMES] = q;
}

static void frames_in(struct vm_switch *s, struct port *from)
{
	struct switch_count *c = &s->count[from - s->port];
	uint8_t frame[SWITCH_FRAME_MAX + 1];

	for (int i = 0; i < BURST; i++) {
		ssize_t n = recv(from->rx, frame, sizeof(frame), MSG_DONTWAIT);
		int to;

		if (n < 0)
			return;
		if (n < ETHERNET_HEADER || n > (ssize_t)SWITCH_FRAME_MAX)
			continue;
		c->frames_in++;
		c->bytes_in += (uint64_t)n;
		mac_learn(&s->table, frame + MAC_BYTES, (unsigned)(from - s->port));
		to = mac_find(&s->table, frame);
		if (to >= 0 && &s->port[to] != from)
			frame_out(s, &s->port[to], frame, (size_t)n);
		for (unsigned j = 0; to < 0 && j < s->n; j++)
			if (&s->port[j] != from)
				frame_out(s, &s->port[j], frame, (size_t)n);
	}
}

static int port_open(struct port *p, const char *name)
{
	struct sockaddr_un a = address(name, "sw");
	int bytes = BUFFER_BYTES;

	p->name = name;
	p->rx = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	p->tx = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->rx < 0 || p->tx < 0 || (unlink(a.sun_path) && errno != ENOENT) ||
	    bind(p->rx, (struct sockaddr *)&a, sizeof(a)))
		return -errno;
	setsockopt(p->tx, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

static int count_open(struct vm_switch *s)
{
	int fd = open(SWITCH_COUNT_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t bytes = SWITCH_PORTS_MAX * sizeof(*s->count);
	int err = fd < 0 || ftruncate(fd, (off_t)bytes) ? -errno : 0;

	s->count = err ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!err && s->count == MAP_FAILED)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* Whether the one who started us has gone before all was up. */
static bool lifeline_cut(int *fd)
{
	char byte;

	if (read(*fd, &byte, 1) != 1)
		return true;
	close(*fd);
	*fd = -1;
	return false;
}

int switch_run(const char (*names)[NAME_BYTES], unsigned n, int lifeline)
{
	static struct pollfd fds[2 * SWITCH_PORTS_MAX + 1];
	static struct vm_switch s;
	int err = count_open(&s);

	for (s.n = 0; !err && s.n < n; s.n++)
		err = port_open(&s.port[s.n], names[s.n]);
	while (!err) {
		for (unsigned i = 0; i < n; i++) {
			fds[2 * i] = (struct pollfd){ .fd = s.port[i].rx, .events = POLLIN };
			fds[2 * i + 1] = (struct pollfd){ .fd = s.port[i].n ? s.port[i].tx : -1, .events = POLLOUT };
		}
		fds[2 * n] = (struct pollfd){ .fd = lifeline, .events = POLLIN };
		if (poll(fds, 2 * n + 1, -1) < 0 && errno != EINTR)
			err = -errno;
		for (unsigned i = 0; !err && i < n; i++) {
			if (fds[2 * i + 1].revents)
				queue_empty(&s, &s.port[i]);
			if (fds[2 * i].revents)
				frames_in(&s, &s.port[i]);
		}
		if (fds[2 * n].revents && lifeline_cut(&lifeline))
			return 0;
	}
	return err;
}
