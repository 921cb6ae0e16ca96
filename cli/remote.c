/*
 * A program that the node daemon starts: announced, started, relayed and waited for over one connection, whose end is the
 * program's. The loop of the rack's monitors serves here as well; nothing in it waits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"
#include "cli/left.h"
#include "cli/relay.h"
#include "cli/run.h"

#define CONNECT_MS 10000u
#define FOREVER_MS UINT32_MAX
#define UNHEARD_MS 1000u /* a daemon that has not heard of a signal for so long does not answer */

extern char **environ;

struct remote {
	const struct run_options *options;
	struct place *place;
	struct signals *signals;
	struct stats *stats;
	struct ending *ending;
	struct loop *loop;
	struct net *net;
	struct rpc *rpc;
	struct rpc_counters counters;
	struct relay relay;
	bool started, waited, tree_over, gmm_lost, over;
	struct loop_timer say; /* what the program left running */
	uint64_t begin_ns;
	unsigned unheard;    /* signals on their way */
	uint64_t unheard_ns; /* since when there is one */
	uint64_t stats_off;
	int result;
};

/* ---- the end ---- */

static void finish(struct remote *r, int result)
{
	if (r->over)
		return;
	r->over = true;
	r->result = result;
	loop_stop(r->loop);
}

static void stats_ask(struct remote *r);

static void stats_came(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	struct remote *r = arg;

	(void)rep;
	if (err == -ECANCELED)
		return;
	if (!err && bytes && bytes <= sizeof(r->stats->tree->first) - r->stats_off) {
		memcpy((char *)&r->stats->tree->first + r->stats_off, tail, bytes);
		r->stats_off += bytes;
		stats_ask(r);
		return;
	}
	finish(r, 0);
}

static void stats_ask(struct remote *r)
{
	struct d2p_stats_req req = { .off = r->stats_off };

	if (rpc_call(r->rpc, D2P_STATS, r->place->pid, &req, NULL, 0, RPC_DEADLINE_MS, stats_came, r))
		finish(r, 0);
}

/* It has ended, and all that it made; all that they wrote is written: then their counters. */
static void look(void *arg)
{
	struct remote *r = arg;

	if (r->waited && r->tree_over && relay_done(&r->relay) && !r->over && !r->stats_off)
		stats_ask(r);
}

static void tree_came(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	const struct member_row *row = tail;
	struct remote *r = arg;

	(void)rep;
	if (!err && !r->over && !r->tree_over && bytes >= sizeof(*row))
		left_say(row, bytes / (uint32_t)sizeof(*row), bytes / (uint32_t)sizeof(*row));
}

static void say(void *arg)
{
	struct d2p_tree_req req = { .after = UINT32_MAX };
	struct remote *r = arg;

	if (r->rpc && !r->tree_over)
		rpc_call(r->rpc, D2P_TREE, r->place->pid, &req, NULL, 0, RPC_DEADLINE_MS, tree_came, r);
}

static void tree_over(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	struct remote *r = arg;

	(void)rep, (void)tail, (void)bytes;
	if (err)
		return; /* closed() says why */
	r->tree_over = true;
	look(r);
}

static void waited(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	const struct d2p_wait_rep *w = rep;
	struct remote *r = arg;

	(void)tail, (void)bytes;
	if (err)
		return; /* closed() says why */
	r->waited = true;
	r->ending->exit_status = WIFEXITED(w->wait_status) ? WEXITSTATUS(w->wait_status)
							   : 128 + WTERMSIG(w->wait_status);
	r->ending->cpu_ns = w->cpu_ns;
	r->ending->wall_ns = clock_ns() - r->begin_ns;
	/* From here on Ctrl-C is for us. */
	terminal_restore();
	r->say.fn = say;
	r->say.arg = r;
	loop_timer_set(r->loop, &r->say, loop_now(r->loop) + LEFT_SAY_MS * NS_PER_MS);
	look(r);
}

static void closed(struct rpc *rpc, int err)
{
	struct remote *r = rpc_ctx(rpc);

	(void)err;
	r->rpc = NULL;
	relay_end(&r->relay);
	if (r->over)
		return;
	terminal_restore();
	cli_error("pcomponent %s is gone; the program ends with it", r->place->daemon_name);
	if (!r->waited)
		r->ending->exit_status = EXIT_ASHLAR;
	finish(r, r->started ? 0 : EXIT_ASHLAR);
}

static void escape(void *arg)
{
	struct remote *r = arg;

	terminal_restore();
	cli_error("left by ~.; the program is ended");
	finish(r, EXIT_ASHLAR);
}

/* ---- signals ---- */

