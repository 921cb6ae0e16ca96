/*
 * RLIMIT_FSIZE of the program. The host kernel's is lifted: it would bind the dispatcher's own memory too, which is in
 * part files.
 */
#ifndef PCOMPONENT_FS_FSIZE_H
#define PCOMPONENT_FS_FSIZE_H
#include <stdbool.h>
#include <stdint.h>

bool fsize_limited(void);
/* Cut *bytes at off, of a regular file, to what may be written. 0; -EFBIG: nothing, and SIGXFSZ is sent to this thread. */
long fsize_cut(uint64_t off, uint64_t *bytes);

#endif
