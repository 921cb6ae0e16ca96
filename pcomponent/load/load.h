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
};

/* Does not return on failure: one line, status 126 or 127 as env(1). */
void load_program(struct thread *t, const struct load_program *p, struct load_result *out);

/*
 * The same in two steps, for execve. find: the program that path leads to, open, with its interpreter, and all that Linux
 * would find wrong with it found: 0 or -errno; nothing is given up or mapped. path and argv stay the caller's and are referred
 * to. Any thread. map: into an address space without mappings; f is let go, and failure ends the process as above. drop: it
 * is not needed.
 */
struct load_found;
int load_find(const char *path, char **argv, struct load_found **out);
bool load_is_script(const struct load_found *f);
void load_map(struct thread *t, struct load_found *f, char **envp, struct load_result *out);
void load_drop(struct load_found *f);

#endif
