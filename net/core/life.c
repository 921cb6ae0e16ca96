/* What providers with descriptors and threads share: see life.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "net/core/life.h"

int net_fd_raise(int fd, int floor)
{
	int up;

	if (fd < 0 || fd >= floor)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, floor);
	if (up < 0)
		up = -errno;
	close(fd);
	return up;
}

struct net_life *net_life_new(int fd_floor)
{
	struct net_life *life = calloc(1, sizeof(*life));

	if (!life)
		return NULL;
	life->refs = 1;
	life->event_fd = net_fd_raise(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd_floor);
	if (life->event_fd >= 0)
		return life;
	free(life);
	return NULL;
}

struct net_life *net_life_get(struct net_life *life)
{
	__atomic_fetch_add(&life->refs, 1, __ATOMIC_RELAXED);
	return life;
}

void net_life_put(struct net_life *life)
{
	if (__atomic_sub_fetch(&life->refs, 1, __ATOMIC_ACQ_REL))
		return;
	close(life->event_fd);
	free(life);
}

void net_life_kill(struct net_life *life)
{
	const uint64_t one = 1;
	int saved = errno;

	if (!__atomic_exchange_n(&life->dead, true, __ATOMIC_ACQ_REL))
		(void)!write(life->event_fd, &one, sizeof(one));
	errno = saved;
}

int net_poll_until(struct pollfd *p, unsigned n, uint64_t deadline_ns)
{
	uint64_t now = clock_ns(), left = now < deadline_ns ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	int got = ppoll(p, n, &ts, NULL);

	if (got < 0)
		return -errno;
	return got ? 0 : -ETIMEDOUT;
}

int net_random(uint64_t *words, unsigned n)
{
	ssize_t bytes = (ssize_t)(n * sizeof(*words));

	return getrandom(words, (size_t)bytes, 0) == bytes ? 0 : -EIO;
}
