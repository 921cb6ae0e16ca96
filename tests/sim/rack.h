/*
 * A whole rack in one process: the real monitors on simulated nodes, processes with the real ExCache over a modelled
 * memory, faults, and what must be true at the end. One rack at a time.
 *
 *   rack.c    components: started, killed, started anew; nothing held at the end
 *   command.c the `ashlar run` of a process     process.c its dispatcher: memory, threads, the check of every byte
 *   kernel.c  the host kernel below an ExCache  files.c   its files
 *   members.c processes that a program makes    fork.c    those that have its memory
 *   chaos.c   faults                            seed.c    one seed from begin to end     sim.c  the command line
 */
#ifndef TESTS_SIM_RACK_H
#define TESTS_SIM_RACK_H
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/clock.h"
#include "ashlar/base/limits.h"
#include "ashlar/component.h"
#include "ashlar/net.h"
#include "ashlar/proto/lists.h"
#include "ashlar/rpc.h"
#include "net/sim/sim.h"
#include "pcomponent/excache/excache.h"

#define MEMORIES_MAX 4u
#define COMPONENTS_MAX (MEMORIES_MAX + 3)
#define SLOTS 3u     /* processes at a time: copies of the ExCache in this program */
#define PROCS_MAX 6u /* of one seed */
#define THREADS_MAX 4u
#define PAGES_MAX 640u /* of one process */
#define FILES_MAX 3u
#define FILE_BYTES (96u << 10)

/* Bugs that a switch plants, to see whether they are found. */
enum plant {
	PLANT_NONE,
	PLANT_EARLY_ACK,
	PLANT_NO_PROTECT,
	PLANT_LOST_END,
	PLANT_NO_SHARE,
	PLANT_EARLY_FREE,
	PLANT_MAX
};
extern const char *const plant_names[PLANT_MAX];

struct options {
	uint64_t seed;
	bool trace;
	enum plant plant;
};
extern struct options options;

/* ---- failing: prints, and leaves the seed ---- */

void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define check(cond, ...)                   \
	do {                               \
		if (!(cond))               \
			fail(__VA_ARGS__); \
	} while (0)

/* ---- components ---- */

struct part {
	enum wire_kind kind;
	char name[NAME_BYTES], addr[ADDR_BYTES];
	unsigned machine, index;
	uint64_t bytes;
	struct sim_node *node; /* NULL: not running */
	struct net *net;
	struct component *component;
	void *monitor;	     /* struct gmm, mcomponent, scomponent, daemon */
	uint64_t trouble_ns; /* until when it may be felt that something was done to it; 0: nothing was */
};

struct rack {
	struct part part[COMPONENTS_MAX];
	unsigned n_parts;
	struct part *gmm, *daemon, *storage;
	char dir[64]; /* the storage component's export */
};
extern struct rack rack;

void rack_open(unsigned memories, uint64_t memory_bytes);
void part_start(struct part *);
void part_kill(struct part *);
bool rack_runs(uint32_t pid);	   /* the node daemon knows it */
bool part_up(const struct part *); /* it runs, and has joined */
struct part *part_of_memory(const char *name);
/* Wait until all have joined; false: they do not. */
bool rack_ready(uint64_t limit_ns);
/* Nothing is held; NULL, or what is. */
const char *rack_held(void);
void rack_close(void);
void rack_remove(void); /* its files */
void rack_note(void);	/* its state into the hash */

/* ---- processes ---- */

enum outcome { RUNNING, NOT_STARTED, FINISHED, KILLED, LOST_MEMORY, FULL_MEMORY };

struct proc {
	unsigned index, slot;
	enum outcome outcome;
	bool harmed;	  /* its command or its dispatcher was killed */
	bool left;	  /* its command went before all of its members */
	unsigned members; /* processes that it made, and they */
	uint64_t begin_ns;
	struct sim_node *command, *node;
	struct x2g_run_rep run;
	/* the dispatcher's */
	struct net *net;
	struct rpc *daemon;
	struct placement_part placement[PROCESS_MEMORY_MAX + 1];
	uint32_t n_memory;
	struct kernel *kernel;
	const struct excache_api *excache;
	struct excache_config config;
	struct excache_memory memory[PROCESS_MEMORY_MAX];
	struct stats_page *stats;
	bool wants_files, forks;
	struct files *files;
	unsigned pages, n_threads, threads_left, service_left;
	unsigned steps;	 /* of each thread */
	uint8_t *expect; /* what each byte of memory must be */
	bool *lost;	 /* pages that were lost with their component */
	bool ending;
	struct sim_waitq wait;
	unsigned readers;
	bool writer;
	unsigned memory_forks, children; /* so far; those that live */
	bool promised;			 /* so much memory and no more: what forks share, and leave unused, counts */
	char said[256];
};

