/*
 * Loading a program: its ELF image, its interpreter and its first stack, all from the storage component, all into the
 * program's own memory.
 */
#ifndef PCOMPONENT_LOAD_H
#define PCOMPONENT_LOAD_H
#include <stdbool.h>
#include <stdint.h>

struct thread;

struct load_program {
	const char *typed; /* as the user typed it, or as it was given to execve */
	bool search;	   /* the former: looked up in PATH where it has no '/' */
	char **argv, **envp;
};

struct load_result {
	uint64_t entry, sp; /* first instruction and stack pointer */
	char exe[4096];	    /* canonical path of the program */
	char **argv;	    /* as /proc/self/cmdline shows it: with a script's interpreter in front */
};

/* Does not return on failure: one line, status 126 or 127 as env(1). */
void load_program(struct thread *t, const struct load_program *p, struct load_result *out);

/* What Linux would answer to execve of path, found without giving anything up: 0, with *script set, or -errno. Any thread. */
int load_check(const char *path, bool *script);

#endif
