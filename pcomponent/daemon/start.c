/* Programs that the daemon starts (start.h): from the words of the command to the end that it is told. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/launch.h"
#include "ashlar/relay.h"
#include "ashlar/stats.h"
#include "pcomponent/daemon/start.h"

/* ---- its end ---- */

/* Nothing runs any more, and nobody asks any more. */
static void start_free(struct dstart *s)
{
	list_del(&s->link);
	if (s->stats)
		munmap(s->stats, STATS_BYTES);
	free(s->sum);
	free(s->words);
	free(s);
}

static void streams_close(struct dstart *s)
{
	input_close(&s->in);
	output_close(&s->out);
	output_close(&s->err);
}

/* A program whose dispatcher never came has made nothing. */
static bool tree_is_over(const struct dstart *s)
{
	return s->ended && (!s->peer || !s->peer->process || !s->peer->process->begun);
}

/* Tell that something has ended to who waits for it. */
static void ended_look(struct dstart *s)
{
	struct d2p_wait_rep rep = { .wait_status = s->wait_status, .cpu_ns = s->cpu_ns };

	if (s->wait && s->ended) {
		rpc_reply_later(s->wait, 0, &rep);
		s->wait = NULL;
	}
	if (!tree_is_over(s))
		return;
	input_close(&s->in);
	if (s->wait_tree)
		rpc_reply_later(s->wait_tree, 0, &rep);
	s->wait_tree = NULL;
}

static uint64_t time_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_usec * 1000;
}

static void reap(struct dstart *s, int options)
{
	struct rusage use;

	if (wait4(s->child, &s->wait_status, options, &use) != s->child)
		return;
	s->ended = true;
	s->cpu_ns = time_ns(&use.ru_utime) + time_ns(&use.ru_stime);
	loop_fd_del(s->d->loop, s->child_fd);
	close(s->child_fd);
	s->child_fd = -1;
	ended_look(s);
	if (!s->peer)
		start_free(s);
}

static void child_ended(void *arg, uint32_t events)
{
	(void)events;
	reap(arg, WNOHANG);
}

bool start_is_child(struct daemon *d, pid_t pid)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &d->starts) {
		struct dstart *s = container_of(pos, struct dstart, link);

		if (s->started && !s->ended && s->child == pid)
			return true;
	}
	return false;
}

static void start_kill(struct dstart *s)
{
	if (s->started && !s->ended)
		pidfd_send_signal(s->child_fd, SIGKILL, NULL, 0);
}

void start_tree_over(struct dstart *s)
{
	start_kill(s);
	ended_look(s);
}

void start_hang_up(struct dstart *s)
{
	s->peer = NULL;
	streams_close(s);
	if (s->wait)
		rpc_reply_later(s->wait, -EPIPE, NULL);
	if (s->wait_tree)
		rpc_reply_later(s->wait_tree, -EPIPE, NULL);
	s->wait = s->wait_tree = NULL;
	if (!s->started || s->ended)
		start_free(s);
	else
		start_kill(s);
}

void starts_close(struct daemon *d)
{
	while (!list_empty(&d->starts)) {
		struct dstart *s = container_of(d->starts.next, struct dstart, link);

		if (s->peer)
			s->peer->start = NULL;
		start_hang_up(s);
		/* Killed: it is a matter of moments. */
		if (!list_empty(&d->starts) && container_of(d->starts.next, struct dstart, link) == s)
			reap(s, 0);
	}
}

/* ---- its beginning ---- */

static struct dpeer *peer_of(struct rpc_request *rq)
{
	return rpc_ctx(rpc_request_rpc(rq));
}

/* The command's program; NULL: it has announced no process. */
static struct dstart *start_of(struct rpc_request *rq)
{
	struct dpeer *peer = peer_of(rq);
	struct dprocess *p = peer->process;
	struct dstart *s = peer->start;

	if (s || !p || p->command != peer || !peer->d->dispatcher)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->d = peer->d;
	s->peer = peer;
	s->pid = p->pid;
	s->child_fd = -1;
	input_open(&s->in, s->d, -1, false);
	output_open(&s->out, s->d, -1);
	output_open(&s->err, s->d, -1);
	list_add_tail(&s->d->starts, &s->link);
	peer->start = s;
	return s;
}

int start_args(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep)
{
	const struct d2p_args_req *req = body;
	struct dstart *s = start_of(rq);
	char *words;

	(void)rep;
	if (!s)
		return -EACCES;
	if (s->started || req->reserved0 || req->off != s->n_words || !bytes)
		return -EINVAL;
	if (bytes > START_WORDS_MAX - s->n_words)
		return -E2BIG;
	words = realloc(s->words, s->n_words + bytes);
	if (!words)
		return -ENOMEM;
	memcpy(words + s->n_words, tail, bytes);
	s->words = words;
	s->n_words += bytes;
	return 0;
}

