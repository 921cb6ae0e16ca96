/*
 * ashlar doctor: looks at this machine, says of each thing that ashlar needs whether it is there, what it means and how it
 * is mended, and which modes work here. A check is a function over a finding; checks.c has the table of all, modes.c tells
 * the modes, report.c prints.
 *
 * A check really does what ashlar will do, where that can be done without leaving a trace; what could end or change the
 * process is done in a child (child.c).
 */
#ifndef CLI_DOCTOR_DOCTOR_H
#define CLI_DOCTOR_DOCTOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_LIMITED, /* ashlar works, but slower or not for all programs; means says which */
	DOCTOR_MISSING, /* modes that need it do not work */
};

#define DOCTOR_TEXT_BYTES 240

struct doctor_finding {
	enum doctor_state state;
	char found[DOCTOR_TEXT_BYTES]; /* what is there */
	char means[DOCTOR_TEXT_BYTES]; /* for ashlar; empty when ok */
	char fix[DOCTOR_TEXT_BYTES];   /* a command, or what to do where no command does it; empty: nothing to mend */
};

/* Modes, as bits: what needs a check. 0: good to know. */
#define DOCTOR_LOCAL 1u
#define DOCTOR_OFI 2u
#define DOCTOR_VM 4u
#define DOCTOR_VERBS 8u

struct doctor_check {
	const char *name;
	const char *why; /* what ashlar does with it */
	uint32_t needed; /* modes that do not work while it is missing */
	void (*look)(struct doctor_finding *);
};
extern const struct doctor_check doctor_checks[];
extern const unsigned doctor_checks_n;

struct doctor_mode {
	const char *name;
	uint32_t bit;
	bool works;
	char why[DOCTOR_TEXT_BYTES]; /* why not: names of the checks, or what this build lacks */
};
#define DOCTOR_MODES 4u

/* Which modes work, by the findings of all checks; probe: also try to open their fabrics. */
void doctor_modes(const struct doctor_finding *, struct doctor_mode modes[DOCTOR_MODES], bool probe);

/* One line that sums it up. */
void doctor_summary(const struct doctor_finding *, const struct doctor_mode modes[DOCTOR_MODES], char *text,
		    size_t max);
void doctor_print(const struct doctor_finding *, const struct doctor_mode modes[DOCTOR_MODES]);
int doctor_print_json(const struct doctor_finding *,
		      const struct doctor_mode modes[DOCTOR_MODES]); /* 0 or EXIT_ASHLAR */

/* ---- for checks ---- */

void doctor_found(struct doctor_finding *, enum doctor_state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_means(struct doctor_finding *, const char *text);
void doctor_fix(struct doctor_finding *, const char *text);
/* A system call failed by err: found, and how the usual reasons (a container's filter, an old kernel) are mended. */
void doctor_denied(struct doctor_finding *, enum doctor_state, const char *call, int err, const char *since);

/* fn in a child: 0, the errno that it returned, -N when signal N ended it, -SIGALRM when it took too long. */
int doctor_in_child(int (*fn)(void *), void *arg);

/* The first line of a file, without its end; false: cannot be read. */
bool doctor_read(const char *path, char *text, size_t max);
bool doctor_read_number(const char *path, long *n);

/* Seccomp filters are in force for us. */
bool doctor_filtered(void);

/* What /proc/version says: NULL for a Linux kernel, else the name of what stands for it. */
const char *doctor_not_linux(const char *version);
/* "6.1.0-13-amd64" to 6 and 1. */
bool doctor_version(const char *release, unsigned *major, unsigned *minor);

void check_kernel(struct doctor_finding *), check_platform(struct doctor_finding *),
	check_seccomp(struct doctor_finding *);
void check_lsm(struct doctor_finding *), check_userfaultfd(struct doctor_finding *);
void check_process_madvise(struct doctor_finding *), check_pagemap_scan(struct doctor_finding *);
void check_memfd(struct doctor_finding *), check_overcommit(struct doctor_finding *),
	check_maps(struct doctor_finding *);
void check_min_addr(struct doctor_finding *), check_shm(struct doctor_finding *), check_memory(struct doctor_finding *);
void check_sud(struct doctor_finding *), check_fsgsbase(struct doctor_finding *), check_pidfd(struct doctor_finding *);
void check_vm_readv(struct doctor_finding *), check_cores(struct doctor_finding *),
	check_nofile(struct doctor_finding *);
void check_nproc(struct doctor_finding *), check_memlock(struct doctor_finding *), check_as(struct doctor_finding *);
void check_libfabric(struct doctor_finding *), check_rdma(struct doctor_finding *), check_rxe(struct doctor_finding *);
void check_kvm(struct doctor_finding *), check_qemu(struct doctor_finding *);

#endif
