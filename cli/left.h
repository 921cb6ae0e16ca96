/* Processes that a program leaves running when it has ended. */
#ifndef CLI_LEFT_H
#define CLI_LEFT_H
#include "ashlar/proto/g2x.h"
#include "cli/run.h"

#define LEFT_SAY_MS 1000u /* who waits for so long is told for what */
#define LEFT_NAMED_MAX 8u /* of them by name */

/* One line about them: n of total. Their names are not to be trusted as text. */
void left_say(const struct member_row *, uint32_t n, uint32_t total);

/* ---- on a private rack ---- */

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
