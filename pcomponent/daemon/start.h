/*
 * Start: programs that the daemon starts for commands that cannot have them as children (a standing rack's). The program
 * has a session of its own, and a pseudo-terminal or pipes, whose other ends are here; the command fetches and brings
 * what goes through them by messages (D2P_READ, D2P_WRITE), which are the flow control: nothing is read that nobody
 * asked for, and little is kept. When the command goes, the program is killed; when we go, the host kernel kills it.
 */
#ifndef PCOMPONENT_DAEMON_START_H
#define PCOMPONENT_DAEMON_START_H
#include <sys/types.h>
#include "pcomponent/daemon/internal.h"

struct stats_page;
struct stats_tree;

/* stdout or stderr of the program. */
struct doutput {
	struct daemon *d;
	int fd; /* -1: ended, or never was */
	bool watched;
	struct rpc_request *asked[STREAM_PIECES]; /* in order */
	unsigned n;
};

/* A piece of stdin on its way. */
struct dpiece {
	struct rpc_request *rq;
	bool end;
	uint32_t bytes, done;
	uint8_t data[STREAM_PIECE];
};
struct dinput {
	struct daemon *d;
	int fd;
	bool watched, terminal;
	struct dpiece *piece[STREAM_PIECES]; /* in order */
	unsigned n;
};

struct dstart {
	struct list link;
	struct daemon *d;
	struct dpeer *peer; /* the command; NULL: it is gone */
	uint32_t pid;	    /* in the rack */
	char *words;	    /* until it is started */
	uint32_t n_words;   /* bytes */
	bool started, ended, terminal;
	pid_t child;
	int child_fd; /* pidfd */
	int32_t wait_status;
	uint64_t cpu_ns;
	struct rpc_request *wait, *wait_tree;
	struct dinput in;
	struct doutput out, err;
	struct stats_tree *stats;
	struct stats_page *sum; /* of stats, as the command is being told; NULL: it has not asked */
};

/* The handlers of D2P_ARGS and what follows. */
rpc_handler_fn start_args, start_begin, start_read, start_write, start_signal, start_wait, start_tree, start_stats;

/* The tree is over: its program ends too, if it has not. */
void start_tree_over(struct dstart *);
/* The command is gone. */
void start_hang_up(struct dstart *);
/* End all programs, and wait for them. */
void starts_close(struct daemon *);

/* stream.c */
void output_open(struct doutput *, struct daemon *, int fd);
int output_read(struct doutput *, struct rpc_request *); /* as a handler */
void output_close(struct doutput *);
void input_open(struct dinput *, struct daemon *, int fd, bool terminal);
int input_write(struct dinput *, struct rpc_request *, bool end, const void *data, uint32_t bytes);
void input_close(struct dinput *);

/* exec.c: what the new program gets, all of it checked. */
struct dexec {
	const struct d2p_start_req *req;
	char **argv, **envp; /* argv: the dispatcher's, argv[1] is room for a number */
	const char *cwd;
	struct net_peer user;
	const char *dispatcher;
	int fd[3]; /* 0 to 2 in the program */
	int config_fd, stats_fd;
	gid_t *groups;
	size_t n_groups;
};
/* Its groups, if the process at the other end of the connection is who the connection says. 0 or -errno. */
int exec_user(struct dexec *);
/* The pid, or -errno. What fails behind that the program's stderr tells, and exit status 125. */
pid_t exec_start(struct dexec *);

/* pty.c: both ends, the modes as req says. 0 or -errno. */
int pty_open(const struct d2p_start_req *, int *ours, int *theirs);
void pty_window(int fd, const struct window *);

#endif
