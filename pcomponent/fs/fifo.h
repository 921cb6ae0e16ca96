/*
 * FIFOs with names on a storage component. Data goes through a FIFO by the host kernel, so it can be opened where the
 * component exports this machine's own files, and the very FIFO is here under the same path; elsewhere it is ENXIO.
 */
#ifndef PCOMPONENT_FS_FIFO_H
#define PCOMPONENT_FS_FIFO_H
#include <stdbool.h>
#include <stdint.h>

struct path;
struct thread;

/*
 * Open p, which the component has refused as ENXIO: a number of the program's, or -errno. May wait for the other side.
 * *here: it is a FIFO that can be opened, if not now.
 */
long fifo_open(struct thread *t, const struct path *p, uint32_t flags, bool *here);

#endif
