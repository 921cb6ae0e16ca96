/*
 * `ashlar vm`: a rack of virtual machines on this host (docs/vm.md). Its folder is that of a standing rack named vm-NAME
 * (cli/standing.h), for its owner only, and holds
 *	rack.json	what the rack is (struct plan)
 *	rack.key	the rack's key (ashlar/base/secret.h), which the machines get from QEMU
 *	NODE.pid	of its QEMU; switch.pid
 *	NODE.console	what the machine told on its serial port; NODE.log: what its QEMU told
 *	NODE.qmp, NODE.aN, NODE.net, NODE.sw	sockets: of QEMU's monitor, sessions with the agent, frames
 *	NODE.aN.lock	locked by the command that has the session
 *	NODE.disk	the writable layer of the storage node's files
 * The rack is up while its switch lives; what is there without it is left over from a crash, and is cleaned up.
 */
#ifndef VM_HOST_HOST_H
#define VM_HOST_HOST_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cli/standing.h"

#define VM_NODES_MAX 32u
#define VM_NAME_DEFAULT "rack"
#define VM_SWITCH "switch" /* name of that part */
#define VM_KEY_FILE "rack.key"
#define VM_NETWORK "10.77.0."
#define VM_GMM_PORT 7000
#define VM_PORT 7001 /* of all other components: each has an address of its own */
#define VM_EMULATE_BYTES (HOOK_BYTES - sizeof("emulate:"))

enum vm_kind { VM_GMM, VM_PROCESSOR, VM_MEMORY, VM_STORAGE, VM_KINDS };
extern const char *const vm_kind_names[VM_KINDS];

struct vm_node {
	char name[NAME_BYTES];
	enum vm_kind kind;
	unsigned number; /* last part of its address */
	uint64_t mem_bytes;
	unsigned cpus;
};

struct plan {
	char name[NAME_BYTES]; /* the user's, without vm- */
	char fabric[NAME_BYTES];
	char emulate[VM_EMULATE_BYTES]; /* empty: nothing */
	char root[PATH_MAX];		/* folder, or image of a file system */
	char root_type[16];		/* "9p" for a folder, else the image's type */
	char kernel[PATH_MAX], initramfs[PATH_MAX];
	bool kvm;
	uint64_t disk_bytes;
	struct vm_node node[VM_NODES_MAX];
	unsigned n;
};

/* ---- plan.c ---- */

int plan_write(const struct standing *, const struct plan *);
int plan_read(const struct standing *, struct plan *);
/* NULL after one line: there is none of that name. */
const struct vm_node *plan_node(const struct plan *, const char *name);
/* The first of that kind. */
const struct vm_node *plan_first(const struct plan *, enum vm_kind);

/* ---- rack.c ---- */

/* The rack of that name for looking at it, not locked; 0, or EXIT_ASHLAR after one line, when it is not up. */
int rack_look(const char *name, struct standing *, struct plan *);
/* Its folder, locked: 0; 1: there is none; EXIT_ASHLAR. */
int rack_lock(const char *name, bool create, struct standing *);
bool part_alive(const struct standing *, const char *part);
/* End all that runs. */
void rack_stop(const struct standing *);
/* A socket in the rack's folder, connected; -errno. */
int rack_connect(const struct standing *, const char *node, const char *suffix);

/* ---- image.c ---- */

/*
 * Build what the machines boot, if it is not there or too old; set the plan's paths, and whether KVM runs it here.
 * 0 or EXIT_ASHLAR.
 */
int image_make(struct plan *);

/* ---- disk.c ---- */

/* What kind of root the user gave; root and root_type of the plan. 0 or EXIT_ASHLAR. */
int root_check(struct plan *, const char *given);
/* The empty writable layer. 0 or EXIT_ASHLAR. */
int disk_make(const struct standing *, const struct plan *, const struct vm_node *);

/* ---- machine.c ---- */

/* Start the node's QEMU as a part of the rack. 0 or EXIT_ASHLAR. */
int machine_start(const struct standing *, const struct plan *, const struct vm_node *, const struct signals *);
/* Start the switch; *lifeline: write a byte there when all is up. 0 or EXIT_ASHLAR. */
int switch_start(const struct standing *, const struct plan *, const struct signals *, int *lifeline);

/* ---- console.c ---- */

/* The last lines of the console, and of what QEMU itself said, on stderr, each behind "ashlar:   ". */
void console_tail(const struct standing *, const char *node);

/* ---- joined.c ---- */

/* Before machines are started: those that run now have joined. */
void joined_begin(const struct standing *, const struct plan *);
/*
 * Wait until all nodes, or only this one, have joined, telling how far they are and at last that the rack is up. 0;
 * EXIT_ASHLAR after saying which has not; 128+N: signal N came.
 */
int joined_wait(const struct vm_node *only, struct signals *);

/* ---- qmp.c ---- */

/*
 * A command to the node's QEMU: JSON text, and the member "return" of the answer where reply is not NULL (the caller frees
 * it by json_decref). 0 or EXIT_ASHLAR after one line.
 */
struct json_t;
int qmp(const struct standing *, const char *node, const char *command, struct json_t **reply);

/* ---- session.c: a command inside a machine ---- */

struct session {
	int fd, lock_fd; /* of the socket */
	size_t n_rx, n_tx;
	char *rx, *tx;
};

struct session_start {
	char **argv, **envp;
	const char *cwd;
	bool folder;   /* make cwd */
	bool terminal; /* ours is passed on, if we have one */
	uint32_t uid, gid;
};

struct vm_frame;
/* 0; -EAGAIN: nobody answers (yet); other -errno. */
int session_open(struct session *, const struct standing *, const char *node, int timeout_ms);
void session_close(struct session *);
/* Sends all that the agent has to know; its answer is VM_STARTED. 0 or -errno. */
int session_start(struct session *, const struct session_start *);
int session_send(struct session *, uint32_t type, const void *payload, uint32_t bytes);
/* Write what waits, without waiting ourselves. 0 or -errno. */
int session_flush(struct session *);
/* Read what has come. 0 or -errno; -EPIPE: the machine is gone. */
int session_fill(struct session *);
/* The first whole frame that has come; payload is valid until the next call. 1: there is one; 0; -EPROTO. */
int session_frame(struct session *, struct vm_frame *, const char **payload);
/* Run a command and keep its stdout, ended by 0: its exit status, or -errno. */
int session_capture(const struct standing *, const char *node, char **argv, char *out, size_t bytes, int timeout_ms);

/* ---- attach.c ---- */

/* Our stdin, stdout, stderr, terminal and signals for the command's until it ends. Its exit status. */
int attach(const struct standing *, const struct plan *, const struct vm_node *, const struct session_start *,
	   struct signals *);

/* ---- the verbs; argv[0] is the verb ---- */

int vm_up(int argc, char **argv);
int vm_run(int argc, char **argv);
int vm_exec(int argc, char **argv);
int vm_status(const char *name, bool json);
int vm_console(const char *name, const char *node, bool follow);
int vm_control(const char *name, const char *verb, const char *node, const char *argument);
int vm_down(const char *name);

void vm_usage(void);

#endif