static void heard(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	struct remote *r = arg;

	(void)err, (void)rep, (void)tail, (void)bytes;
	r->unheard--;
}

static void pass_on(struct remote *r, int number)
{
	struct d2p_signal_req req = { .number = (uint32_t)number };

	terminal_window(&req.window);
	if (!r->rpc || rpc_call(r->rpc, D2P_SIGNAL, r->place->pid, &req, NULL, 0, RPC_DEADLINE_MS, heard, r))
		return;
	if (!r->unheard++)
		r->unheard_ns = loop_now(r->loop);
}

/* Two signals may come at once, and both are the program's: only one long after the other is meant for us. */
static bool is_deaf(const struct remote *r)
{
	return r->unheard && loop_now(r->loop) - r->unheard_ns >= UNHEARD_MS * NS_PER_MS;
}

static bool ends(int number)
{
	return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

/* The shell wants its terminal: the program stops, then we; both go on together. */
static void stop(struct remote *r, int number)
{
	terminal_restore();
	if (!r->relay.terminal)
		pass_on(r, SIGSTOP);
	signals_stop_like(number);
	if (r->relay.terminal && !r->waited)
		terminal_raw();
	else
		pass_on(r, SIGCONT);
	pass_on(r, SIGWINCH);
	relay_resume(&r->relay);
}

static void signal_take(struct remote *r, const struct signal_seen *seen)
{
	int number = seen->number;

	if (number == SIGCHLD || (number == SIGPIPE && seen->terminal))
		return; /* SIGPIPE: of our own writing */
	if (ends(number) && r->waited) {
		finish(r, 0); /* our connection's end is that of what is left */
	} else if (ends(number) && (!r->started || is_deaf(r))) {
		if (r->started)
			cli_error("pcomponent %s does not answer; the program is left to it", r->place->daemon_name);
		finish(r, 128 + number);
	} else if (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU) {
		stop(r, number);
	} else if (r->started) {
		pass_on(r, number);
	}
}

static void signals_ready(void *arg, uint32_t events)
{
	struct signal_seen seen;
	struct remote *r = arg;

	(void)events;
	while (!r->over && signals_take(r->signals, &seen))
		signal_take(r, &seen);
}

static void gmm_ready(void *arg, uint32_t events)
{
	struct remote *r = arg;

	(void)events;
	loop_fd_del(r->loop, net_conn_fd(rpc_conn(r->place->gmm)));
	r->gmm_lost = true;
	cli_error("the gmm at %s is gone; the program goes on%s", r->place->gmm_addr, r->relay.terminal ? "\r" : "");
}

/* ---- the beginning ---- */

static void started(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	struct d2p_wait_req req = { .tree = 0 }, tree = { .tree = 1 };
	struct remote *r = arg;

	(void)rep, (void)tail, (void)bytes;
	if (err == -ECANCELED || err == -EPIPE)
		return;
	if (err == -EACCES || err == -EOPNOTSUPP)
		finish(r, cli_error("pcomponent %s starts no programs", r->place->daemon_name));
	else if (err == -EPERM)
		finish(r, cli_error("pcomponent %s is another user's, and cannot start programs for you",
				    r->place->daemon_name));
	else if (err)
		finish(r, cli_error("pcomponent %s does not start the program: %s", r->place->daemon_name,
				    strerror(-err)));
	if (err)
		return;
	r->started = true;
	rpc_call(r->rpc, D2P_WAIT, r->place->pid, &req, NULL, 0, FOREVER_MS, waited, r);
	rpc_call(r->rpc, D2P_WAIT, r->place->pid, &tree, NULL, 0, FOREVER_MS, tree_over, r);
	if (r->relay.terminal)
		terminal_raw();
	relay_begin(&r->relay);
}

static void sent(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	struct remote *r = arg;

	(void)rep, (void)tail, (void)bytes;
	if (err && err != -ECANCELED && err != -EPIPE)
		finish(r, cli_error("pcomponent %s does not take the program's arguments: %s", r->place->daemon_name,
				    strerror(-err)));
}

struct words {
	char *at;
	size_t n, max;
};

static void word_add(struct words *w, const char *word)
{
	size_t n = strlen(word) + 1;

	if (w->n + n <= w->max)
		memcpy(w->at + w->n, word, n);
	w->n += n;
}

/* All that the program is told, in pieces. 0 or EXIT_ASHLAR. */
static int words_send(struct remote *r, struct d2p_start_req *req)
{
	struct words w = { .at = malloc(START_WORDS_MAX), .max = START_WORDS_MAX };
	char cwd[4096];
	int err = 0;

	if (!w.at || !getcwd(cwd, sizeof(cwd))) {
		free(w.at);
		return cli_error("the working directory is gone: %s", strerror(errno));
	}
	for (char **a = r->options->program; *a; a++, req->argc++)
		word_add(&w, *a);
	for (char **e = environ; *e; e++, req->envc++)
		word_add(&w, *e);
	word_add(&w, cwd);
	if (w.n > w.max)
		err = cli_error("arguments and environment are too long: %zu bytes of at most %u", w.n,
				START_WORDS_MAX);
	for (size_t off = 0; !err && off < w.n; off += STREAM_PIECE) {
		struct d2p_args_req args = { .off = (uint32_t)off };
		size_t n = w.n - off < STREAM_PIECE ? w.n - off : STREAM_PIECE;

		if (rpc_call(r->rpc, D2P_ARGS, r->place->pid, &args, w.at + off, (uint32_t)n, RPC_DEADLINE_MS, sent, r))
			err = EXIT_ASHLAR; /* closed() says why */
	}
	free(w.at);
	return err;
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

static void announced(void *arg, int err, const void *rep, const void *tail, uint32_t bytes)
{
	struct remote *r = arg;
	struct d2p_start_req req = { .signals_ignored = signals_ignored(),
				     .storage_wait_s = r->options->storage_wait_s,
				     .log_level = r->options->log_level };

	(void)rep, (void)tail, (void)bytes;
	if (err == -ECANCELED || err == -EPIPE)
		return;
	if (err) {
		finish(r,
		       cli_error("pcomponent %s does not take the process: %s", r->place->daemon_name, strerror(-err)));
		return;
	}
	req.umask = umask(0);
	umask(req.umask);
	terminal_describe(&req);
	r->relay.terminal = req.flags & START_TERMINAL;
	err = words_send(r, &req);
	if (err)
		finish(r, err);
	else
		rpc_call(r->rpc, D2P_START, r->place->pid, &req, NULL, 0, RPC_DEADLINE_MS, started, r);
}

static const struct rpc_service service = { .closed = closed };

static int begin(struct remote *r)
{
	struct net_options options = { .fd_floor = fd_high_floor() };
	struct d2p_announce_req req = { .cap = r->place->cap, .pid = r->place->pid };
	struct place *p = r->place;
	struct net_conn *conn;
	int err = loop_open(&r->loop);

	if (err)
		return cli_error("cannot wait for events: %s", strerror(-err));
	options.loop = r->loop;
	err = net_open("local", &options, &r->net); /* a node daemon serves its own machine */
	if (!err)
		err = net_connect(r->net, p->daemon_addr, CONNECT_MS, &conn);
	if (!err)
		err = rpc_open(r->loop, conn, KIND_COMMAND, &service, r, &r->counters, &r->rpc);
	if (err) {
		r->rpc = NULL;
		return cli_error("cannot reach pcomponent %s at %s: %s", p->daemon_name, p->daemon_addr,
				 strerror(-err));
	}
	r->relay.loop = r->loop;
	r->relay.rpc = r->rpc;
	r->relay.pid = p->pid;
	r->relay.changed = look;
	r->relay.escape = escape;
	r->relay.arg = r;
	err = loop_fd_add(r->loop, r->signals->fd, EPOLLIN, signals_ready, r);
	if (!err)
		err = loop_fd_add(r->loop, net_conn_fd(rpc_conn(p->gmm)), EPOLLRDHUP, gmm_ready, r);
	if (!err)
		err = rpc_call(r->rpc, D2P_ANNOUNCE, p->pid, &req, NULL, 0, RPC_DEADLINE_MS, announced, r);
	return err ? cli_error("cannot watch the program: %s", strerror(-err)) : 0;
}

static void end(struct remote *r)
{
	relay_end(&r->relay);
	terminal_restore();
	r->over = true;
	if (r->loop)
		loop_timer_del(r->loop, &r->say);
	if (r->rpc)
		rpc_close(r->rpc);
	if (r->net)
		net_close(r->net);
	if (r->loop)
		loop_close(r->loop);
}

int remote_run(const struct run_options *o, struct place *place, struct signals *signals, struct stats *stats,
	       struct ending *ending)
{
	static struct remote r;
	int err;

	r.options = o;
	r.place = place;
	r.signals = signals;
	r.stats = stats;
	r.ending = ending;
	r.begin_ns = clock_ns();
	err = begin(&r);
	if (!err && !r.over)
		err = loop_run(r.loop);
	if (!err)
		err = r.result;
	if (!r.waited)
		ending->wall_ns = clock_ns() - r.begin_ns;
	end(&r);
	return err;
}