struct workload {
	unsigned pages, threads, steps, budget_lines;
	bool files, forks;
};

struct proc *proc_start(unsigned index, unsigned slot, const struct workload *);
const char *outcome_name(enum outcome);
bool proc_over(const struct proc *);
void proc_kill(struct proc *, bool command);
struct proc *proc_any(void); /* NULL: none runs */
void proc_free(struct proc *);
struct proc *proc_self(void);
void dispatcher_start(struct proc *);

bool proc_troubled(const struct proc *); /* something has happened in its time that it may feel */

/* ---- processes that a program makes ---- */

/* D2P_FORK, and a look at its answer. caps: for the components, storage first. */
int member_name(struct proc *, struct rpc *daemon, const struct d2p_fork_req *, struct d2p_fork_rep *,
		struct cap caps[PROCESS_MEMORY_MAX + 1]);
/* Say hello as who was named: sent, and not waited for, but where messages are lost. hello: stays where it is. */
int member_greet(struct proc *, struct rpc *daemon, const struct cap *, uint32_t id, struct rpc_answer *hello);
void members_serve(struct rpc *daemon); /* what the node daemon asks of a dispatcher */
void members_step(struct proc *);
void member_kill(struct proc *); /* one, if there is any */

/* ---- those that have its memory ---- */

#define MEMORY_FORKS_MAX 3u
void fork_step(struct proc *);
void proc_lock(struct proc *); /* no thread is inside a fault */
void proc_unlock(struct proc *);

/* ---- the host kernel below an ExCache ---- */

struct kernel {
	uint8_t *mem;
	uint64_t base;
	unsigned pages;
	bool *present, *protect, *registered;
};
struct kernel *kernel_open(unsigned slot, unsigned pages);
void kernel_close(struct kernel *);
void kernel_unmap(struct kernel *, unsigned page, unsigned n); /* MADV_DONTNEED */

/* ---- files ---- */

struct files *files_open(struct proc *);
int files_step(struct files *); /* 0; -EIO: the storage component is gone */
void files_close(struct files *);
void files_verify(struct files *); /* long after that; frees them */

/* ---- copies of the ExCache: each has its own static data (Makefile) ---- */

struct backing_usage;
struct excache_api {
	int (*open)(const struct excache_config *);
	void (*close)(void);
	unsigned (*watch_fds)(int *fds, unsigned max);
	void (*watch_dead)(int fd);
	int (*port_open)(struct excache_port **);
	void (*port_close)(struct excache_port *);
	int (*reg)(uint64_t start, uint64_t end);
	void (*forget)(uint64_t start, uint64_t end);
	int (*fault)(struct excache_port *, uint64_t addr, bool write, uint64_t start, uint64_t end);
	void (*flush)(void);
	void (*usage)(struct backing_usage *);
	int (*fork_prepare)(uint32_t member);
	void (*fork_parent)(void);
	uint64_t *(*line)(uint64_t vpn);
	uint32_t (*slab_of)(uint64_t loc, uint64_t *slab, uint32_t *frame);
};
extern const struct excache_api excache_copy[SLOTS];

/* ---- faults, one seed ---- */

void chaos_start(uint64_t until_ns, unsigned faults);
void chaos_end(void);
extern bool chaos_lossy;	   /* messages get lost in this world */
extern uint64_t chaos_links;	   /* as trouble_ns, of the links; messages that get lost count */
#define TROUBLE_NS (15 * NS_PER_S) /* it is felt for so long after it was mended */

/* True: the seed passed. *hash, *steps: of the run. */
bool seed_run(uint64_t *hash, uint64_t *steps);

#endif
