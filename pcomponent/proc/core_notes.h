/* The notes of a core file: what threads and process are, as the kernel writes them. */
#ifndef PCOMPONENT_PROC_CORE_NOTES_H
#define PCOMPONENT_PROC_CORE_NOTES_H
#include <stdbool.h>
#include <stdint.h>

struct core_mapping {
	uint64_t start, end, off;
	uint64_t bytes;	   /* from start on that are in the core file */
	uint64_t file_off; /* there */
	uint32_t prot;	   /* PF_R, PF_W, PF_X */
	bool registered;   /* under the ExCache */
	const char *name;  /* of its file, or "" */
};

struct core_notes {
	char *data;
	uint32_t bytes, room;
};

/* Of the program that stands still; data is the caller's to free, also after an error. 0 or -errno. */
int core_notes_make(struct core_notes *n, const struct core_mapping *map, unsigned n_map);

#endif
