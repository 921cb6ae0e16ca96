/* A session with the agent of a machine (vm/wire.h): our end of the frames. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "cli/terminal.h"
#include "vm/host/host.h"
#include "vm/wire.h"

#define RX_BYTES (4 * (sizeof(struct vm_frame) + VM_PAYLOAD_MAX))
#define TX_BYTES (START_WORDS_MAX + START_WORDS_MAX / VM_PAYLOAD_MAX * sizeof(struct vm_frame) + 65536)

/* A port that no other command has. */
static int port_take(struct session *s, const struct standing *rack, const char *node)
{
	char name[NAME_BYTES + 16];

	for (unsigned i = 1; i <= VM_PORTS; i++) {
		snprintf(name, sizeof(name), "%s.a%u.lock", node, i);
		s->lock_fd = openat(rack->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) {
			snprintf(name, sizeof(name), ".a%u", i);
			s->fd = rack_connect(rack, node, name);
			if (s->fd >= 0)
				return fcntl(s->fd, F_SETFL, O_NONBLOCK) ? -errno : 0;
			close(s->lock_fd);
			s->lock_fd = -1;
			return s->fd;
		}
		if (s->lock_fd >= 0)
			close(s->lock_fd);
		s->lock_fd = -1;
	}
	return -EBUSY;
}

int session_send(struct session *s, uint32_t type, const void *payload, uint32_t bytes)
{
	struct vm_frame f = { type, bytes };

	if (s->n_tx + sizeof(f) + bytes > TX_BYTES)
		return -ENOBUFS;
	memcpy(s->tx + s->n_tx, &f, sizeof(f));
	if (bytes)
		memcpy(s->tx + s->n_tx + sizeof(f), payload, bytes);
	s->n_tx += sizeof(f) + bytes;
	return 0;
}

int session_flush(struct session *s)
{
	while (s->n_tx) {
		ssize_t n = write(s->fd, s->tx, s->n_tx);

		if (n < 0)
			return errno == EAGAIN ? 0 : -EPIPE;
		s->n_tx -= (size_t)n;
		memmove(s->tx, s->tx + n, s->n_tx);
	}
	return 0;
}

int session_fill(struct session *s)
{
	ssize_t n;

	if (s->n_rx == RX_BYTES)
		return 0;
	n = read(s->fd, s->rx + s->n_rx, RX_BYTES - s->n_rx);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -EPIPE;
	s->n_rx += (size_t)n;
	return 0;
}

int session_frame(struct session *s, struct vm_frame *f, const char **payload)
{
	static char kept[VM_PAYLOAD_MAX];

	if (s->n_rx < sizeof(*f))
		return 0;
	memcpy(f, s->rx, sizeof(*f));
	if (f->bytes > VM_PAYLOAD_MAX)
		return -EPROTO;
	if (s->n_rx < sizeof(*f) + f->bytes)
		return 0;
	memcpy(kept, s->rx + sizeof(*f), f->bytes);
	s->n_rx -= sizeof(*f) + f->bytes;
	memmove(s->rx, s->rx + sizeof(*f) + f->bytes, s->n_rx);
	*payload = kept;
	return 1;
}

/* Wait for the next frame. 1; -EAGAIN: the time is over; other -errno. */
static int frame_wait(struct session *s, struct vm_frame *f, const char **payload, uint64_t deadline)
{
	for (;;) {
		struct pollfd fd = { .fd = s->fd, .events = s->n_tx ? POLLIN | POLLOUT : POLLIN };
		int ret = session_frame(s, f, payload);
		uint64_t now = clock_ns();

		if (ret)
			return ret;
		if (now >= deadline)
			return -EAGAIN;
		if (poll(&fd, 1, (int)((deadline - now) / NS_PER_MS) + 1) < 0 && errno != EINTR)
			return -errno;
		if (!fd.revents)
			continue;
		ret = session_flush(s);
		ret = ret ? ret : session_fill(s);
		if (ret)
			return ret;
	}
}

