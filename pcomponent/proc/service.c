/* The service thread (service.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/net.h"
#include "ashlar/rpc.h"
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/proc/core_door.h"
#include "pcomponent/proc/join.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/resize.h"
#include "pcomponent/proc/service.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/vm/kept.h"
#include "pcomponent/vm/vm.h"

#define SERVICE_STACK_BYTES (64UL << 10)
#define DAEMON_FIRST_MS 20
#define GONE (POLLRDHUP | POLLHUP | POLLERR)
#define REPORT_MS 250u	     /* between two reports while there is something new to tell */
#define READ_BEHIND_MS 1000u /* a program that lives so long is read in whole, if it fits */
#define REPORT_IDLE_MS 1000u /* looking for something new while there is not, and for the end of memory components */

/* The node daemon, the resizer, whoever has more to watch, who asks for a core file, the keeper of shared memory, then the memory components. */
enum { WATCH_DAEMON, WATCH_RESIZER, WATCH_AGAIN, WATCH_CORE, WATCH_KEEPER, WATCH_MEMORY };
static struct pollfd watched[PROCESS_MEMORY_MAX + WATCH_MEMORY];
static unsigned watched_n;
static const char *daemon_label;
static struct net *service_net;
static struct rpc *daemon_rpc;
static uint32_t service_pid;
static struct rpc_request *resizing; /* the budget that is being carried out */
static struct d2p_report_req reported;
static const struct rpc_answer *hello; /* NULL: it is known */
static pthread_mutex_t daemon_lock;    /* daemon_rpc, resizing and hello: a thread that forks asks the daemon itself */
static int again_fd = -1; /* eventfd: there is another connection to watch; -1: the thread is not there yet */

