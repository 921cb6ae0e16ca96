/* What a file is, as it travels. */
#ifndef SCOMPONENT_ATTR_H
#define SCOMPONENT_ATTR_H
#include "ashlar/proto/p2s.h"

/* Attributes of an open file (O_PATH will do). 0 or -errno. */
int attr_get(int fd, struct wire_stat *);

#endif
