/* The service thread (service.h). */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/net.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/sys/dispatch.h"

#define SERVICE_STACK_BYTES (64UL << 10)
#define DAEMON_FIRST_MS 20
#define GONE (POLLRDHUP | POLLHUP | POLLERR)

static struct pollfd watched[PROCESS_MEMORY_MAX + 1];
static unsigned watched_n;
static const char *daemon_label;
static struct net *service_net;

/* With the daemon everything ends; memory components that let the process go for that are not the news. */
static void daemon_first(void)
{
	struct pollfd d = watched[0];

	if (poll(&d, 1, DAEMON_FIRST_MS) > 0 && (d.revents & GONE))
		proc_fail(125, "processor component %s is gone: the program ends", daemon_label);
}

void service_memory_message(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (watched_n > 0)
		daemon_first();
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sys_message("%s", line);
}

static void *service_main(void *arg)
{
	unsigned i;

	(void)arg;
	for (;;) {
		if (poll(watched, watched_n, -1) < 0 && errno != EINTR)
			return NULL;
		daemon_first();
		for (i = 1; i < watched_n; i++) {
			if (!(watched[i].revents & GONE))
				continue;
			excache_watch_dead(watched[i].fd);
			watched[i].fd = -1; /* poll passes over it */
		}
	}
}

int service_open(struct net *net, int daemon_fd, const char *daemon_name)
{
	int fds[PROCESS_MEMORY_MAX];
	unsigned i, n = excache_watch_fds(fds, PROCESS_MEMORY_MAX);
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t id;
	int err;

	daemon_label = daemon_name;
	service_net = net;
	watched[watched_n++] = (struct pollfd){ .fd = daemon_fd, .events = POLLRDHUP };
	for (i = 0; i < n; i++)
		watched[watched_n++] = (struct pollfd){ .fd = fds[i], .events = POLLRDHUP };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, SERVICE_STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&id, &attr, service_main, NULL);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

void service_stats(void)
{
	const struct net_stats *n = service_net ? net_stats(service_net) : NULL;

	if (!n)
		return;
	STAT_SET(process_stats->reads, n->reads);
	STAT_SET(process_stats->read_bytes, n->read_bytes);
	STAT_SET(process_stats->writes, n->writes);
	STAT_SET(process_stats->write_bytes, n->write_bytes);
	STAT_SET(process_stats->messages, n->msgs_tx);
}
