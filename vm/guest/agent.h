/*
 * The agent runs commands inside a virtual machine for `ashlar vm` on the host (vm/wire.h). One thread. Every descriptor
 * is watched for edges, and at each one everything of a session that can go on without waiting goes on.
 */
#ifndef VM_GUEST_AGENT_H
#define VM_GUEST_AGENT_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "vm/wire.h"

#define TX_BYTES (4 * (VM_PAYLOAD_MAX + sizeof(struct vm_frame)))

/* A program that was asked for. */
struct job {
	char *words;
	uint32_t n_words;
	pid_t pid;     /* 0: none yet */
	int pidfd;     /* -1 */
	int fd[3];     /* our ends of its stdin, stdout, stderr; -1 */
	bool terminal; /* fd[0] and fd[1] are both the terminal */
	bool ended, told;
	int wait_status;
	struct {
		char data[VM_WINDOW_BYTES];
		uint32_t n, done;
		bool end;
	} in;
};

struct port {
	int fd;
	bool greeted;	/* a session has begun */
	bool connected; /* the kernel has said that somebody is at the host's end */
	bool deaf;	/* it broke the rules: nothing is heard until the host has gone */
	struct job job;
	size_t n_rx, n_tx;
	char rx[VM_PAYLOAD_MAX + sizeof(struct vm_frame)];
	char tx[TX_BYTES];
};

/* ---- agent.c ---- */

/* Report edges of this descriptor. 0 or -errno. */
int agent_watch(int fd);

/* ---- port.c ---- */

/* Whether anything went on. */
bool port_step(struct port *);
bool port_room(const struct port *); /* for one more frame of the largest size */
/* Precondition: port_room. */
void port_send(struct port *, enum vm_frame_type, const void *payload, uint32_t bytes);

/* ---- job.c ---- */

void job_init(struct job *);
void job_end(struct job *); /* its processes are killed; the job is as new */
int job_words(struct job *, const void *, uint32_t bytes);
int job_start(struct job *, const struct vm_start *);
int job_input(struct job *, const void *, uint32_t bytes); /* -EPROTO: more than was granted */
void job_signal(struct job *, uint32_t number);
void job_window(struct job *, const struct window *);
bool job_step(struct port *);

#endif
