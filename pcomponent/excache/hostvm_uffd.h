/* The real host operations: userfaultfd for pages, memory components for frames. host is the thread's port. */
#ifndef PCOMPONENT_EXCACHE_HOSTVM_UFFD_H
#define PCOMPONENT_EXCACHE_HOSTVM_UFFD_H
#include "pcomponent/excache/hostvm.h"

extern const struct hostvm hostvm_uffd;

#endif