int session_open(struct session *s, const struct standing *rack, const char *node, int timeout_ms)
{
	uint64_t deadline = clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	struct vm_hello hello = { .magic = VM_MAGIC };
	const char *payload;
	struct vm_frame f;
	int err;

	*s = (struct session){ .fd = -1, .lock_fd = -1, .rx = malloc(RX_BYTES), .tx = malloc(TX_BYTES) };
	err = s->rx && s->tx ? port_take(s, rack, node) : -ENOMEM;
	if (!err && getrandom(&hello.nonce, sizeof(hello.nonce), 0) != sizeof(hello.nonce))
		err = -EIO;
	if (!err)
		err = session_send(s, VM_HELLO, &hello, sizeof(hello));
	/* What comes before our own hello is an earlier session's. */
	while (!err) {
		int ret = frame_wait(s, &f, &payload, deadline);

		if (ret < 0)
			err = ret;
		else if (f.type == VM_HELLO && f.bytes == sizeof(hello) && memcmp(payload, &hello, sizeof(hello)) == 0)
			return 0;
	}
	session_close(s);
	return err;
}

void session_close(struct session *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->rx);
	free(s->tx);
	*s = (struct session){ .fd = -1, .lock_fd = -1 };
}

/* ---- start ---- */

struct words {
	struct session *s;
	uint32_t n;
	size_t total;
	int err;
	char piece[VM_PAYLOAD_MAX];
};

static void words_push(struct words *w)
{
	if (!w->err && w->n)
		w->err = session_send(w->s, VM_WORDS, w->piece, w->n);
	w->n = 0;
}

static void word_add(struct words *w, const char *word)
{
	size_t left = strlen(word) + 1;

	w->total += left;
	if (w->total > START_WORDS_MAX)
		w->err = -E2BIG;
	while (left && !w->err) {
		size_t n = sizeof(w->piece) - w->n < left ? sizeof(w->piece) - w->n : left;

		memcpy(w->piece + w->n, word, n);
		w->n += (uint32_t)n;
		word += n;
		left -= n;
		if (w->n == sizeof(w->piece))
			words_push(w);
	}
}

static uint64_t signals_ignored(void)
{
	uint64_t set = 0;

	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction a;

		if (!sigaction(sig, NULL, &a) && a.sa_handler == SIG_IGN)
			set |= 1ULL << (sig - 1);
	}
	return set;
}

int session_start(struct session *s, const struct session_start *start)
{
	struct vm_start req = { .uid = start->uid, .gid = start->gid };
	struct words w = { .s = s };

	for (char **a = start->argv; *a; a++, req.req.argc++)
		word_add(&w, *a);
	for (char **e = start->envp; *e; e++, req.req.envc++)
		word_add(&w, *e);
	word_add(&w, start->cwd);
	words_push(&w);
	if (w.err)
		return w.err;
	if (start->terminal)
		terminal_describe(&req.req);
	req.flags = start->folder ? VM_START_FOLDER : 0;
	req.req.signals_ignored = signals_ignored();
	req.req.umask = umask(0);
	umask((mode_t)req.req.umask);
	return session_send(s, VM_START, &req, sizeof(req));
}

/* ---- a command whose output is for us ---- */

static int capture(struct session *s, char *out, size_t bytes, uint64_t deadline)
{
	size_t n = 0;

	for (;;) {
		const char *payload;
		struct vm_number number;
		struct vm_frame f;
		int ret = frame_wait(s, &f, &payload, deadline);

		if (ret < 0)
			return ret;
		if (f.type == VM_OUTPUT) {
			size_t take = f.bytes < bytes - 1 - n ? f.bytes : bytes - 1 - n;

			memcpy(out + n, payload, take);
			n += take;
			out[n] = 0;
		}
		if (f.bytes != sizeof(number))
			continue;
		memcpy(&number, payload, sizeof(number));
		if (f.type == VM_STARTED && number.value)
			return -(int)(number.value & 0xfff);
		if (f.type == VM_ENDED)
			return WIFEXITED((int)number.value) ? WEXITSTATUS((int)number.value) : EXIT_ASHLAR;
	}
}

int session_capture(const struct standing *rack, const char *node, char **argv, char *out, size_t bytes, int timeout_ms)
{
	uint64_t deadline = clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	static char *envp[] = { (char *)"PATH=/ashlar/bin:/bin", NULL };
	struct session_start start = { .argv = argv, .envp = envp, .cwd = "/" };
	struct session s;
	int ret = session_open(&s, rack, node, timeout_ms);

	out[0] = 0;
	if (ret)
		return ret;
	ret = session_start(&s, &start);
	if (!ret)
		ret = session_send(&s, VM_INPUT, NULL, 0);
	if (!ret)
		ret = capture(&s, out, bytes, deadline);
	session_close(&s);
	return ret;
}