/* With the daemon everything ends; memory components that let the process go for that are not the news. */
static void daemon_first(void)
{
	struct pollfd d = { .fd = watched[WATCH_DAEMON].fd, .events = POLLRDHUP };

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

/* ---- the budget ---- */

static int budget(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct d2p_budget_req *req = body;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (resizing)
		return -EBUSY;
	if (req->excache_bytes % PAGE_BYTES || !req->excache_bytes)
		return -EINVAL;
	resizing = rq;
	resize_ask(req->excache_bytes);
	return RPC_LATER;
}

static const struct rpc_service service = { .handler = { [IDX_D2P_BUDGET] = budget } };

/* Under the lock. */
static void budget_look(void)
{
	struct d2p_budget_rep rep;
	int err;

	if (!resizing || !resize_done(&err))
		return;
	rep.resident_bytes = __atomic_load_n(&process_stats->resident_bytes, __ATOMIC_RELAXED);
	rpc_reply_later(resizing, err, &rep);
	resizing = NULL;
}

/* Tell the daemon what is used, when that has changed. A report that cannot be sent now is made at the next look. */
static bool report(void)
{
	const struct stats_page *s = process_stats;
	struct d2p_report_req req = { .resident_bytes = __atomic_load_n(&s->resident_bytes, __ATOMIC_RELAXED) };
	bool registered;

	excache_count_fabric();
	req.weight_bytes = vm_weight(&registered);
	req.registered = registered;
	req.faults = __atomic_load_n(&s->misses, __ATOMIC_RELAXED) + __atomic_load_n(&s->zero_fills, __ATOMIC_RELAXED);
	if (!memcmp(&req, &reported, sizeof(req)))
		return false;
	pthread_mutex_lock(&daemon_lock);
	if (!rpc_post_sync(daemon_rpc, D2P_REPORT, service_pid, 0, &req, NULL, 0))
		reported = req;
	pthread_mutex_unlock(&daemon_lock);
	return true;
}

/* Under the lock: has the daemon taken us? Whoever reads from it may meet its answer. */
static void hello_look(void)
{
	if (!hello || hello->err == RPC_LATER)
		return;
	if (hello->err)
		join_refused(hello->err);
	hello = NULL;
}

long service_call(enum msg_id id, const void *req, void *rep, void *rep_tail, uint32_t *rep_tail_bytes)
{
	long err;

	pthread_mutex_lock(&daemon_lock);
	err = rpc_call_sync(daemon_rpc, id, service_pid, 0, req, NULL, 0, RPC_DEADLINE_MS, rep, rep_tail,
			    rep_tail_bytes);
	hello_look();
	pthread_mutex_unlock(&daemon_lock);
	return err;
}

/* ---- the thread ---- */

static void memory_watch(void)
{
	int fds[PROCESS_MEMORY_MAX];
	unsigned n = excache_watch_fds(fds, PROCESS_MEMORY_MAX);

	watched[WATCH_KEEPER] = (struct pollfd){ .fd = kept_fd(), .events = POLLRDHUP };
	watched_n = WATCH_MEMORY;
	for (unsigned i = 0; i < n; i++)
		watched[watched_n++] = (struct pollfd){ .fd = fds[i], .events = POLLRDHUP };
}

void service_watch_again(void)
{
	uint64_t one = 1;

	if (again_fd >= 0)
		(void)!write(again_fd, &one, sizeof(one));
}

/* What the daemon sent, and what is to be told to it; an error: it is gone. */
static int daemon_look(void)
{
	int err;

	pthread_mutex_lock(&daemon_lock);
	err = rpc_sync_step(daemon_rpc);
	hello_look();
	if (!err)
		budget_look();
	pthread_mutex_unlock(&daemon_lock);
	return err;
}

static void service_look(void)
{
	bool gone = false;
	uint64_t count;
	unsigned i;

	for (i = 0; i < watched_n; i++)
		gone |= i != WATCH_RESIZER && i != WATCH_AGAIN && i != WATCH_CORE && (watched[i].revents & GONE);
	if (daemon_look() || gone)
		daemon_first();
	if (watched[WATCH_KEEPER].revents & GONE)
		kept_gone();
	core_door_done();
	if (watched[WATCH_CORE].revents & POLLIN)
		core_door_look();
	watched[WATCH_CORE].events = core_door_busy() ? 0 : POLLIN;
	for (i = WATCH_MEMORY; i < watched_n; i++) {
		if (!(watched[i].revents & GONE))
			continue;
		excache_watch_dead(watched[i].fd);
		watched[i].fd = -1; /* poll passes over it */
	}
	if ((watched[WATCH_AGAIN].revents & POLLIN) && read(again_fd, &count, sizeof(count)) > 0)
		memory_watch();
}

/* The threads of the dispatcher take no signal: the caller blocks them all. */
static int thread_begin(void *(*fn)(void *))
{
	pthread_attr_t attr;
	pthread_t id;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, SERVICE_STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&id, &attr, fn, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static void *locks_main(void *arg)
{
	fs_locks_restore();
	return arg;
}

/* Another process may take what is locked here as soon as the storage component is there again. */
static void locks_look(void)
{
	if (fs_locks_lost())
		thread_begin(locks_main); /* if not now, at the next look */
}

static void *service_main(void *arg)
{
	uint64_t begin = clock_ns(), due = begin + REPORT_MS * NS_PER_MS;
	bool behind = false;
	int n;

	(void)arg;
	for (;;) {
		uint64_t now = clock_ns();

		if (now >= due) {
			excache_watch_look();
			locks_look();
			if (!behind && (behind = now - begin >= READ_BEHIND_MS * NS_PER_MS))
				resize_read_ask();
			due = now + (report() ? REPORT_MS : REPORT_IDLE_MS) * NS_PER_MS;
		}
		n = poll(watched, watched_n, due > now ? (int)((due - now) / NS_PER_MS) + 1 : 0);
		if (n < 0 && errno != EINTR)
			return NULL;
		if (n > 0)
			service_look();
	}
}

void service_forked(void)
{
	again_fd = -1;
	watched_n = 0;
}

static int threads_begin(void)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = resize_open();
	if (!err) {
		watched[WATCH_RESIZER] = (struct pollfd){ .fd = resize_fd(), .events = POLLIN };
		err = thread_begin(service_main);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int service_open(struct net *net, struct rpc *daemon, uint32_t pid, const char *daemon_name,
		 const struct rpc_answer *answer)
{
	/* In the child of a fork all of it is the parent's. */
	pthread_mutex_init(&daemon_lock, NULL);
	resizing = NULL;
	memset(&reported, 0, sizeof(reported));
	daemon_label = daemon_name;
	service_net = net;
	daemon_rpc = daemon;
	hello = answer;
	service_pid = pid;
	rpc_sync_serve(daemon, &service, NULL);
	again_fd = proc_fd_raise(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (again_fd < 0)
		return again_fd;
	watched[WATCH_DAEMON] = (struct pollfd){ .fd = net_conn_fd(rpc_conn(daemon)), .events = POLLIN | POLLRDHUP };
	watched[WATCH_AGAIN] = (struct pollfd){ .fd = again_fd, .events = POLLIN };
	watched[WATCH_CORE] = (struct pollfd){ .fd = core_door_open(pid), .events = POLLIN };
	memory_watch();
	return threads_begin();
}
