/*
 * A recorder of real traffic, preloaded into the monitors of a rack (tests/fuzz/record.sh): every message that a
 * monitor gets or sends over the fabric `local` is appended to the file $ASHLAR_RECORD as one struct corpus_entry and
 * its bytes. The frame in front of it is left away, and with it all keys.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/local/local.h"
#include "tests/fuzz/corpus.h"

static int out = -1;
static uint8_t monitor;

static void out_open(void)
{
	static const char *const names[] = CORPUS_MONITORS;
	const char *path = getenv("ASHLAR_RECORD");

	if (out >= 0 || !path)
		return;
	for (uint8_t i = 0; i < CORPUS_MONITOR_COUNT; i++)
		if (strcmp(program_invocation_short_name, names[i]) == 0)
			monitor = i;
	out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* iov: the frame, the message. n: bytes of both. */
static void record(const struct msghdr *m, ssize_t n, bool sent)
{
	static uint8_t buf[sizeof(struct corpus_entry) + MSG_BYTES_MAX];
	const struct local_frame *f = m->msg_iov[0].iov_base;
	struct corpus_entry e = { .monitor = monitor, .sent = sent };

	if (n <= (ssize_t)sizeof(*f) || m->msg_iov[0].iov_len != sizeof(*f) || f->kind != LOCAL_MESSAGE)
		return;
	e.bytes = (uint16_t)(n - (ssize_t)sizeof(*f));
	out_open();
	memcpy(buf, &e, sizeof(e));
	memcpy(buf + sizeof(e), m->msg_iov[1].iov_base, e.bytes);
	if (out >= 0)
		(void)!write(out, buf, sizeof(e) + e.bytes);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t (*real)(int, struct msghdr *, int) = (__typeof__(real))dlsym(RTLD_NEXT, "recvmsg");
	ssize_t n = real(fd, m, flags);

	if (n > 0 && m->msg_iovlen == 2)
		record(m, n, false);
	return n;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t (*real)(int, const struct msghdr *, int) = (__typeof__(real))dlsym(RTLD_NEXT, "sendmsg");
	ssize_t n = real(fd, m, flags);

	if (n > 0 && m->msg_iovlen == 2)
		record(m, n, true);
	return n;
}
