/*
 * A standing rack of this machine: its parts are daemons, and a folder says which. The folder is
 *	$ASHLAR_RUN/NAME, else for root /run/ashlar/NAME, else $XDG_RUNTIME_DIR/ashlar/NAME, else ~/.cache/ashlar/NAME
 * and holds
 *	NAME.rack	the rack file as it was when the rack came up
 *	PART.pid	"PID START BOOT\n": the process, when it started (ticks since boot), and which boot
 *	PART.log	what it tells (PART.log.1: earlier)
 * Only its owner may enter; root's may be read by all but for the logs, so that users find the rack by its name. Whoever
 * changes it holds a lock on the folder.
 */
#ifndef CLI_STANDING_H
#define CLI_STANDING_H
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include "cli/run.h"

#define STANDING_PARTS_MAX (RACK_COMPONENTS_MAX + 1)

struct standing {
	char name[NAME_BYTES];
	char dir[PATH_MAX / 2];
	int fd; /* of the folder, locked; -1 */
};

/* A part of the rack. */
struct standing_part {
	char name[NAME_BYTES];
	const char *binary;
	const struct rack_component *component; /* NULL: the gmm */
	pid_t pid;				/* of a process that we started just now; 0: none */
	int ready_fd;				/* where it says that it is at work, -1 */
	bool alive;
};

/* ---- standing_dir.c ---- */

/* The folder of the rack `name`; create: made if it is not there. 0; 1: there is none; EXIT_ASHLAR after one line. */
int standing_open(struct standing *, const char *name, bool create);
/* Only where it is: 0, or EXIT_ASHLAR when there is none that we may read. */
int standing_folder(const char *name, char *path, size_t bytes);
/* Where it would be. False: there is no place for it. */
bool standing_place(const char *name, char *path, size_t bytes);
void standing_close(struct standing *);
void standing_remove(struct standing *); /* with all files in it */
/* The rack file that is meant by what the user typed (NAME or FILE; NULL: $ASHLAR_RACK, or the only rack there is). */
int rack_find(const char *typed, char *path, size_t bytes);
/* The folder's file, as a path. */
const char *standing_path(const struct standing *, const char *part, const char *suffix, char *path, size_t bytes);

/* ---- rack.c ---- */

/* Find the rack, read its file, connect to its gmm. place: zeroed; the caller closes it. 0 or EXIT_ASHLAR. */
int rack_open(const char *typed, struct rack_file *, struct place *);

/* ---- standing_pid.c ---- */

/* In the part's own process, before it becomes the part. 0 or -errno. */
int pid_file_write(const struct standing *, const char *part);
/* A pidfd of the part's process if that very process lives; -1. */
int pid_file_open(const struct standing *, const char *part);
void pid_file_remove(const struct standing *, const char *part);

/* ---- standing_start.c ---- */

/*
 * In a child that becomes a part: a session of its own, no terminal, the log as stderr, a pid file, the folder /, signals as
 * they were before we took them. Exits with a line when it cannot.
 */
void part_detach(const struct standing *, const char *part, const char *log_path, const struct signals *);
/* Start the part as a daemon. 0 or EXIT_ASHLAR. */
int part_start(const struct standing *, const struct rack_file *, const char *bin, struct standing_part *,
	       const struct signals *);
/* Wait until all that were started are at work. 0; EXIT_ASHLAR after naming the part; 128+N: signal N came. */
int parts_wait(const struct standing *, struct standing_part *, unsigned n, struct signals *);

/* ---- standing_stop.c ---- */

/*
 * Ask the parts to end, all at once, wait, and kill what does not. Their pid files go. children: their pids where they
 * are our own children (one may be too young to have a pid file); NULL: by their pid files.
 */
void parts_stop(const struct standing *, const char *const *names, const pid_t *children, unsigned n);

/* ---- rack_up.c, rack_down.c, rack_logs.c: argv[0] is the verb ---- */
int rack_up(const char *file);
int rack_down(const char *typed);
int rack_logs(const char *typed, const char *component);

#endif
