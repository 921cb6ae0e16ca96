/* ashlar run: what its parts share. The sequence is in cli/run.c. */
#ifndef CLI_RUN_H
#define CLI_RUN_H
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/log.h"
#include "ashlar/launch.h"
#include "ashlar/proto/x2g.h"
#include "ashlar/stats.h"
#include "cli/cli.h"
#include "cli/rack_file.h"

struct net;
struct rpc;

/* ---- run_options.c: the command line ---- */

struct run_options {
	uint64_t excache_bytes; /* 0: the processor component's default */
	uint32_t weight;	/* 1 to WEIGHT_MAX */
	uint32_t memories;	/* memory components of the private rack */
	uint64_t memory_bytes;	/* each; 0: half of the machine divided by their number */
	const char *stats;	/* file, "-": stderr; NULL: none */
	const char *rack;	/* rack file; NULL: a private rack */
	const char *fabric, *root;
	char hook[HOOK_BYTES];	 /* what --emulate asks for, as net_options.hook; empty: nothing */
	uint32_t storage_wait_s; /* of launch_config */
	bool kernel_6_1;	 /* ASHLAR_KERNEL: use no more of the host kernel than Debian's 6.1 has */
	enum log_level log_level, rack_log_level; /* of the process; of the private rack's components */
	char **program;				  /* argv of the program, ended by NULL */
};

/* 0; 1: help was printed; EXIT_ASHLAR after one line. */
int run_options(int argc, char **argv, struct run_options *);

/* ---- signals.c: what the terminal and others send ---- */

struct signals {
	int fd;		   /* signalfd of all that can be taken; they are blocked */
	sigset_t original; /* mask to be given to the program */
};

/* A signal taken from the descriptor. */
struct signal_seen {
	int number;
	bool terminal; /* sent by the kernel to the whole foreground group: the program has it already */
};

int signals_open(struct signals *);
bool signals_take(struct signals *, struct signal_seen *); /* false: none is there */
/* Does a signal end a program here? Not when whoever started us had it ignored (nohup, a shell's background). */
bool signal_ends(int number);
/* A signal that asks us to end is waiting, or has come: its number, 0: none. Takes and drops all others. */
int signals_ending(struct signals *);
/* For calls that wait without looking at fd: signals act as usual (we end; the rack ends with us). */
void signals_open_door(const struct signals *);
void signals_close_door(void);
/* Stop as the program stopped, so that the shell gets its terminal; returns when continued. */
void signals_stop_like(int stop_signal);

/* ---- file_limit.c: RLIMIT_FSIZE, which is for the program alone ---- */

void file_limit_lift(void);
void file_limit_restore(void); /* in the child that becomes the program */

/* ---- private_rack.c: a rack that lives as long as we do ---- */

#define RACK_PARTS_MAX (PROCESS_MEMORY_MAX + 3)

struct rack_part {
	char name[NAME_BYTES];
	const char *binary;
	pid_t pid; /* 0: not started, or ended and waited for */
	int ready_fd;
	bool ready;
};

struct private_rack {
	struct rack_part part[RACK_PARTS_MAX];
	unsigned n;
	int lifeline_fd;			/* its end ends them all */
	char gmm[ADDR_BYTES], node[ADDR_BYTES]; /* node: of the node daemon */
	char bin[4096];				/* folder of the programs */
};

/* Where the programs are; also needed for a rack that stands already. 0 or EXIT_ASHLAR. */
int programs_find(struct private_rack *);
/* Start all parts and wait until they are at work. 0; EXIT_ASHLAR after one line; 128+N when signal N came. */
int private_rack_up(struct private_rack *, const struct run_options *, struct signals *);
/* End all parts and wait for them. */
void private_rack_down(struct private_rack *);
/* A part that has ended by itself, waited for: its name is in part->name, wait status in *status. NULL: none. */
const struct rack_part *private_rack_ended(struct private_rack *, int *status);

/* ---- fabric.c ---- */

struct place;
const char *fabric_rack(const char *fabric); /* what the components open */
bool fabric_relayed(const char *fabric);     /* commands and programs go by the relay of their node daemon */
int fabric_check(const char *fabric);	     /* 0, or EXIT_ASHLAR after one line */
int fabric_open(struct place *, const char *fabric, const char *node, const char *key); /* the same */
void fabric_close(struct place *);

/* ---- place.c: the process gets its place in the rack ---- */

struct place {
	struct net *net, *node;	  /* by which the rack is reached; by which the node daemon is */
	struct rpc *gmm, *daemon; /* daemon: the process's life line */
	struct cap cap;
	uint32_t pid;
	uint64_t excache_bytes;
	char daemon_addr[ADDR_BYTES], daemon_name[NAME_BYTES], gmm_addr[ADDR_BYTES];
};

/* node: of the node daemon of this machine, not asked where the fabric is local. 0 or EXIT_ASHLAR, as all of these. */
int place_open(struct place *, const char *fabric, const char *gmm, const char *node, const char *key);
int place_process(struct place *, const struct run_options *);
int place_announce(struct place *);
void place_close(struct place *);
/* The rack's table, at most max rows; rep->rows of them. 0 or -errno. */
int rack_rows(struct rpc *gmm, struct rack_row *rows, uint32_t max, struct x2g_status_rep *);

/* ---- launch.c ---- */

/* Start the dispatcher as our child, in our process group. 0 or EXIT_ASHLAR. */
int launch(const char *bin, const struct run_options *, const struct place *, const struct signals *, int stats_fd,
	   pid_t *child);

/* ---- watch.c: until the program and all that it made have ended ---- */

struct ending {
	int exit_status; /* of the command */
	uint64_t wall_ns, cpu_ns;
};
void watch(pid_t child, struct signals *, struct private_rack *, struct place *, struct ending *);

/* ---- remote.c: a program that the node daemon starts (a standing rack's) ---- */

struct stats;
/* From the announcement to the program's end. 0 (then ending is set), EXIT_ASHLAR, or 128+N when signal N came first. */
int remote_run(const struct run_options *, struct place *, struct signals *, struct stats *, struct ending *);

/* ---- stats.c ---- */

struct stats {
	int out_fd;  /* where the JSON goes, -1: nowhere */
	int page_fd; /* memfd of a struct stats_tree, for the dispatcher */
	struct stats_tree *tree;
	uint64_t begin_ns; /* when the command began */
};
int stats_open(struct stats *, const struct run_options *); /* 0 or EXIT_ASHLAR */
int stats_write(const struct stats *, const struct ending *, const char *fabric);
void stats_close(struct stats *);

/* syscall_names.c: NULL where the number has no name */
const char *syscall_name(unsigned nr);

#endif
