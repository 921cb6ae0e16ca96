/* Frames of a port: in, checked and handed on; out. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "vm/guest/agent.h"

bool port_room(const struct port *p)
{
	return sizeof(p->tx) - p->n_tx >= sizeof(struct vm_frame) + VM_PAYLOAD_MAX;
}

void port_send(struct port *p, enum vm_frame_type type, const void *payload, uint32_t bytes)
{
	struct vm_frame f = { type, bytes };

	memcpy(p->tx + p->n_tx, &f, sizeof(f));
	if (bytes)
		memcpy(p->tx + p->n_tx + sizeof(f), payload, bytes);
	p->n_tx += sizeof(f) + bytes;
}

static bool tx_step(struct port *p)
{
	ssize_t n = p->n_tx ? write(p->fd, p->tx, p->n_tx) : 0;

	if (n <= 0)
		return false;
	p->connected = true;
	p->n_tx -= (size_t)n;
	memmove(p->tx, p->tx + n, p->n_tx);
	return true;
}

static void session_end(struct port *p)
{
	job_end(&p->job);
	p->greeted = p->connected = false;
	p->n_rx = p->n_tx = 0;
}

static int hello(struct port *p, const struct vm_hello *h)
{
	struct vm_hello back = *h;

	if (h->magic != VM_MAGIC)
		return -EPROTO;
	session_end(p);
	p->greeted = true;
	port_send(p, VM_HELLO, &back, sizeof(back));
	return 0;
}

static int start(struct port *p, const struct vm_start *s)
{
	struct vm_number reply = { 0 };
	int err;

	if (p->job.pid || !port_room(p))
		return -EPROTO;
	err = job_start(&p->job, s);
	reply.value = (uint32_t)-err;
	port_send(p, VM_STARTED, &reply, sizeof(reply));
	return 0;
}

/* 0; -EPROTO: no peer of ours says that. payload is not aligned. */
static int frame_take(struct port *p, const struct vm_frame *f, const char *payload)
{
	union {
		struct vm_hello hello;
		struct vm_start start;
		struct vm_number number;
		struct window window;
	} u;
	static const uint32_t bytes_of[] = {
		[VM_HELLO] = sizeof(u.hello),
		[VM_START] = sizeof(u.start),
		[VM_SIGNAL] = sizeof(u.number),
		[VM_WINDOW] = sizeof(u.window),
	};
	bool known = f->type < sizeof(bytes_of) / sizeof(bytes_of[0]);

	if (!p->greeted && f->type != VM_HELLO)
		return -EPROTO;
	if (f->type == VM_WORDS)
		return job_words(&p->job, payload, f->bytes);
	if (f->type == VM_INPUT)
		return job_input(&p->job, payload, f->bytes);
	if (!known || !bytes_of[f->type] || f->bytes != bytes_of[f->type])
		return -EPROTO;
	memcpy(&u, payload, f->bytes);
	switch (f->type) {
	case VM_HELLO:
		return hello(p, &u.hello);
	case VM_START:
		return start(p, &u.start);
	case VM_SIGNAL:
		job_signal(&p->job, u.number.value);
		return 0;
	default: /* VM_WINDOW */
		job_window(&p->job, &u.window);
		return 0;
	}
}

/* The first whole frame, if there is one. */
static bool frame_step(struct port *p)
{
	char payload[VM_PAYLOAD_MAX];
	struct vm_frame f;

	if (p->n_rx < sizeof(f))
		return false;
	memcpy(&f, p->rx, sizeof(f));
	if (f.bytes > VM_PAYLOAD_MAX) {
		p->deaf = true;
		return true;
	}
	if (p->n_rx < sizeof(f) + f.bytes || !port_room(p))
		return false;
	memcpy(payload, p->rx + sizeof(f), f.bytes);
	p->n_rx -= sizeof(f) + f.bytes;
	memmove(p->rx, p->rx + sizeof(f) + f.bytes, p->n_rx);
	if (frame_take(p, &f, payload))
		p->deaf = true;
	return true;
}

static bool rx_step(struct port *p)
{
	ssize_t n;

	if (p->deaf) {
		session_end(p);
		n = read(p->fd, p->rx, sizeof(p->rx)); /* thrown away */
	} else if (p->n_rx == sizeof(p->rx)) {
		return false; /* its frame waits for room */
	} else {
		n = read(p->fd, p->rx + p->n_rx, sizeof(p->rx) - p->n_rx);
	}
	if (n > 0 && !p->deaf)
		p->n_rx += (size_t)n;
	if (n < 0 && errno == EAGAIN)
		p->connected = true;
	if (n == 0) { /* nobody is at the host's end, or the kernel has not heard of him yet, as he came just now */
		p->deaf = false;
		if (p->connected)
			session_end(p);
	}
	return n > 0;
}

bool port_step(struct port *p)
{
	bool went_on = tx_step(p);

	went_on |= rx_step(p);
	while (!p->deaf && frame_step(p))
		went_on = true;
	went_on |= job_step(p);
	return went_on;
}