/* The words as strings: argc + envc of them and the folder, or -EINVAL. room: so many places stay free at the front. */
static int words_split(struct dstart *s, const struct d2p_start_req *req, struct dexec *e, size_t room)
{
	char *at = s->words, *end = s->words + s->n_words;
	size_t n = 0, total;

	if (!req->argc || req->argc > START_WORDS_MAX || req->envc > START_WORDS_MAX || !s->n_words || end[-1])
		return -EINVAL;
	total = (size_t)req->argc + req->envc + 1;
	e->argv = calloc(room + req->argc + 1, sizeof(char *));
	e->envp = calloc(req->envc + 1, sizeof(char *));
	if (!e->argv || !e->envp)
		return -ENOMEM;
	for (; at < end && n < total; at += strlen(at) + 1, n++) {
		if (n < req->argc)
			e->argv[room + n] = at;
		else if (n < total - 1)
			e->envp[n - req->argc] = at;
		else
			e->cwd = at;
	}
	if (n != total || at != end || e->cwd[0] != '/')
		return -EINVAL;
	e->argv[0] = (char *)"dispatcher";
	e->argv[2] = e->argv[room];
	return 0;
}

static int config_make(const struct dprocess *p, const struct d2p_start_req *req)
{
	struct daemon *d = p->d;
	struct launch_config c = {
		.magic = LAUNCH_MAGIC,
		.version = LAUNCH_VERSION,
		.flags = LAUNCH_FIRST,
		.bytes = sizeof(c),
		.cap = p->cap,
		.excache_bytes = p->promised_bytes ? p->promised_bytes : d->excache_bytes,
		.pid = p->pid,
		.log_level = req->log_level,
		.storage_wait_s = req->storage_wait_s,
	};
	int fd = memfd_create("ashlar-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	snprintf(c.daemon, sizeof(c.daemon), "%s", d->component ? component_addr(d->component) : "");
	snprintf(c.fabric, sizeof(c.fabric), "%s", net_fabric_name(d->net));
	if (d->relay)
		relay_address(c.daemon, c.relay);
	snprintf(c.hook, sizeof(c.hook), "%s", d->hook ? d->hook : "");
	snprintf(c.daemon_name, sizeof(c.daemon_name), "%s", d->component ? component_name(d->component) : "");
	if (fd >= 0 && write(fd, &c, sizeof(c)) != sizeof(c)) {
		close(fd);
		return -EIO;
	}
	return fd < 0 ? -errno : fd;
}

static int stats_make(struct dstart *s)
{
	int fd = memfd_create("ashlar-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, STATS_BYTES) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		s->stats = mmap(NULL, STATS_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (!s->stats || s->stats == MAP_FAILED) {
		s->stats = NULL;
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

/* Both ends, ours not waiting. */
static int pipe_make(int *ours, int *theirs, bool in)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*ours = ends[in ? 1 : 0];
	*theirs = ends[in ? 0 : 1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

/* ours: stdin, stdout, stderr as far as there are such. */
static int streams_make(struct dexec *e, int ours[3])
{
	int err;

	if (!(e->req->flags & START_TERMINAL)) {
		err = pipe_make(&ours[0], &e->fd[0], true);
		err = err ? err : pipe_make(&ours[1], &e->fd[1], false);
		return err ? err : pipe_make(&ours[2], &e->fd[2], false);
	}
	err = pty_open(e->req, &ours[1], &e->fd[0]);
	if (err)
		return err;
	ours[0] = fcntl(ours[1], F_DUPFD_CLOEXEC, 0);
	e->fd[1] = fcntl(e->fd[0], F_DUPFD_CLOEXEC, 0);
	if (e->req->flags & START_STDERR)
		err = pipe_make(&ours[2], &e->fd[2], false);
	else
		e->fd[2] = fcntl(e->fd[0], F_DUPFD_CLOEXEC, 0);
	return err ? err : ours[0] < 0 || e->fd[1] < 0 || e->fd[2] < 0 ? -EMFILE : 0;
}

static int run(struct dstart *s, struct dexec *e)
{
	int err, ours[3] = { -1, -1, -1 };
	pid_t pid;

	err = streams_make(e, ours);
	pid = err ? err : exec_start(e);
	if (pid > 0) {
		s->child = pid;
		s->child_fd = pidfd_open(pid, 0);
		err = s->child_fd < 0 ? -errno : loop_fd_add(s->d->loop, s->child_fd, EPOLLIN, child_ended, s);
		if (err) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			if (s->child_fd >= 0)
				close(s->child_fd);
			s->child_fd = -1;
		}
	} else {
		err = pid;
	}
	for (int i = 0; i < 3; i++) {
		if (e->fd[i] >= 0)
			close(e->fd[i]);
		if (err && ours[i] >= 0)
			close(ours[i]);
	}
	if (err)
		return err;
	s->terminal = e->req->flags & START_TERMINAL;
	s->started = true;
	input_open(&s->in, s->d, ours[0], s->terminal);
	output_open(&s->out, s->d, ours[1]);
	output_open(&s->err, s->d, ours[2]);
	return 0;
}

int start_begin(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep)
{
	const struct d2p_start_req *req = body;
	struct dstart *s = start_of(rq);
	struct dexec e = { .req = req, .fd = { -1, -1, -1 }, .config_fd = -1, .stats_fd = -1 };
	int err;

	(void)tail;
	(void)bytes;
	(void)rep;
	if (!s || !s->peer->process)
		return s ? -ESRCH : -EACCES;
	if (s->started || req->flags & ~(uint32_t)(START_TERMINAL | START_STDERR))
		return -EINVAL;
	e.dispatcher = s->d->dispatcher;
	net_conn_peer(rpc_conn(s->peer->base.rpc), &e.user);
	err = words_split(s, req, &e, 3);
	err = err ? err : exec_user(&e);
	if (!err && (e.config_fd = config_make(s->peer->process, req)) < 0)
		err = e.config_fd;
	if (!err && !s->stats && (e.stats_fd = stats_make(s)) < 0)
		err = e.stats_fd;
	err = err ? err : run(s, &e);
	if (e.config_fd >= 0)
		close(e.config_fd);
	if (e.stats_fd >= 0)
		close(e.stats_fd);
	free(e.groups);
	free(e.argv);
	free(e.envp);
	if (err)
		log_warn("process %u cannot be started: %s", s->pid, strerror(-err));
	return err;
}

/* ---- while it runs ---- */

static struct dstart *started(struct rpc_request *rq)
{
	struct dstart *s = peer_of(rq)->start;

	return s && s->started ? s : NULL;
}

int start_read(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep)
{
	const struct d2p_read_req *req = body;
	struct dstart *s = started(rq);
	struct doutput *o;

	(void)tail;
	(void)bytes;
	(void)rep;
	if (!s)
		return -EACCES;
	if (req->stream < 1 || req->stream > 2 || req->close > 1)
		return -EINVAL;
	o = req->stream == 1 ? &s->out : &s->err;
	if (!req->close)
		return output_read(o, rq);
	output_close(o);
	return 0;
}

int start_write(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep)
{
	const struct d2p_write_req *req = body;
	struct dstart *s = started(rq);

	(void)rep;
	if (!s)
		return -EACCES;
	if (req->end > 1 || req->reserved0 || bytes > STREAM_PIECE)
		return -EINVAL;
	return input_write(&s->in, rq, req->end, tail, bytes);
}

int start_signal(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep)
{
	const struct d2p_signal_req *req = body;
	struct dstart *s = started(rq);

	(void)tail;
	(void)bytes;
	(void)rep;
	if (!s)
		return -EACCES;
	if (req->number < 1 || req->number > 64 || req->reserved0)
		return -EINVAL;
	if (s->ended)
		return -ESRCH;
	if (s->terminal && req->number == SIGWINCH) {
		if (s->out.fd >= 0)
			pty_window(s->out.fd, &req->window);
		return 0;
	}
	return pidfd_send_signal(s->child_fd, (int)req->number, NULL, 0) ? -errno : 0;
}

int start_wait(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep)
{
	const struct d2p_wait_req *req = body;
	struct dstart *s = started(rq);
	struct rpc_request **place;

	(void)tail;
	(void)bytes;
	(void)rep;
	if (!s)
		return -EACCES;
	if (req->tree > 1 || req->reserved0)
		return -EINVAL;
	place = req->tree ? &s->wait_tree : &s->wait;
	if (*place)
		return -EBUSY;
	*place = rq;
	ended_look(s);
	return RPC_LATER;
}

int start_tree(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep_body)
{
	const struct dpeer *peer = peer_of(rq);
	const struct d2p_tree_req *req = body;
	struct d2p_tree_rep *rep = rep_body;
	struct member_row rows[PS_BATCH_MAX];
	int n;

	(void)tail;
	(void)bytes;
	if (req->reserved0)
		return -EINVAL;
	if (!peer->process)
		return peer->start ? -ESRCH : -EACCES;
	n = daemon_tree(peer->d, peer->process->pid, req->after, rows, PS_BATCH_MAX);
	if (n < 0)
		return n;
	rep->rows = (uint32_t)n;
	return rpc_reply_tail(rq, rows, rep->rows * (uint32_t)sizeof(rows[0]));
}

int start_stats(struct rpc_request *rq, const void *body, const void *tail, uint32_t bytes, void *rep)
{
	const struct d2p_stats_req *req = body;
	struct dstart *s = started(rq);
	uint64_t n;

	(void)tail;
	(void)bytes;
	(void)rep;
	if (!s)
		return -EACCES;
	if (req->off > sizeof(*s->sum))
		return -EINVAL;
	if (!s->sum && !(s->sum = malloc(sizeof(*s->sum))))
		return -ENOMEM;
	if (!req->off)
		stats_sum(s->stats, s->sum);
	n = sizeof(*s->sum) - req->off;
	return rpc_reply_tail(rq, (const char *)s->sum + req->off, (uint32_t)(n < STREAM_PIECE ? n : STREAM_PIECE));
}
