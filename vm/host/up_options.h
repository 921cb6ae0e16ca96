/* The command line of `ashlar vm up`. */
#ifndef VM_HOST_UP_OPTIONS_H
#define VM_HOST_UP_OPTIONS_H
#include "vm/host/host.h"

struct up_options {
	const char *name;
	bool described; /* options say what the rack shall be */
	unsigned processors, memories;
	uint64_t mem_bytes[VM_KINDS];
	unsigned cpus[VM_KINDS];
	const char *fabric, *emulate, *root, *accel;
	uint64_t disk_bytes;
};

/* 0; 1: help was printed; EXIT_ASHLAR after one line. */
int up_options(int argc, char **argv, struct up_options *);
/* The rack that they describe; all but its kernel and initramfs. 0 or EXIT_ASHLAR. */
int up_plan(const struct up_options *, struct plan *);

#endif
