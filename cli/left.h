/* Processes that a program on a private rack leaves running when it has ended. */
#ifndef CLI_LEFT_H
#define CLI_LEFT_H
#include "cli/run.h"

/* From now on whatever below us loses its parent becomes our child. */
void left_adopt(void);
/* Wait for those of them that have ended; the program and the rack's components are others' to wait for. */
void left_reap(const struct private_rack *, pid_t program);
/*
 * Until none is left. After a second the user is told whom we wait for. A signal that asks us to end ends them, and so does
 * the end of the node daemon.
 */
void left_wait(const struct private_rack *, struct signals *, const struct place *);

#endif
