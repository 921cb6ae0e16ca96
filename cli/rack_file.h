/*
 * The rack file: what a rack is made of, or where one that was started otherwise is. Its format is in docs/rack.md.
 * cli/rack_file.c parses the text (libconfuse), cli/rack_check.c judges what it means, cli/rack_mistakes.c keeps count of
 * what is wrong, so that all mistakes are told at once, each with its line.
 */
#ifndef CLI_RACK_FILE_H
#define CLI_RACK_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ashlar/base/limits.h"

#define RACK_FILE_BYTES_MAX (64u << 10)
#define RACK_PATH_BYTES 4096u

/* A component of the rack. Empty text, 0 bytes: the component's own default. */
struct rack_component {
	const char *kind; /* "processor", "memory", "storage" */
	char name[NAME_BYTES], domain[NAME_BYTES], listen[ADDR_BYTES], node[ADDR_BYTES], log[8], hook[HOOK_BYTES];
	uint64_t bytes; /* size, excache */
	int line;
};

struct rack_file {
	char name[NAME_BYTES];	 /* empty: the file only says where a rack is, and its own name fits no rack */
	char gmm[ADDR_BYTES];	 /* where the gmm listens */
	char fabric[NAME_BYTES]; /* of the components */
	char node[ADDR_BYTES];	 /* where commands of this machine find a node daemon, if not by the fabric */
	char place[NAME_BYTES], log[8], hook[HOOK_BYTES];
	char key[RACK_PATH_BYTES];  /* file with the key of the rack; empty: none */
	char root[RACK_PATH_BYTES]; /* of the storage component */
	struct rack_component component[RACK_COMPONENTS_MAX];
	unsigned n_components; /* 0: a rack that is started otherwise */
};

#define RACK_MISTAKES_MAX 20

struct rack_mistakes {
	struct rack_mistake {
		int line; /* 0: about the whole file */
		char text[200];
	} at[RACK_MISTAKES_MAX];
	unsigned n, more; /* more: beyond those */
};

/* rack_mistakes.c. Text from the file is made printable. */
void mistake(struct rack_mistakes *, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void mistakes_sort(struct rack_mistakes *);

/* rack_check.c */
bool rack_name_fits(const char *); /* of a rack or a component: letters, digits, ".", "_", "-"; it names files too */
/* What is left out is filled in, what does not fit together is a mistake. path: gives the rack its name by default. */
void rack_check(struct rack_file *, const char *path, struct rack_mistakes *);
void rack_check_address(const struct rack_file *, const char *what, const char *addr, int line, struct rack_mistakes *);

/* rack_file.c: the text (with a 0 at its end) of a file. True: no mistake. */
bool rack_file_parse(const char *text, const char *path, struct rack_file *, struct rack_mistakes *);
/* 0, or EXIT_ASHLAR after a line for each mistake. */
int rack_file_read(const char *path, struct rack_file *);

#endif
