/* What the parts of the `ashlar` command share: errors, descriptors, subcommands. */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include <stdint.h>
#include "ashlar/base/limits.h"

#define EXIT_ASHLAR 125 /* ashlar itself failed, as opposed to the program */

#define ASHLAR_VERSION "0.1"

/* One line on stderr, "ashlar: ...". Returns EXIT_ASHLAR. */
int cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * What errno means, for things that a machine may lack or a container deny: then ashlar doctor is pointed to. Until the next
 * call.
 */
const char *cli_why(int err);

/*
 * Move a descriptor of ours out of the way of the program's low numbers, close-on-exec. Returns the new one (the old is
 * closed), or -1 with errno (the old is closed as well). fd < 0 is passed through.
 */
int fd_high(int fd);
/* The least number that fd_high uses: LAUNCH_FD_MIN, or less where the limit on descriptors is low. */
int fd_high_floor(void);

/* Subcommands: argv[0] is the subcommand's name. They return the exit status. */
int cmd_run(int argc, char **argv);
int cmd_rack(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_core(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_vm(int argc, char **argv); /* vm/host/vm.c */
/* Their part of --help. */
void run_usage(void);
void rack_usage(void);
void ps_usage(void);
void kill_usage(void);
void core_usage(void);
void doctor_usage(void);

#endif
