/* One line per policy module; for policy.c and tests. */
#ifndef PCOMPONENT_EXCACHE_POLICIES_H
#define PCOMPONENT_EXCACHE_POLICIES_H
#include "pcomponent/excache/policy.h"

extern const struct policy_ops policy_fifo;

#endif
