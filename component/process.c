/*
 * The process of a component: everything around the monitor that is not the monitor. Start-up is a ladder; the same
 * ladder is climbed down at the end, however far it was climbed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "component/internal.h"

#define EXIT_FAILED 1
#define LOG_FILE_BYTES (1u << 20)
#define EXIT_USAGE 2

struct process {
	const struct component_program *program;
	void *ctx;
	struct component_args args;
	struct component_ops ops; /* the program's, with `joined` caught */
	struct loop *loop;
	struct net *net, *node; /* node: the same, or one of this machine alone */
	struct component *component;
	struct orphans orphans;
	int signal_fd;
	int status;
	char log_name[2 * NAME_BYTES + 2];
};

static void signal_came(void *arg, uint32_t events)
{
	struct process *p = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(p->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		orphans_wait(&p->orphans);
	else
		loop_stop(p->loop);
}

static void lifeline_cut(void *arg, uint32_t events)
{
	struct process *p = arg;
	char byte;

	if (!(events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) && read(p->args.lifeline_fd, &byte, 1) > 0)
		return; /* nobody should write there; only the end counts */
	loop_stop(p->loop);
}

static void join_failed(void *arg, int err)
{
	struct process *p = arg;

	(void)err;
	p->status = EXIT_FAILED;
	loop_stop(p->loop);
}

/* Once: the first time that the component is at work. Nobody reading is nothing to us. */
static void ready_tell(struct process *p)
{
	char line[ADDR_BYTES + 16];
	int fd = p->args.ready_fd;
	int len;

	if (fd < 0)
		return;
	p->args.ready_fd = -1;
	len = snprintf(line, sizeof(line), "ready %s\n", component_addr(p->component));
	if (write(fd, line, (size_t)len) != len)
		log_warn("nobody reads descriptor %d of --ready-fd", fd);
	if (fd > STDERR_FILENO)
		close(fd);
}

/*
 * struct component calls with the ctx of the monitor, but `joined` has to come by here as well: one process holds one
 * component, so a pointer beside the monitor's ctx is enough.
 */
static struct process *the_process;

static void joined(void *ctx)
{
	struct process *p = the_process;

	ready_tell(p);
	if (p->program->ops->joined)
		p->program->ops->joined(ctx);
}

static int signals_open(struct process *p)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (orphans_come())
		sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signal_fd < 0)
		return -errno;
	err = loop_fd_add(p->loop, p->signal_fd, EPOLLIN, signal_came, p);
	if (err)
		close(p->signal_fd);
	return err;
}

static void signals_close(struct process *p)
{
	loop_fd_del(p->loop, p->signal_fd);
	close(p->signal_fd);
}

static int lifeline_open(struct process *p)
{
	int fd = p->args.lifeline_fd;
	int err;

	if (fd < 0)
		return 0;
	err = loop_fd_add(p->loop, fd, EPOLLIN | EPOLLRDHUP, lifeline_cut, p);
	if (err)
		log_error("descriptor %d of --lifeline cannot be watched: %s", fd, strerror(-err));
	return err;
}

/* A monitor holds a descriptor per slab, file or connection: take what the host allows. */
static void descriptors_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int serve(struct process *p)
{
	struct component_env env = {
		.loop = p->loop,
		.net = p->net,
		.node = p->node,
		.component = p->component,
		.hook = p->args.hook[0] ? p->args.hook : NULL,
	};
	uint64_t bytes = 0;
	int err = p->program->start(p->ctx, &env, &bytes);

	if (err)
		return err;
	orphans_open(&p->orphans, p->loop, p->program->own_child, p->ctx);
	component_set_bytes(p->component, bytes);
	err = component_start(p->component, join_failed, p);
	if (!err && p->program->kind == KIND_GMM)
		ready_tell(p);
	if (!err) {
		err = loop_run(p->loop);
		if (err)
			log_error("the event loop failed: %s", strerror(-err));
	}
	orphans_close(&p->orphans);
	p->program->stop(p->ctx);
	return err;
}

static int nets_open(struct process *p)
{
	struct net_options options = { .loop = p->loop };
	int err;

	options.hook = p->args.hook[0] ? p->args.hook : NULL;
	options.secret = p->args.has_secret ? &p->args.secret : NULL;
	err = net_open(p->args.fabric, &options, &p->net);
	options.secret = NULL;
	options.hook = NULL; /* the machine's own connections are no part of the rack's fabric */

	p->node = p->net;
	if (err) {
		log_error("cannot open the fabric \"%s\": %s", p->args.fabric, strerror(-err));
		p->status = EXIT_NO_FABRIC;
		return err;
	}
	if (!p->program->node || strcmp(p->args.fabric, "local") == 0)
		return 0;
	err = net_open("local", &options, &p->node);
	if (err) {
		log_error("cannot open the fabric local: %s", strerror(-err));
		net_close(p->net);
	}
	p->args.config.node = p->node;
	return err;
}

static void nets_close(struct process *p)
{
	if (p->node != p->net)
		net_close(p->node);
	net_close(p->net);
}

static int process_run(struct process *p)
{
	int err = loop_open(&p->loop);

	if (err) {
		log_error("no event loop: %s", strerror(-err));
		return err;
	}
	err = signals_open(p);
	if (err) {
		log_error("cannot watch signals: %s", strerror(-err));
		goto close_loop;
	}
	err = lifeline_open(p);
	if (err)
		goto close_signals;
	err = nets_open(p);
	if (err)
		goto close_lifeline;
	p->ops = *p->program->ops;
	p->ops.joined = joined;
	err = component_open(p->loop, p->net, &p->args.config, &p->ops, p->ctx, &p->component);
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		goto close_net;
	}
	err = serve(p);
	component_close(p->component);
close_net:
	nets_close(p);
close_lifeline:
	if (p->args.lifeline_fd >= 0)
		loop_fd_del(p->loop, p->args.lifeline_fd);
close_signals:
	signals_close(p);
close_loop:
	loop_close(p->loop);
	return err;
}

int component_main(int argc, char **argv, const struct component_program *program, void *ctx)
{
	static struct process p;
	int ret;

	p.program = program;
	p.ctx = ctx;
	the_process = &p;
	ret = component_options(argc, argv, program, ctx, &p.args);
	if (ret)
		return ret > 0 ? 0 : EXIT_USAGE;
	if (program->kind == KIND_GMM)
		snprintf(p.log_name, sizeof(p.log_name), "%s", program->name);
	else
		snprintf(p.log_name, sizeof(p.log_name), "%s %s", program->name, p.args.config.name);
	log_open(p.log_name, (enum log_level)p.args.log_level);
	log_limit(true);
	if (p.args.log_file && (ret = log_file(p.args.log_file, LOG_FILE_BYTES))) {
		log_error("cannot write the log %s: %s", p.args.log_file, strerror(-ret));
		return EXIT_FAILED;
	}
	descriptors_raise();
	return process_run(&p) && !p.status ? EXIT_FAILED : p.status; /* why is in the log already */
}
